//! The claims of an access token (RFC 9068 §2.2).

use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::scope::ScopeSet;
use crate::db::Id;

/// The claims of an access token. Only `nbf` and `gen` are optional.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessToken {
    /// Who issued it: `token.issuer`.
    pub iss: String,
    /// The account it speaks for.
    #[serde(rename = "sub", serialize_with = "as_text", deserialize_with = "from_text")]
    pub user_id: Id,
    /// The audience: `token.audience`, possibly among others.
    pub aud: Audience,
    /// When it expires, in seconds since the Unix epoch.
    #[serde(rename = "exp")]
    pub expires_at: i64,
    /// It is not valid before this time, in seconds since the Unix epoch; ours have none.
    #[serde(rename = "nbf", default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<i64>,
    /// When it was issued, in seconds since the Unix epoch.
    #[serde(rename = "iat")]
    pub issued_at: i64,
    /// Its own id: 128 random bits.
    #[serde(rename = "jti")]
    pub token_id: String,
    /// The client it was issued to.
    pub client_id: String,
    /// What it may be used for.
    pub scope: ScopeSet,
    /// The session it belongs to.
    #[serde(rename = "sid", serialize_with = "as_text", deserialize_with = "from_text")]
    pub session_id: Id,
    /// The number, within the session, of the refresh token that was issued with it.
    #[serde(rename = "gen", default)]
    pub generation: i64,
}

/// One audience or several (RFC 7519 §4.1.3).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Audience {
    /// Whether it contains that audience.
    #[must_use]
    pub fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

fn as_text<S: Serializer>(id: &Id, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
    let text = String::deserialize(deserializer)?;
    Id::parse(&text).ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"an id in decimal digits"))
}
