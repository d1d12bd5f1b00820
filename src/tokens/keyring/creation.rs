//! Makes signing keys: the first one, one on request, and one in place of a key that is old.

use super::KeyringError;
use crate::audit::{EventType, NewEvent, Source, insert_event};
use crate::config::{Algorithm, TokenSettings};
use crate::db::{Conn, Db, StoreError, Timestamp};
use crate::tokens::keys::{KeyError, KeyMaterial};
use crate::tokens::seal::Seal;
use crate::tokens::store::{self, KeyRow};

/// How long after it was made a key begins to sign, in seconds: by then every replica knows it.
const ROTATION_DELAY_SECONDS: u64 = 5;

/// Makes a new key of that algorithm, which begins to sign shortly, and returns its `kid`.
pub(crate) async fn rotate(
    settings: &TokenSettings,
    db: &Db,
    algorithm: Algorithm,
    source: Source,
    now: Timestamp,
) -> Result<String, KeyringError> {
    let row = new_row(settings, algorithm, now, now.plus_seconds(ROTATION_DELAY_SECONDS))?;
    let kid = row.kid.clone();
    db.write(move |conn| insert_next_key(conn, &row, &source)).await?;
    Ok(kid)
}

/// Makes a key at the first startup, and when `token.algorithm` has changed since the newest key was made. The first
/// key signs at once; a later one waits until every replica knows it.
pub(super) async fn ensure_key(settings: &TokenSettings, db: &Db, now: Timestamp) -> Result<(), KeyringError> {
    let algorithm = settings.algorithm.as_str();
    let is_first = db.read(store::list_keys).await?.is_empty();
    let signs_from = if is_first { now } else { now.plus_seconds(ROTATION_DELAY_SECONDS) };
    let is_wanted = move |newest: Option<&KeyRow>| newest.is_none_or(|key| key.configured_algorithm != algorithm);
    insert_if(db, is_wanted, || new_row(settings, settings.algorithm, now, signs_from)).await
}

/// Makes a key that signs shortly, unless another process has just done so.
pub(super) async fn replace_old_key(settings: &TokenSettings, db: &Db, now: Timestamp) -> Result<(), KeyringError> {
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
        match store::list_keys(conn)?.last() {
            newest if !is_wanted(newest) => Ok(()),
            None => store::insert_key(conn, &row),
            Some(_) => insert_next_key(conn, &row, &Source::service()),
        }
    })
    .await?;
    Ok(())
}

/// Inserts a key that follows another, and records it.
fn insert_next_key(conn: &mut Conn, row: &KeyRow, source: &Source) -> Result<(), StoreError> {
    store::insert_key(conn, row)?;
    let event = NewEvent::new(EventType::KeyRotated, source, row.created_at).with("kid", row.kid.as_str());
    insert_event(conn, &event.with("algorithm", row.algorithm.as_str()))
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
