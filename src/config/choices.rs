//! Settings whose value is a name.

use std::fmt;
use std::str::FromStr;

use super::error::{ConfigError, quoted};

/// The value of `KEYFOB_ENV`: it selects `config/{name}.toml`, and `production` turns on the strict checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Environment {
    /// `development`, also when `KEYFOB_ENV` is unset or empty.
    Development,
    /// `production`: unsafe settings stop startup.
    Production,
    /// Any other name; its file must exist.
    Other(String),
}

/// A signature algorithm of access tokens, spelt as in the JOSE registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDSA,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    ES256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    RS256,
    /// HMAC with SHA-256 (RFC 7518 §3.2): every party that can check a token can also issue one.
    HS256,
}

/// What happens to access tokens while revocations cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationFail {
    /// Tokens not known to be revoked are accepted.
    Open,
    /// Every token is refused.
    Closed,
}

/// Who may sign up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUpMode {
    /// Anyone.
    Open,
    /// Whoever has an invitation.
    Invited,
    /// Nobody: accounts are created by admins and from the command line.
    Closed,
}

impl Environment {
    /// The name, as in `KEYFOB_ENV` and in `config/{name}.toml`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Algorithm {
    const ALL: [Self; 4] = [Self::EdDSA, Self::ES256, Self::RS256, Self::HS256];
    pub(super) const EXPECTED: &str = "expected EdDSA, ES256, RS256 or HS256";

    /// The name in JWT headers and JWKs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EdDSA => "EdDSA",
            Self::ES256 => "ES256",
            Self::RS256 => "RS256",
            Self::HS256 => "HS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = ConfigError;

    /// Accepts only the exact spelling: `eddsa` is no algorithm in a JWT header either.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|algorithm| algorithm.as_str() == text);
        found.ok_or_else(|| {
            let fault = format!("{} is unknown; {}", quoted(text), Self::EXPECTED);
            ConfigError::new("algorithm", fault)
        })
    }
}

impl SignUpMode {
    pub(super) const ALL: [Self; 3] = [Self::Open, Self::Invited, Self::Closed];

    /// The name in the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invited => "invited",
            Self::Closed => "closed",
        }
    }
}

impl RevocationFail {
    /// The name in the settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}
