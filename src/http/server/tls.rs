//! TLS with rustls: `server.tls_cert` and `server.tls_key`, read at startup and again on SIGHUP.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::signal::unix::{SignalKind, signal};

/// The certificate for new connections, and the files that it comes from.
#[derive(Debug)]
pub(crate) struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    shown: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads a certificate chain and its key, both PEM.
    pub(crate) fn load(cert: &Path, key: &Path) -> Result<Arc<Self>, String> {
        let shown = RwLock::new(Arc::new(read(cert, key)?));
        Ok(Arc::new(Self { cert: cert.to_owned(), key: key.to_owned(), shown }))
    }

    /// The TLS configuration for new connections.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<ServerConfig, String> {
        let builder = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("server.tls_cert {}: {error}", self.cert.display()))?;
        let resolver: Arc<Self> = Arc::clone(self);
        Ok(builder.with_no_client_auth().with_cert_resolver(resolver))
    }

    /// Reads the files again on every SIGHUP from now on, as a renewed certificate needs. Existing connections stay as
    /// they are.
    pub(crate) fn reload_on_hangup(self: Arc<Self>) -> std::io::Result<()> {
        let mut hangups = signal(SignalKind::hangup())?;
        actix_web::rt::spawn(async move {
            while hangups.recv().await.is_some() {
                self.reload();
            }
        });
        Ok(())
    }

    /// Unusable files, such as a new certificate whose key is not written yet, change nothing.
    fn reload(&self) {
        match read(&self.cert, &self.key) {
            Ok(certified) => {
                *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
                tracing::info!(file = %self.cert.display(), "certificate reloaded");
            }
            Err(cause) => tracing::error!(cause, "could not reload the certificate; the previous one stays in use"),
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The certificate chain, and the key that belongs to its first certificate.
fn read(cert: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let fault =
        |error: &dyn Display| format!("server.tls_cert {}: {error}; expected a PEM certificate chain", cert.display());
    let text = read_pem(cert).map_err(|error| fault(&error))?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>().map_err(|error| fault(&error))?;
    let fault = |error: &dyn Display| format!("server.tls_key {}: {error}; expected a PEM private key", key.display());
    let text = read_pem(key).map_err(|error| fault(&error))?;
    let private_key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| fault(&error))?;
    CertifiedKey::from_der(chain, private_key, &aws_lc_rs::default_provider())
        .map_err(|error| format!("server.tls_cert {}: {error}", cert.display()))
}

/// Reads a file without its byte order mark: rustls finds no first line after one.
fn read_pem(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = std::fs::read(path)?;
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    Ok(bytes)
}
