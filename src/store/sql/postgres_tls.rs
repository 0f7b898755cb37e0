//! How a connection to PostgreSQL is encrypted, and whom it believes.

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

/// Whether a connection is encrypted, and what is asked of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Encryption {
    /// `sslmode=disable`: in the clear, for this machine's own addresses.
    None,
    /// `sslmode=require`: encrypted, to whoever answers.
    Unverified,
    /// `sslmode=verify-full`: encrypted, to a server whose certificate is good for its name. The file holds the
    /// authorities to believe (`sslrootcert`); those of the system where it is none.
    Verified(Option<PathBuf>),
}

impl Encryption {
    /// What an address asks for. Without a word, servers on other machines are verified.
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

/// Whether all places that an address leads to are this machine; a name may stand for another address (`hostaddr`).
fn is_local(config: &Config) -> bool {
    let (hosts, addresses) = (config.get_hosts(), config.get_hostaddrs());
    (!hosts.is_empty() || !addresses.is_empty())
        && hosts.iter().all(is_own_machine)
        && addresses.iter().all(std::net::IpAddr::is_loopback)
}

/// Whether nothing leaves this machine on the way.
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

/// Believes every certificate, and holds the handshake to it: nobody can listen, and nobody is known.
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
