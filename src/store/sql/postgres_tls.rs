//! Encryption of connections to PostgreSQL, and the verification of servers.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::SqlError;
use super::postgres_session::Session;

/// Whether a connection is encrypted, and how the server is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Encryption {
    /// `sslmode=disable`: unencrypted; the default for addresses of this machine.
    None,
    /// `sslmode=require` without `sslrootcert`: encrypted, without verification of the server.
    Unverified,
    /// `sslmode=verify-full`: encrypted, to a server whose certificate is valid for its name. The file holds the
    /// trusted authorities (`sslrootcert`); without it, those of the system are trusted.
    Verified(Option<PathBuf>),
}

impl Encryption {
    /// Reads the encryption from an address. By default, servers on other machines are verified.
    pub(super) fn of(mode: Option<&str>, authorities: Option<&str>, config: &Config) -> Result<Encryption, SqlError> {
        let authorities = authorities.map(PathBuf::from);
        match mode {
            Some("disable") => Ok(Encryption::None),
            Some("require") if authorities.is_none() => Ok(Encryption::Unverified),
            Some("verify-full" | "require") => Ok(Encryption::Verified(authorities)),
            None if authorities.is_none() && is_local(config) => Ok(Encryption::None),
            None => Ok(Encryption::Verified(authorities)),
            Some(other) => Err(SqlError::Address(format!("sslmode={other}: write disable, require or verify-full"))),
        }
    }

    /// Connects.
    pub(super) fn connect(&self, config: &Config) -> Result<Session, SqlError> {
        let mut config = config.clone();
        let verifier: Option<Arc<dyn ServerCertVerifier>> = match self {
            Encryption::None => {
                config.ssl_mode(SslMode::Disable);
                return Session::open(&config, NoTls);
            }
            Encryption::Unverified => Some(Arc::new(Anyone(Arc::new(ring::default_provider())))),
            Encryption::Verified(_) => None,
        };
        config.ssl_mode(SslMode::Require);
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| SqlError::Address(error.to_string()))?;
        let tls = match (verifier, self) {
            (Some(verifier), _) => builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth(),
            (None, Encryption::Verified(Some(file))) => {
                builder.with_root_certificates(authorities(file)?).with_no_client_auth()
            }
            (None, _) => {
                let verifier = rustls_platform_verifier::Verifier::new(Arc::new(ring::default_provider()));
                let verifier = verifier.map_err(|error| SqlError::Address(error.to_string()))?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
            }
        };
        Session::open(&config, MakeRustlsConnect::new(tls))
    }
}

/// Whether all hosts of an address are this machine; `hostaddr` may give a name another address.
fn is_local(config: &Config) -> bool {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    (!hosts.is_empty() || !addresses.is_empty())
        && hosts.iter().all(is_own_machine)
        && addresses.iter().all(std::net::IpAddr::is_loopback)
}

/// Whether traffic to the host stays on this machine.
fn is_own_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn authorities(file: &Path) -> Result<RootCertStore, SqlError> {
    let failed = |why: String| SqlError::Address(format!("sslrootcert={}: {why}", file.display()));
    let mut store = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        store.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if store.is_empty() { Err(failed("it holds no certificate".to_owned())) } else { Ok(store) }
}

/// Accepts every certificate, but verifies the handshake with it: encrypted, but the server's identity is unknown.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
