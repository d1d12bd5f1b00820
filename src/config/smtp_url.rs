//! The URL of the mail server. Its scheme says how the connection is encrypted; nothing is tried out.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::postgres_url::MASK;
use super::url::check_authority;

/// The expected forms of the URL.
pub(super) const EXPECTED: &str = "expected smtps://HOST (TLS from the start), smtp://HOST (STARTTLS) or \
    smtp+plain://HOST (no encryption), with USER:PASSWORD@ before and :PORT behind the host if needed";

/// How the connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// `smtps://`: TLS from the first byte (RFC 8314 §3.3).
    Tls,
    /// `smtp://`: STARTTLS (RFC 3207), required.
    StartTls,
    /// `smtp+plain://`: no encryption.
    Plain,
}

/// A mail server; `Display` and `Debug` show no password.
#[derive(Clone)]
pub struct SmtpUrl {
    /// How the connection is encrypted.
    pub security: SmtpSecurity,
    /// The host name or IP address, IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// User name and password, if the URL holds them.
    pub credentials: Option<(String, SecretString)>,
}

impl SmtpSecurity {
    /// The scheme of the URL.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Tls => "smtps",
            Self::StartTls => "smtp",
            Self::Plain => "smtp+plain",
        }
    }

    /// The port that the scheme stands for.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::StartTls => 587,
            Self::Plain => 25,
        }
    }
}

impl fmt::Display for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.security.scheme())?;
        if let Some((user, _)) = &self.credentials {
            write!(f, "{}:{MASK}@", percent_encoding::utf8_percent_encode(user, percent_encoding::NON_ALPHANUMERIC))?;
        }
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.security.default_port() { f.write_str(&host) } else { write!(f, "{host}:{}", self.port) }
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SmtpUrl {
    /// # Errors
    /// Only the fault, without any of the URL, which may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("is not a URL")?;
        let all = [SmtpSecurity::Tls, SmtpSecurity::StartTls, SmtpSecurity::Plain];
        let security = all.into_iter().find(|one| one.scheme() == scheme).ok_or("is not the URL of a mail server")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => (Some(credentials), authority),
            None => (None, rest),
        };
        if credentials.is_some_and(|text| text.contains(['@', '/', '?', '#'])) {
            return Err("has `@`, `/`, `?` or `#` in a name or password; percent-encode it (@ is %40)");
        }
        if authority.contains(['/', '?', '#']) {
            return Err("has a path, query or fragment");
        }
        check_authority(authority)?;
        let (host, port) = split_port(authority);
        let port = port.map_or(Ok(security.default_port()), |port| port.parse().map_err(|_| "has an invalid port"))?;
        let credentials = credentials.map(read_credentials).transpose()?;
        let host = host.trim_matches(['[', ']']).to_owned();
        check_port(security, port)?;
        Ok(Self { security, host, port, credentials })
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    let end_of_address = authority.rfind(']').map_or(0, |at| at + 1);
    match authority.rfind(':').filter(|at| *at >= end_of_address) {
        Some(at) => (authority.get(..at).unwrap_or_default(), authority.get(at + 1..)),
        None => (authority, None),
    }
}

fn read_credentials(text: &str) -> Result<(String, SecretString), &'static str> {
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "has a name or password that is not UTF-8")?;
        Some(decoded.into_owned()).filter(|text| !text.contains(char::is_control)).ok_or("has a control character")
    };
    let (user, password) = text.split_once(':').ok_or("has a user name without a password")?;
    let (user, password) = (decode(user)?, decode(password)?);
    if user.is_empty() || password.is_empty() {
        return Err("has an empty user name or password");
    }
    Ok((user, password.into()))
}

/// The two well-known ports speak different protocols first; with the wrong one, both sides wait for the other.
fn check_port(security: SmtpSecurity, port: u16) -> Result<(), &'static str> {
    match (security, port) {
        (SmtpSecurity::StartTls | SmtpSecurity::Plain, 465) => {
            Err("has port 465, where TLS begins at once: use smtps:// with it")
        }
        (SmtpSecurity::Tls, 587) => Err("has port 587, where TLS begins with STARTTLS: use smtp:// with it"),
        (SmtpSecurity::Tls, 25) => Err("has port 25, where TLS begins with STARTTLS: use smtp:// with it"),
        _ => Ok(()),
    }
}
