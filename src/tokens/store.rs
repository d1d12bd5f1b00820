//! Signing keys and secrets in the database.

use diesel::prelude::*;

use crate::db::schema::{server_secrets, signing_keys};
use crate::db::{Conn, StoreError, Timestamp, execute_on_either, query};

type Result<T> = std::result::Result<T, StoreError>;

/// A signing key as stored.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = signing_keys)]
pub(crate) struct KeyRow {
    pub kid: String,
    pub algorithm: String,
    pub private_key: String,
    pub configured_algorithm: String,
    pub created_at: Timestamp,
    pub signs_from: Timestamp,
    /// The longest lifetime of the tokens that it has signed; `None`: unknown.
    pub longest_ttl_seconds: Option<i64>,
}

/// All keys, in the order in which they begin to sign.
pub(crate) fn list_keys(conn: &mut Conn) -> Result<Vec<KeyRow>> {
    let order = (signing_keys::signs_from, signing_keys::created_at, signing_keys::kid);
    Ok(signing_keys::table.order(order).select(KeyRow::as_select()).load(conn)?)
}

pub(crate) fn insert_key(conn: &mut Conn, key: &KeyRow) -> Result<()> {
    diesel::insert_into(signing_keys::table).values(key).execute(conn)?;
    Ok(())
}

pub(crate) fn update_private_key(conn: &mut Conn, kid: &str, private_key: &str) -> Result<()> {
    diesel::update(signing_keys::table.find(kid)).set(signing_keys::private_key.eq(private_key)).execute(conn)?;
    Ok(())
}

/// Raises the recorded lifetime of a key's tokens; an unknown one stays unknown.
pub(crate) fn update_longest_ttl(conn: &mut Conn, kid: &str, ttl_seconds: i64) -> Result<()> {
    let shorter = signing_keys::table.find(kid).filter(signing_keys::longest_ttl_seconds.lt(ttl_seconds));
    execute_on_either(conn, diesel::update(shorter).set(signing_keys::longest_ttl_seconds.eq(ttl_seconds)))?;
    Ok(())
}

/// Deletes a key, unless a longer lifetime of its tokens was recorded meanwhile.
pub(crate) fn delete_key(conn: &mut Conn, key: &KeyRow) -> Result<()> {
    let row = signing_keys::table.find(&key.kid);
    match key.longest_ttl_seconds {
        Some(seen) => diesel::delete(row.filter(signing_keys::longest_ttl_seconds.eq(seen))).execute(conn)?,
        None => diesel::delete(row.filter(signing_keys::longest_ttl_seconds.is_null())).execute(conn)?,
    };
    Ok(())
}

pub(crate) fn find_secret(conn: &mut Conn, name: &str) -> Result<Option<String>> {
    query::find(conn, server_secrets::table.find(name).select(server_secrets::value))
}

pub(crate) fn insert_secret(conn: &mut Conn, name: &str, value: &str, now: Timestamp) -> Result<()> {
    let row = (server_secrets::name.eq(name), server_secrets::value.eq(value), server_secrets::created_at.eq(now));
    diesel::insert_into(server_secrets::table).values(row).execute(conn)?;
    Ok(())
}

pub(crate) fn update_secret(conn: &mut Conn, name: &str, value: &str) -> Result<()> {
    diesel::update(server_secrets::table.find(name)).set(server_secrets::value.eq(value)).execute(conn)?;
    Ok(())
}
