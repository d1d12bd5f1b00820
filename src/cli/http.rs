//! The requests that commands send to a running service.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use serde_json::Value;
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::CommandError;

/// Timeout of a request, in seconds: a busy service hashes passwords in turn.
const TIMEOUT_SECONDS: u64 = 60;
/// Timeout of a health check, in seconds.
const HEALTH_SECONDS: u64 = 3;
/// A larger response does not come from Keyfob.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// A service at a URL.
pub(super) struct Service {
    url: String,
    uri: Uri,
    agent: Agent,
}

/// A response with a JSON body.
pub(super) struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Service {
    /// Trusts the system's certificates, or those of `SSL_CERT_FILE`, so that a company's own work here too.
    pub(super) fn at(url: &str) -> Result<Self, CommandError> {
        let trusted = rustls_native_certs::load_native_certs().certs;
        let trusted: Vec<_> = trusted.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let tls = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(trusted)));
        Self::with(url, tls.unversioned_rustls_crypto_provider(provider()).build(), TIMEOUT_SECONDS)
    }

    /// A service that listens on an address of this machine. Its certificate names its public host, not the address, so
    /// the certificate is not verified; nothing secret is sent.
    pub(super) fn on_this_machine(address: SocketAddr, is_tls: bool) -> Result<Self, CommandError> {
        let scheme = if is_tls { "https" } else { "http" };
        let tls = TlsConfig::builder().disable_verification(true).unversioned_rustls_crypto_provider(provider());
        Self::with(&format!("{scheme}://{address}"), tls.build(), HEALTH_SECONDS)
    }

    fn with(url: &str, tls: TlsConfig, timeout_seconds: u64) -> Result<Self, CommandError> {
        let uri = url.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let uri = uri.ok_or_else(|| CommandError::Refused(format!("`{url}` is not an http:// or https:// URL")))?;
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(timeout_seconds)))
            .user_agent(concat!("keyfob/", env!("CARGO_PKG_VERSION")));
        Ok(Self { url: url.trim_end_matches('/').to_owned(), uri, agent: config.build().new_agent() })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether the connection keeps a password private: HTTPS, or loopback.
    pub(super) fn is_private(&self) -> bool {
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        self.uri.scheme_str() == Some("https") || is_loopback
    }

    pub(super) fn get(&self, path: &str) -> Result<Answer, CommandError> {
        self.read(path, self.agent.get(self.to(path)).call())
    }

    pub(super) fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Result<Answer, CommandError> {
        self.read(path, self.agent.post(self.to(path)).send_form(form.iter().copied()))
    }

    fn to(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn read(
        &self,
        path: &str,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Answer, CommandError> {
        let unreachable = |error| CommandError::Refused(format!("{} cannot be reached: {error}", self.url));
        let mut answer = answer.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_json().map_err(|_| {
            CommandError::Refused(format!("{} answered {status} without JSON: check the URL", self.to(path)))
        })?;
        Ok(Answer { status, body })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
