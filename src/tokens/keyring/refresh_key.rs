//! The key of the refresh tokens.

use super::KeyringError;
use crate::config::{Algorithm, TokenSettings};
use crate::db::{Db, Timestamp};
use crate::tokens::keys::KeyMaterial;
use crate::tokens::seal::Seal;
use crate::tokens::store;

/// The name of the refresh tokens' key in the database.
pub(super) const REFRESH_KEY: &str = "refresh-token-mac";

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
