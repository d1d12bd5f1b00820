//! Reads the signing keys of the database, with the times at which each is in use.

use serde_json::Value;

use super::KeyringError;
use crate::config::{Algorithm, TokenSettings};
use crate::db::{Db, Timestamp};
use crate::tokens::jwt::JwtKey;
use crate::tokens::keys::{KeyError, KeyMaterial};
use crate::tokens::seal::Seal;
use crate::tokens::store::{self, KeyRow};

/// How much longer than its last token a key is kept, in seconds.
const OVERLAP_SECONDS: u64 = 60;
/// Assumed lifetime of a key's tokens if none is recorded, in seconds.
const UNKNOWN_TTL_SECONDS: u64 = TokenSettings::MAX_ACCESS_TTL_SECONDS;

/// A key and when it is in use.
pub(crate) struct RingKey {
    pub kid: String,
    pub algorithm: Algorithm,
    pub signs_from: Timestamp,
    /// When it is no longer accepted; `None` if no key follows it.
    pub accepted_until: Option<Timestamp>,
    /// The longest recorded lifetime of the tokens that it has signed.
    pub(super) longest_ttl_seconds: Option<i64>,
    pub jwk: Option<Value>,
    pub(super) jwt: JwtKey,
}

impl RingKey {
    pub(super) fn new(
        material: &KeyMaterial,
        signs_from: Timestamp,
        accepted_until: Option<Timestamp>,
        longest_ttl_seconds: Option<i64>,
    ) -> Result<Self, KeyError> {
        let kid = material.kid();
        let (jwk, jwt) = (material.jwk(&kid), JwtKey::new(&kid, material)?);
        Ok(Self { kid, algorithm: material.algorithm(), signs_from, accepted_until, longest_ttl_seconds, jwk, jwt })
    }

    pub(super) fn is_accepted(&self, now: Timestamp) -> bool {
        self.accepted_until.is_none_or(|end| now < end)
    }
}

/// All keys, for a process that signs. Records how long its tokens live with each key that it may sign with from now
/// on.
pub(super) async fn list_to_sign(
    settings: &TokenSettings,
    db: &Db,
    now: Timestamp,
) -> Result<Vec<KeyRow>, KeyringError> {
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

pub(super) async fn read_keys(
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
        keys.push(RingKey::new(&material, row.signs_from, accepted_until, row.longest_ttl_seconds)?);
    }
    Ok(keys)
}

/// How long a key is accepted after its successor has begun to sign.
fn overlap_seconds(key: &KeyRow) -> u64 {
    let longest = key.longest_ttl_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    longest.unwrap_or(UNKNOWN_TTL_SECONDS).saturating_add(OVERLAP_SECONDS)
}
