//! Packages in an OCI registry, which reach many machines through existing registries, mirrors and caches.
//!
//! A version is two artifacts. The tag `<version>` names the plain component in the form of the Bytecode Alliance (one
//! layer `application/wasm`), which `wkg` and runtimes pull. The tag `erpx-<version>`, which no version can be, names
//! the unchanged package in one layer, whose subject is the component. It is written last, so that a version with this
//! tag is complete.

use std::time::Duration;

use erp_manifest::codes::errors;
use erp_manifest::digest::{hex, sha256_hex};
use oci_client::client::{Certificate, CertificateEncoding, Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::sent::Waits;
use super::{PublishError, ServerConnection, retry};

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const WASM_CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
const WASM_TYPE: &str = "application/wasm";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const CONNECT: Duration = Duration::from_secs(10);

/// The version of a plugin to push.
#[derive(Debug, Clone)]
pub struct OciPackage<'a> {
    /// The plugin's id.
    pub id: &'a str,
    /// The plugin's version.
    pub version: &'a str,
    /// The interfaces that the component imports.
    pub imports: Vec<String>,
    /// The interfaces that it exports.
    pub exports: Vec<String>,
    /// The component.
    pub component: &'a [u8],
    /// The bytes of the package that was verified.
    pub package: &'a [u8],
    /// The media type of the package.
    pub package_type: &'static str,
}

/// The two artifacts in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OciPushResult {
    /// True if the registry already had exactly this version.
    pub already_there: bool,
    /// The component, as `host/repository:tag`.
    pub component: String,
    /// The package, as `host/repository:tag`.
    pub package: String,
    /// The digest of the package's manifest.
    pub digest: String,
}

/// An artifact: its tag, its manifest, and its blobs with their digests.
struct Artifact {
    tag: String,
    manifest: Vec<u8>,
    blobs: Vec<(String, Vec<u8>)>,
}

/// Pushes a version; with `Push::Look` nothing is sent. `address` is `oci://host/repository`. Running it again resumes:
/// existing blobs are not sent again. `sent` gets the size of each blob, `retrying` the reason and the length of each
/// wait.
///
/// # Errors
/// [`PublishError`], also if the registry has the version with other content.
pub fn push(
    address: &str,
    connection: &ServerConnection,
    package: &OciPackage<'_>,
    send: Push,
    sent: impl Fn(u64),
    mut retrying: impl FnMut(&str, Duration),
) -> Result<OciPushResult, PublishError> {
    super::address::check_token(connection.token.as_deref().map(String::as_str))?;
    let base = reference(address)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| PublishError::Client(error.to_string()))?;
    let component = component_artifact(package);
    let whole = package_artifact(package, &component);
    let pushing =
        RegistrySession { client: client(&base, connection)?, auth: auth(connection.token.as_ref()), base, address };
    let mut waits = Waits { left: retry::MAX_TOTAL_WAIT, pause: connection.pause, retrying: &mut retrying };
    let mut attempt = 0;
    let has_sent = std::cell::Cell::new(false);
    let count = |bytes| {
        has_sent.set(true);
        sent(bytes);
    };
    loop {
        attempt += 1;
        let error = match runtime.block_on(pushing.push(&component, &whole, send, &count)) {
            Ok(already_there) => {
                return Ok(OciPushResult {
                    already_there: already_there && attempt == 1,
                    component: pushing.target(&component).whole(),
                    package: pushing.target(&whole).whole(),
                    digest: format!("sha256:{}", sha256_hex(&whole.manifest)),
                });
            }
            Err(PublishError::Unreachable { reason, .. }) => reason,
            Err(error) => return Err(error),
        };
        if attempt >= retry::MAX_ATTEMPTS || !waits.wait(attempt, None, &error) {
            let address = address.to_owned();
            // The last write may have succeeded although its response was lost.
            return match runtime.block_on(pushing.is_there(&whole)) {
                Ok(true) => Ok(OciPushResult {
                    already_there: false,
                    component: pushing.target(&component).whole(),
                    package: pushing.target(&whole).whole(),
                    digest: format!("sha256:{}", sha256_hex(&whole.manifest)),
                }),
                Ok(false) => Err(PublishError::Unreachable { address, reason: error }),
                Err(_) if !has_sent.get() => Err(PublishError::Unreachable { address, reason: error }),
                Err(_) => Err(PublishError::Unknown { address, reason: error }),
            };
        }
    }
}

/// A registry, with our credentials.
struct RegistrySession<'a> {
    client: Client,
    auth: RegistryAuth,
    base: Reference,
    address: &'a str,
}

impl RegistrySession<'_> {
    fn target(&self, artifact: &Artifact) -> Reference {
        let (registry, repository) = (self.base.registry().to_owned(), self.base.repository().to_owned());
        Reference::with_tag(registry, repository, artifact.tag.clone())
    }

    /// Sends what the registry does not have; true if it had everything.
    async fn push(
        &self,
        component: &Artifact,
        whole: &Artifact,
        send: Push,
        sent: &impl Fn(u64),
    ) -> Result<bool, PublishError> {
        let failed = |error: OciDistributionError| failure(self.address, &error);
        if self.is_there(whole).await? {
            return Ok(true);
        }
        if send == Push::Look {
            return Ok(false);
        }
        self.client.auth(&self.base, &self.auth, RegistryOperation::Push).await.map_err(failed)?;
        for artifact in [component, whole] {
            if self.is_there(artifact).await? {
                continue;
            }
            let target = self.target(artifact);
            for (digest, blob) in &artifact.blobs {
                if !self.client.blob_exists(&target, digest).await.map_err(failed)? {
                    self.client.push_blob(&target, blob.clone(), digest).await.map_err(failed)?;
                }
                sent(blob.len() as u64);
            }
            let media_type = reqwest::header::HeaderValue::from_static(MANIFEST_TYPE);
            let manifest = artifact.manifest.clone();
            self.client.push_manifest_raw(&target, manifest, media_type).await.map_err(failed)?;
        }
        Ok(false)
    }

    /// Whether the tag names exactly this artifact; an error if it names another.
    async fn is_there(&self, artifact: &Artifact) -> Result<bool, PublishError> {
        match self.client.fetch_manifest_digest(&self.target(artifact), &self.auth).await {
            Ok(digest) if digest == format!("sha256:{}", sha256_hex(&artifact.manifest)) => Ok(true),
            Ok(_) => Err(taken()),
            Err(OciDistributionError::ImageManifestNotFoundError(_)) => Ok(false),
            Err(OciDistributionError::RegistryError { envelope, .. }) if is_unknown(&envelope) => Ok(false),
            Err(error) => Err(failure(self.address, &error)),
        }
    }
}

/// Whether artifacts are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// Sends everything that the registry does not have.
    Send,
    /// Sends nothing, and only checks.
    Look,
}

/// Whether an error means that nothing of this name was pushed yet.
fn is_unknown(envelope: &oci_client::errors::OciEnvelope) -> bool {
    use oci_client::errors::OciErrorCode::{ManifestUnknown, NameUnknown, NotFound};
    envelope.errors.iter().any(|error| matches!(error.code, ManifestUnknown | NameUnknown | NotFound))
}

fn taken() -> PublishError {
    PublishError::Refused {
        status: 409,
        code: errors::PLUGIN_VERSION_TAKEN.into(),
        message: "the registry has this version with another content: raise the version".to_owned(),
        problems: Vec::new(),
        retry_after: None,
    }
}

fn component_artifact(package: &OciPackage<'_>) -> Artifact {
    // The moment is constant, so that the same package gives the same digests.
    let config = json!({
        "created": "1980-01-01T00:00:00Z", "architecture": "wasm", "os": "wasip2",
        "layerDigests": [digest(package.component)],
        "component": { "exports": package.exports, "imports": package.imports, "target": null },
    })
    .to_string()
    .into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(WASM_CONFIG_TYPE, &config),
        "layers": [descriptor(WASM_TYPE, package.component)],
        "annotations": annotations(package),
    });
    let blobs = vec![(digest(&config), config), (digest(package.component), package.component.to_vec())];
    Artifact { tag: tag(package.version), manifest: manifest.to_string().into_bytes(), blobs }
}

fn package_artifact(package: &OciPackage<'_>, component: &Artifact) -> Artifact {
    let empty = b"{}".to_vec();
    let mut layer = descriptor(package.package_type, package.package);
    layer["annotations"] =
        json!({ "org.opencontainers.image.title": format!("{}-{}.erpx", package.id, package.version) });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": package.package_type,
        "config": descriptor(EMPTY_TYPE, &empty),
        "layers": [layer],
        "subject": descriptor(MANIFEST_TYPE, &component.manifest),
        "annotations": annotations(package),
    });
    let blobs = vec![(digest(&empty), empty), (digest(package.package), package.package.to_vec())];
    Artifact { tag: format!("erpx-{}", tag(package.version)), manifest: manifest.to_string().into_bytes(), blobs }
}

fn annotations(package: &OciPackage<'_>) -> Value {
    json!({ "org.opencontainers.image.title": package.id, "org.opencontainers.image.version": package.version })
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// A tag cannot contain `+`; registries of packages use `_` instead.
fn tag(version: &str) -> String {
    version.replace('+', "_")
}

fn reference(address: &str) -> Result<Reference, PublishError> {
    let bad = |why: String| PublishError::BadAddress(format!("`{address}` is no address in an OCI registry: {why}"));
    let rest = address.strip_prefix("oci://").unwrap_or(address).trim_end_matches('/');
    if rest.contains('@') || rest.rsplit('/').next().is_some_and(|last| last.contains(':')) {
        return Err(bad("name host and repository only; the version becomes the tag".to_owned()));
    }
    if !rest.contains('/') {
        return Err(bad("write it like oci://registry.example.com/plugins/erp-demo".to_owned()));
    }
    rest.parse().map_err(|error: oci_client::ParseError| bad(error.to_string()))
}

fn client(base: &Reference, connection: &ServerConnection) -> Result<Client, PublishError> {
    crate::network::choose_cryptography();
    let host = base.registry();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_start_matches('[').trim_end_matches(']');
    let is_loopback =
        name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    // A registry on this machine needs no TLS; every other one must use it.
    let protocol = if is_loopback { ClientProtocol::Http } else { ClientProtocol::Https };
    let ca = connection.ca.iter().map(|pem| Certificate { encoding: CertificateEncoding::Pem, data: pem.clone() });
    let config = ClientConfig {
        protocol,
        extra_root_certificates: ca.collect(),
        read_timeout: Some(connection.timeout),
        connect_timeout: Some(CONNECT),
        user_agent: concat!("erp-plugin/", env!("CARGO_PKG_VERSION")),
        https_proxy: connection.proxy.clone(),
        ..ClientConfig::default()
    };
    // The library's fallback panics if TLS cannot start at all, so that is tested first.
    reqwest::Client::builder().build().map_err(|error| PublishError::Client(error.to_string()))?;
    Client::try_from(config).map_err(|error| PublishError::Client(error.to_string()))
}

/// The credentials: `user:password`, or a token.
fn auth(token: Option<&Zeroizing<String>>) -> RegistryAuth {
    match token.map(|token| token.split_once(':').ok_or(token)) {
        None => RegistryAuth::Anonymous,
        Some(Ok((user, password))) => RegistryAuth::Basic(user.to_owned(), password.to_owned()),
        Some(Err(token)) => RegistryAuth::Bearer(token.to_string()),
    }
}

fn failure(address: &str, error: &OciDistributionError) -> PublishError {
    let address = address.to_owned();
    let message = super::printable(&error.to_string());
    match error {
        OciDistributionError::AuthenticationFailure(_) | OciDistributionError::UnauthorizedError { .. } => {
            PublishError::Refused {
                status: 401,
                code: errors::AUTH_DENIED.into(),
                message,
                problems: Vec::new(),
                retry_after: None,
            }
        }
        OciDistributionError::ServerError { code, .. } if retry::is_transient(*code) => {
            PublishError::Unreachable { address, reason: message }
        }
        OciDistributionError::RequestError(_) | OciDistributionError::IoError(_) => {
            PublishError::Unreachable { address, reason: message }
        }
        _ => PublishError::NotAPlatform { address, reason: message },
    }
}
