//! The current signing keys: configured, or shared by the replicas of a database.
//!
//! A new key is published as soon as a replica has seen it ([`RELOAD_SECONDS`]), and signs from
//! `ROTATION_DELAY_SECONDS` after it was made. Its predecessor is published and accepted until its last token has
//! expired: before a process signs with a key, it records with the key how long its tokens live.

mod creation;
mod refresh_key;
mod ring_key;

use std::sync::{Arc, PoisonError, RwLock};

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::access::AccessToken;
use super::inspect::Expected;
use super::jwt::{self, Refusal, check_times};
use super::keys::{KeyError, KeyMaterial};
use super::seal::is_sealed;
use super::store;
use super::verified::VerifiedTokens;
use crate::config::TokenSettings;
use crate::db::{Conn, Db, StoreError, Timestamp};
pub(crate) use creation::rotate;
use creation::{ensure_key, replace_old_key};
use refresh_key::REFRESH_KEY;
pub(crate) use refresh_key::refresh_key;
use ring_key::{RingKey, list_to_sign, read_keys};

/// How often a replica looks for new keys, in seconds.
pub(crate) const RELOAD_SECONDS: u64 = 2;

/// Why the keys could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyringError {
    #[error("{0}")]
    Key(#[from] KeyError),
    #[error("{0}")]
    File(String),
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// The keys, replaced as a whole when they change.
pub(crate) struct Keyring {
    settings: TokenSettings,
    keys: RwLock<Arc<Vec<RingKey>>>,
    verified: VerifiedTokens,
}

impl Keyring {
    /// Loads the keys; makes and stores the first one if there is none.
    pub(crate) async fn load(settings: &TokenSettings, db: &Db, now: Timestamp) -> Result<Self, KeyringError> {
        if !is_configured(settings) {
            ensure_key(settings, db, now).await?;
        }
        let keys = match configured(settings)? {
            Some(material) => vec![RingKey::new(&material, now, None, None)?],
            None => read_keys(settings, db, list_to_sign(settings, db, now).await?, now).await?,
        };
        Ok(Self::of(settings, keys))
    }

    /// Loads the keys as they are, makes none, and signs with none.
    pub(crate) async fn look(settings: &TokenSettings, db: &Db, now: Timestamp) -> Result<Self, KeyringError> {
        let keys = match configured(settings)? {
            Some(material) => vec![RingKey::new(&material, now, None, None)?],
            None => read_keys(settings, db, db.read(store::list_keys).await?, now).await?,
        };
        Ok(Self::of(settings, keys))
    }

    fn of(settings: &TokenSettings, keys: Vec<RingKey>) -> Self {
        let keys = RwLock::new(Arc::new(keys));
        Self { settings: settings.clone(), keys, verified: VerifiedTokens::default() }
    }

    /// Loads keys that another process has made. Makes one itself when the newest is due for rotation.
    pub(crate) async fn reload(&self, db: &Db, now: Timestamp) -> Result<(), KeyringError> {
        if is_configured(&self.settings) {
            return Ok(());
        }
        let days = u64::from(self.settings.key_rotation_days);
        let newest = self.snapshot().iter().map(|key| key.signs_from).max();
        if days > 0 && newest.is_some_and(|from| from.plus_seconds(days * 86400) <= now) {
            replace_old_key(&self.settings, db, now).await?;
        }
        let rows = db.read(store::list_keys).await?;
        let known = self.snapshot();
        let has_expired = known.iter().any(|key| !key.is_accepted(now));
        let kept = rows.iter().map(|row| (&row.kid, row.longest_ttl_seconds));
        if !has_expired && kept.eq(known.iter().map(|key| (&key.kid, key.longest_ttl_seconds))) {
            return Ok(());
        }
        let rows = list_to_sign(&self.settings, db, now).await?;
        let keys = read_keys(&self.settings, db, rows, now).await?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        self.verified.clear();
        Ok(())
    }

    /// Signs with the newest key that has begun to sign.
    pub(crate) fn sign(&self, token: &AccessToken, now: Timestamp) -> Result<String, KeyError> {
        let keys = self.snapshot();
        let key = keys.iter().rev().find(|key| key.signs_from <= now).or(keys.first());
        key.ok_or(KeyError::Unusable)?.jwt.sign(token)
    }

    /// Checks a token: signature and claims the first time, its times every time.
    pub(crate) fn check(&self, token: &str, now: Timestamp) -> Result<Arc<AccessToken>, Refusal> {
        let fingerprint = VerifiedTokens::fingerprint(token);
        if let Some(claims) = self.verified.find(&fingerprint) {
            check_times(&claims, now)?;
            return Ok(claims);
        }
        // Read the epoch before the keys, so that the keys are never older than it.
        let epoch = self.verified.epoch();
        let keys = self.snapshot();
        let find = |kid: &str| keys.iter().find(|key| key.kid == kid && key.is_accepted(now)).map(|key| &key.jwt);
        let claims = Arc::new(jwt::check(token, find, &self.settings.issuer, &self.settings.audience, now)?);
        self.verified.insert(fingerprint, Arc::clone(&claims), epoch);
        Ok(claims)
    }

    /// The public keys (RFC 7517 §5).
    pub(crate) fn jwks(&self, now: Timestamp) -> Value {
        let keys = self.snapshot();
        let published = keys.iter().filter(|key| key.is_accepted(now)).filter_map(|key| key.jwk.as_ref());
        json!({ "keys": published.collect::<Vec<_>>() })
    }

    /// What a valid token has, for [`inspect`](super::inspect::inspect).
    pub(crate) fn expected(&self, now: Timestamp) -> Expected {
        let keys = self.snapshot();
        let accepted = keys.iter().filter(|key| key.is_accepted(now));
        Expected {
            issuer: Some(self.settings.issuer.clone()),
            audience: Some(self.settings.audience.clone()),
            keys: accepted.map(|key| (key.kid.clone(), key.jwt.checking(key.algorithm))).collect(),
            source: "the configured service".to_owned(),
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<Vec<RingKey>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How many keys are stored unsealed in the database.
pub(crate) fn count_unsealed(conn: &mut Conn) -> Result<usize, StoreError> {
    let refresh = store::find_secret(conn, REFRESH_KEY)?;
    let keys = store::list_keys(conn)?.into_iter().map(|key| key.private_key);
    Ok(keys.chain(refresh).filter(|kept| !is_sealed(kept)).count())
}

/// Whether the key comes from the settings rather than the database.
pub(crate) fn is_configured(settings: &TokenSettings) -> bool {
    settings.secret.is_some() || settings.private_key_file.is_some()
}

fn configured(settings: &TokenSettings) -> Result<Option<KeyMaterial>, KeyringError> {
    if let Some(secret) = &settings.secret {
        let bytes = secret.expose_secret().as_bytes();
        return Ok(Some(KeyMaterial::from_bytes(settings.algorithm, bytes)?));
    }
    let Some(path) = &settings.private_key_file else { return Ok(None) };
    let named = |error: &dyn std::fmt::Display| {
        KeyringError::File(format!("token.private_key_file {}: {error}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
    KeyMaterial::from_pem(settings.algorithm, &text).map(Some).map_err(|error| named(&error))
}
