//! Registered OAuth clients (RFC 6749 §2): what they may do, and how they prove who they are.

pub(crate) mod store;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

use crate::config::TokenSettings;
use crate::db::{Conn, Db, StoreError};
use crate::tokens::keys::{KeyError, random_bytes};
use crate::tokens::scope::ScopeSet;
use store::ClientRow;

/// The public client that every Keyfob has, for first-party apps.
pub(crate) const BUILTIN_CLIENT: &str = "keyfob";
/// Marks a client secret, so that a hash is not mistaken for one.
const SECRET_PREFIX: &str = "kfs_";

/// A grant that a client may use at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    Password,
    RefreshToken,
}

impl Grant {
    pub(crate) const ALL: [Grant; 2] = [Grant::Password, Grant::RefreshToken];

    /// The `grant_type` (RFC 6749 §4.3.2, §6).
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text)
    }
}

/// A client whose identity was checked.
#[derive(Clone)]
pub(crate) struct Client {
    pub id: String,
    pub is_public: bool,
    /// The hash that its secret was compared with.
    secret_hash: Option<Vec<u8>>,
    pub grants: Vec<Grant>,
    /// The scopes that it may have; `None`: all.
    scopes: Option<ScopeSet>,
    pub access_ttl_seconds: Option<u64>,
    pub refresh_ttl_seconds: Option<u64>,
}

/// Why a client may not complete what it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientError {
    /// It was removed, or its secret was changed.
    Unknown,
    /// It may no longer use the grant.
    NotAllowed,
}

impl Client {
    /// The client with that id, if the secret matches.
    pub(crate) async fn find(
        id: &str,
        secret: Option<&SecretString>,
        db: &Db,
        settings: &TokenSettings,
    ) -> Result<Option<Self>, StoreError> {
        if id == BUILTIN_CLIENT {
            let is_good = settings.builtin_client && secret.is_none();
            return Ok(is_good.then(Self::builtin));
        }
        let id = id.to_owned();
        let found = if is_client_text(&id) { db.read(move |conn| store::find_client(conn, &id)).await? } else { None };
        let proves = |row: &ClientRow| match (&row.secret_hash, secret) {
            (None, None) => true,
            (Some(hash), Some(secret)) => {
                let presented = digest(&SHA256, secret.expose_secret().as_bytes());
                verify_slices_are_equal(presented.as_ref(), hash).is_ok()
            }
            _ => false,
        };
        Ok(found.filter(proves).map(Self::from))
    }

    pub(crate) fn allows(&self, grant: Grant) -> bool {
        self.grants.contains(&grant)
    }

    /// Those of a user's scopes that the client may have too.
    pub(crate) fn may_have(&self, of_user: &ScopeSet) -> ScopeSet {
        self.scopes.as_ref().map_or_else(|| of_user.clone(), |scopes| of_user.intersection(scopes))
    }

    /// Reads the client again inside a write, and keeps it unchanged until the write ends: its rights may have been
    /// withdrawn since it was checked.
    pub(crate) fn look_again(&self, conn: &mut Conn, grant: Grant) -> Result<Result<Self, ClientError>, StoreError> {
        if self.id == BUILTIN_CLIENT {
            return Ok(Ok(self.clone()));
        }
        let row = store::find_client_and_keep(conn, &self.id)?.filter(|row| row.secret_hash == self.secret_hash);
        let Some(client) = row.map(Self::from) else { return Ok(Err(ClientError::Unknown)) };
        Ok(if client.allows(grant) { Ok(client) } else { Err(ClientError::NotAllowed) })
    }

    fn builtin() -> Self {
        Self {
            id: BUILTIN_CLIENT.into(),
            is_public: true,
            secret_hash: None,
            grants: Grant::ALL.to_vec(),
            scopes: None,
            access_ttl_seconds: None,
            refresh_ttl_seconds: None,
        }
    }
}

impl From<ClientRow> for Client {
    fn from(row: ClientRow) -> Self {
        Self {
            is_public: row.secret_hash.is_none(),
            secret_hash: row.secret_hash,
            grants: row.grants.split(' ').filter_map(Grant::parse).collect(),
            scopes: row.scopes.map(ScopeSet::stored),
            access_ttl_seconds: row.access_ttl_seconds.and_then(|seconds| u64::try_from(seconds).ok()),
            refresh_ttl_seconds: row.refresh_ttl_seconds.and_then(|seconds| u64::try_from(seconds).ok()),
            id: row.id,
        }
    }
}

/// A new client secret (256 random bits) and the hash to store.
pub(crate) fn new_secret() -> Result<(String, Vec<u8>), KeyError> {
    let secret = format!("{SECRET_PREFIX}{}", URL_SAFE_NO_PAD.encode(random_bytes::<32>()?));
    let hash = digest(&SHA256, secret.as_bytes()).as_ref().to_vec();
    Ok((secret, hash))
}

/// Whether a text has only the characters of client ids: those that are the same raw, form-encoded and in a URL.
pub(crate) fn is_client_text(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}
