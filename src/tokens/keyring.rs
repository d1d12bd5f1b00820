//! The current signing keys: configured, or shared by the replicas of a database.
//!
//! A new key is published as soon as a replica has seen it ([`RELOAD_SECONDS`]), and signs from
//! [`ROTATION_DELAY_SECONDS`] after it was made. Its predecessor is published and accepted until its last token has
//! expired: before a process signs with a key, it records with the key how long its tokens live.

use std::sync::{Arc, PoisonError, RwLock};

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::access::AccessToken;
use super::inspect::Expected;
use super::jwt::{self, JwtKey, Refusal, check_times};
use super::keys::{KeyError, KeyMaterial};
use super::seal::{Seal, is_sealed};
use super::store::{self, KeyRow};
use super::verified::VerifiedTokens;
use crate::config::{Algorithm, TokenSettings};
use crate::db::{Conn, Db, StoreError, Timestamp};

/// How often a replica looks for new keys, in seconds.
pub(crate) const RELOAD_SECONDS: u64 = 2;
/// How long after it was made a key begins to sign, in seconds: by then every replica knows it.
const ROTATION_DELAY_SECONDS: u64 = 5;
/// How much longer than its last token a key is kept, in seconds.
const OVERLAP_SECONDS: u64 = 60;
/// Assumed lifetime of a key's tokens if none is recorded, in seconds.
const UNKNOWN_TTL_SECONDS: u64 = TokenSettings::MAX_ACCESS_TTL_SECONDS;
/// The name of the refresh tokens' key in the database.
const REFRESH_KEY: &str = "refresh-token-mac";

/// A key and when it is in use.
pub(crate) struct RingKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub signs_from: Timestamp,
    /// When it is no longer accepted; `None` if no key follows it.
    pub accepted_until: Option<Timestamp>,
    /// The longest recorded lifetime of the tokens that it has signed.
    longest_ttl_seconds: Option<i64>,
    pub jwk: Option<Value>,
    jwt: JwtKey,
}

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
            Some(material) => vec![ring_key(&material, now, None, None)?],
            None => read_keys(settings, db, list_to_sign(settings, db, now).await?, now).await?,
        };
        Ok(Self::of(settings, keys))
    }

    /// Loads the keys as they are, makes none, and signs with none.
    pub(crate) async fn look(settings: &TokenSettings, db: &Db, now: Timestamp) -> Result<Self, KeyringError> {
        let keys = match configured(settings)? {
            Some(material) => vec![ring_key(&material, now, None, None)?],
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
        // Read the epoch before the keys, so that the keys are never older than it.
        let epoch = self.verified.epoch();
        if let Some(claims) = self.verified.find(&fingerprint) {
            check_times(&claims, now)?;
            return Ok(claims);
        }
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

impl RingKey {
    fn is_accepted(&self, now: Timestamp) -> bool {
        self.accepted_until.is_none_or(|end| now < end)
    }
}

/// Makes a new key of that algorithm, which begins to sign shortly, and returns its `kid`.
pub(crate) async fn rotate(
    settings: &TokenSettings,
    db: &Db,
    algorithm: Algorithm,
    now: Timestamp,
) -> Result<String, KeyringError> {
    let row = new_row(settings, algorithm, now, now.plus_seconds(ROTATION_DELAY_SECONDS))?;
    let kid = row.kid.clone();
    db.write(move |conn| store::insert_key(conn, &row)).await?;
    Ok(kid)
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

/// The key of the refresh tokens, shared by all replicas. Makes and stores it if there is none.
pub(crate) async fn refresh_key(settings: &TokenSettings, db: &Db, now: Timestamp) -> Result<Vec<u8>, KeyringError> {
    let seal = Seal::new(settings.key_encryption_secret.as_ref())?;
    let fresh = KeyMaterial::generate(Algorithm::HS256)?;
    let closed = seal.close(REFRESH_KEY, fresh.to_bytes())?;
    let kept = db
        .write(move |conn| {
            // Of two concurrent processes, one inserts and the other finds.
            conn.wait_for_turn()?;
            match store::find_secret(conn, REFRESH_KEY)? {
                Some(value) => Ok(value),
                None => store::insert_secret(conn, REFRESH_KEY, &closed, now).map(|()| closed.clone()),
            }
        })
        .await?;
    let key = seal.open(REFRESH_KEY, &kept)?;
    if seal.wants_closing(&kept) {
        let closed = seal.close(REFRESH_KEY, &key)?;
        db.write(move |conn| store::update_secret(conn, REFRESH_KEY, &closed)).await?;
    }
    Ok(key)
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

/// Makes a key at the first startup, and when `token.algorithm` has changed since the newest key was made. The first
/// key signs at once; a later one waits until every replica knows it.
async fn ensure_key(settings: &TokenSettings, db: &Db, now: Timestamp) -> Result<(), KeyringError> {
    let algorithm = settings.algorithm.as_str();
    let is_first = db.read(store::list_keys).await?.is_empty();
    let signs_from = if is_first { now } else { now.plus_seconds(ROTATION_DELAY_SECONDS) };
    let is_wanted = move |newest: Option<&KeyRow>| newest.is_none_or(|key| key.configured_algorithm != algorithm);
    insert_if(db, is_wanted, || new_row(settings, settings.algorithm, now, signs_from)).await
}

/// Makes a key that signs shortly, unless another process has just done so.
async fn replace_old_key(settings: &TokenSettings, db: &Db, now: Timestamp) -> Result<(), KeyringError> {
    let oldest = now.minus_seconds(u64::from(settings.key_rotation_days) * 86400);
    let is_wanted = move |newest: Option<&KeyRow>| newest.is_none_or(|key| key.signs_from <= oldest);
    let signs_from = now.plus_seconds(ROTATION_DELAY_SECONDS);
    insert_if(db, is_wanted, || new_row(settings, settings.algorithm, now, signs_from)).await
}

/// Inserts a key if the newest one calls for it; checks this again under the lock.
async fn insert_if(
    db: &Db,
    is_wanted: impl Fn(Option<&KeyRow>) -> bool + Copy + Send + 'static,
    make: impl FnOnce() -> Result<KeyRow, KeyError>,
) -> Result<(), KeyringError> {
    if !is_wanted(db.read(store::list_keys).await?.last()) {
        return Ok(());
    }
    let row = make()?;
    db.write(move |conn| {
        conn.wait_for_turn()?;
        if is_wanted(store::list_keys(conn)?.last()) { store::insert_key(conn, &row) } else { Ok(()) }
    })
    .await?;
    Ok(())
}

fn new_row(
    settings: &TokenSettings,
    algorithm: Algorithm,
    now: Timestamp,
    signs_from: Timestamp,
) -> Result<KeyRow, KeyError> {
    let material = KeyMaterial::generate(algorithm)?;
    let kid = material.kid();
    let seal = Seal::new(settings.key_encryption_secret.as_ref())?;
    let private_key = seal.close(&kid, material.to_bytes())?;
    Ok(KeyRow {
        kid,
        algorithm: algorithm.as_str().into(),
        private_key,
        configured_algorithm: settings.algorithm.as_str().into(),
        created_at: now,
        signs_from,
        longest_ttl_seconds: Some(0),
    })
}

/// All keys, for a process that signs. Records how long its tokens live with each key that it may sign with from now
/// on.
async fn list_to_sign(settings: &TokenSettings, db: &Db, now: Timestamp) -> Result<Vec<KeyRow>, KeyringError> {
    let ttl_seconds = i64::try_from(settings.access_ttl_seconds).unwrap_or(i64::MAX);
    let mut rows = db.read(store::list_keys).await?;
    let next_signs_from: Vec<_> = rows.iter().skip(1).map(|next| Some(next.signs_from)).chain([None]).collect();
    let mut noted = Vec::new();
    for (row, next) in rows.iter_mut().zip(next_signs_from) {
        let is_short = row.longest_ttl_seconds.is_some_and(|longest| longest < ttl_seconds);
        if is_short && next.is_none_or(|from| now < from) {
            row.longest_ttl_seconds = Some(ttl_seconds);
            noted.push(row.kid.clone());
        }
    }
    if !noted.is_empty() {
        db.write(move |conn| noted.iter().try_for_each(|kid| store::update_longest_ttl(conn, kid, ttl_seconds)))
            .await?;
    }
    Ok(rows)
}

async fn read_keys(
    settings: &TokenSettings,
    db: &Db,
    rows: Vec<KeyRow>,
    now: Timestamp,
) -> Result<Vec<RingKey>, KeyringError> {
    let seal = Seal::new(settings.key_encryption_secret.as_ref())?;
    let mut keys = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let accepted_until = rows.get(at + 1).map(|next| next.signs_from.plus_seconds(overlap_seconds(row)));
        if accepted_until.is_some_and(|end| end <= now) {
            let row = row.clone();
            db.write(move |conn| store::delete_key(conn, &row)).await?;
            continue;
        }
        let algorithm = row.algorithm.parse().map_err(|_| KeyError::Damaged)?;
        let bytes = seal.open(&row.kid, &row.private_key)?;
        if seal.wants_closing(&row.private_key) {
            let (kid, closed) = (row.kid.clone(), seal.close(&row.kid, &bytes)?);
            db.write(move |conn| store::update_private_key(conn, &kid, &closed)).await?;
        }
        let material = KeyMaterial::from_bytes(algorithm, &bytes)?;
        keys.push(ring_key(&material, row.signs_from, accepted_until, row.longest_ttl_seconds)?);
    }
    Ok(keys)
}

/// How long a key is accepted after its successor has begun to sign.
fn overlap_seconds(key: &KeyRow) -> u64 {
    let longest = key.longest_ttl_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    longest.unwrap_or(UNKNOWN_TTL_SECONDS).saturating_add(OVERLAP_SECONDS)
}

fn ring_key(
    material: &KeyMaterial,
    signs_from: Timestamp,
    accepted_until: Option<Timestamp>,
    longest_ttl_seconds: Option<i64>,
) -> Result<RingKey, KeyError> {
    let kid = material.kid();
    let (jwk, jwt) = (material.jwk(&kid), JwtKey::new(&kid, material)?);
    Ok(RingKey { kid, algorithm: material.algorithm(), signs_from, accepted_until, longest_ttl_seconds, jwk, jwt })
}
