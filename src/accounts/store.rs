//! Accounts in the database.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};

use super::model::{Email, User};
use crate::db::schema::{deleted_users, email_keys_due, users};
use crate::db::{Conn, Id, StoreError, Timestamp, advance_sequence, execute_on_either, last_of_sequence, query};
use crate::passwords::formats::kind;

type Result<T> = std::result::Result<T, StoreError>;

/// Maximum number of kinds of hashes to list.
const MAX_KINDS: usize = 256;

/// An account as stored. Its `Debug` omits the hash.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = users)]
pub(crate) struct UserRow {
    pub id: Id,
    pub email: String,
    pub password_hash: String,
    pub full_name: Option<String>,
    pub is_active: bool,
    pub is_admin: bool,
    pub email_verified: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Counts the changes after which older one-time tokens are worthless.
    pub credential_epoch: i64,
}

/// An account to insert.
#[derive(Clone, Insertable)]
#[diesel(table_name = users)]
pub(crate) struct NewUser {
    pub email: String,
    pub email_key: String,
    pub password_hash: String,
    pub full_name: Option<String>,
    pub is_active: bool,
    pub is_admin: bool,
    pub email_verified: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// An account from another program, to insert; it may bring its id.
#[derive(Insertable)]
#[diesel(table_name = users)]
pub(crate) struct ImportedUser {
    pub id: Option<Id>,
    pub email: String,
    pub email_key: String,
    pub password_hash: String,
    pub full_name: Option<String>,
    pub is_active: bool,
    pub is_admin: bool,
    pub email_verified: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserRow").field("id", &self.id).finish_non_exhaustive()
    }
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id,
            email: row.email,
            full_name: row.full_name,
            is_active: row.is_active,
            is_admin: row.is_admin,
            email_verified: row.email_verified,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Inside a write: locks the row of a user until the write is done. On SQLite a write locks the whole database anyway.
pub(crate) fn lock_user(conn: &mut Conn, id: Id) -> Result<()> {
    if let Conn::Postgres(conn) = conn {
        users::table.find(id).select(users::id).for_update().execute(conn)?;
    }
    Ok(())
}

pub(crate) fn find_user(conn: &mut Conn, id: Id) -> Result<Option<UserRow>> {
    query::find(conn, users::table.find(id).select(query::columns_of::<UserRow>()))
}

/// Those of the accounts that exist.
pub(crate) fn list_users_by_id(conn: &mut Conn, ids: &[Id]) -> Result<Vec<(Id, UserRow)>> {
    let found = users::table.filter(users::id.eq_any(ids)).select(query::columns_of::<UserRow>());
    let rows: Vec<UserRow> = query::load(conn, found)?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// The id of the account with that address.
pub(crate) fn find_id_by_email_key(conn: &mut Conn, key: &str) -> Result<Option<Id>> {
    query::find(conn, users::table.filter(users::email_key.eq(key)).select(users::id))
}

pub(crate) fn find_user_by_email_key(conn: &mut Conn, key: &str) -> Result<Option<UserRow>> {
    query::find(conn, users::table.filter(users::email_key.eq(key)).select(query::columns_of::<UserRow>()))
}

/// Inserts a new account.
///
/// # Errors
/// [`StoreError::Taken`] when an account has that address.
pub(crate) fn insert_user(conn: &mut Conn, user: &NewUser) -> Result<UserRow> {
    // diesel 2.3: `as_returning` does not compile for two back ends, a tuple of columns does.
    let columns = (
        users::id,
        users::email,
        users::password_hash,
        users::full_name,
        users::is_active,
        users::is_admin,
        users::email_verified,
        users::created_at,
        users::updated_at,
        users::credential_epoch,
    );
    if user.is_admin {
        insert_first_admin(conn, user.created_at)?;
    }
    Ok(diesel::insert_into(users::table).values(user).returning(columns).get_result(conn)?)
}

/// Notes that there has been an admin. Returns false if that was known.
pub(super) fn insert_first_admin(conn: &mut Conn, now: Timestamp) -> Result<bool> {
    const STATEMENT: &str = "INSERT INTO first_admin (number, created_at) VALUES (1, $1) ON CONFLICT DO NOTHING";
    Ok(sql_query(STATEMENT).bind::<BigInt, _>(now).execute(conn)? == 1)
}

/// Inserts accounts from another program.
///
/// # Errors
/// [`StoreError::Taken`] when an account has one of the addresses or ids.
pub(crate) fn insert_imported(conn: &mut Conn, users: Vec<&ImportedUser>) -> Result<()> {
    if let Some(admin) = users.iter().find(|user| user.is_admin) {
        insert_first_admin(conn, admin.created_at)?;
    }
    execute_on_either(conn, diesel::insert_into(users::table).values(users))?;
    Ok(())
}

/// Those of the lookup keys that an account has.
pub(crate) fn list_taken_email_keys(conn: &mut Conn, keys: &[&str]) -> Result<Vec<String>> {
    Ok(users::table.filter(users::email_key.eq_any(keys)).select(users::email_key).load(conn)?)
}

/// The ids of the accounts with these lookup keys, and whether each is an admin.
pub(super) fn list_ids_and_rights(conn: &mut Conn, keys: &[&str]) -> Result<Vec<(Id, bool)>> {
    Ok(users::table.filter(users::email_key.eq_any(keys)).select((users::id, users::is_admin)).load(conn)?)
}

/// Those of the ids that an account has.
pub(crate) fn list_taken_ids(conn: &mut Conn, ids: &[Id]) -> Result<Vec<Id>> {
    Ok(users::table.filter(users::id.eq_any(ids)).select(users::id).load(conn)?)
}

/// Those of the ids that a deleted account had.
pub(crate) fn list_deleted_ids(conn: &mut Conn, ids: &[Id]) -> Result<Vec<Id>> {
    Ok(deleted_users::table.filter(deleted_users::id.eq_any(ids)).select(deleted_users::id).load(conn)?)
}

/// Whether there is an account, or ever was one.
pub(crate) fn has_had_users(conn: &mut Conn) -> Result<bool> {
    // Rows inserted by hand, with their own ids, do not advance PostgreSQL's sequence.
    let first: Option<Id> = users::table.select(users::id).first(conn).optional()?;
    Ok(first.is_some() || last_of_sequence(conn, "users", "id")? > 0)
}

/// Makes the next account's id greater than this one.
pub(crate) fn update_next_id(conn: &mut Conn, last: Id) -> Result<()> {
    advance_sequence(conn, "users", "id", last.get())
}

pub(crate) fn update_full_name(
    conn: &mut Conn,
    id: Id,
    full_name: Option<&str>,
    now: Timestamp,
) -> Result<Option<UserRow>> {
    let change = (users::full_name.eq(full_name), users::updated_at.eq(now));
    diesel::update(users::table.find(id)).set(change).execute(conn)?;
    find_user(conn, id)
}

/// Changes the password. Older one-time tokens of the account are worthless from then on.
pub(crate) fn update_password(conn: &mut Conn, id: Id, password_hash: &str, now: Timestamp) -> Result<()> {
    update_renewed_hash(conn, id, password_hash, now)?;
    end_tokens(conn, id)
}

/// Replaces the hash with another one of the same password.
pub(crate) fn update_renewed_hash(conn: &mut Conn, id: Id, password_hash: &str, now: Timestamp) -> Result<()> {
    let change = (users::password_hash.eq(password_hash), users::updated_at.eq(now));
    diesel::update(users::table.find(id)).set(change).execute(conn)?;
    Ok(())
}

/// Notes that the owner has proven to receive mail at the address.
pub(crate) fn update_email_verified(conn: &mut Conn, id: Id, now: Timestamp) -> Result<()> {
    let unproven = users::table.find(id).filter(users::email_verified.eq(false));
    diesel::update(unproven).set((users::email_verified.eq(true), users::updated_at.eq(now))).execute(conn)?;
    Ok(())
}

/// Gives an account another address, at which its owner has proven to receive mail. Older one-time tokens of the account
/// are worthless from then on.
///
/// # Errors
/// [`StoreError::Taken`] when another account has that address.
pub(crate) fn update_email(conn: &mut Conn, id: Id, email: &str, now: Timestamp) -> Result<()> {
    let change = (
        users::email.eq(email),
        users::email_key.eq(Email::key_of(email)),
        users::email_verified.eq(true),
        users::updated_at.eq(now),
    );
    diesel::update(users::table.find(id)).set(change).execute(conn)?;
    delete_due_email_key(conn, id)?;
    end_tokens(conn, id)
}

/// Makes all one-time tokens that an account has worthless, apart from those that undo a change of address.
pub(crate) fn end_tokens(conn: &mut Conn, id: Id) -> Result<()> {
    diesel::update(users::table.find(id)).set(users::credential_epoch.eq(users::credential_epoch + 1)).execute(conn)?;
    Ok(())
}

/// Deletes an account and, by its foreign key, its posts.
pub(crate) fn delete_user(conn: &mut Conn, id: Id) -> Result<()> {
    diesel::delete(users::table.find(id)).execute(conn)?;
    Ok(())
}

#[derive(QueryableByName)]
struct Hash {
    #[diesel(sql_type = Text)]
    password_hash: String,
}

/// One hash of each kind in use. Each takes one step in the index on how hashes begin (`users_kind_of_hash`).
pub(crate) fn list_kinds_of_hashes(conn: &mut Conn) -> Result<Vec<String>> {
    // The same expression as in the index, in byte order.
    let collation = if matches!(conn, Conn::Postgres(_)) { " COLLATE \"C\"" } else { "" };
    let begin = format!(
        "(CASE WHEN substr(password_hash, 1, 2) = '$2' THEN substr(password_hash, 1, 7) \
         ELSE substr(password_hash, 1, 64) END){collation}"
    );
    let next = format!("SELECT password_hash FROM users WHERE {begin} > $1 ORDER BY {begin} LIMIT 1");
    let (mut found, mut last) = (Vec::new(), String::new());
    while found.len() < MAX_KINDS
        && let Some(hash) = sql_query(&next).bind::<Text, _>(&last).get_result::<Hash>(conn).optional()?
    {
        // Skip all that begin alike.
        last = format!("{}{}", kind(&hash.password_hash), char::MAX);
        found.push(hash.password_hash);
    }
    Ok(found)
}

/// A batch of the accounts that share their address with an older one, or of those whose key is still to be updated.
pub(super) fn list_due_email_keys(conn: &mut Conn, is_shared: bool, limit: i64) -> Result<Vec<Id>> {
    let due = email_keys_due::table.filter(email_keys_due::is_shared.eq(is_shared)).order(email_keys_due::user_id);
    Ok(due.select(email_keys_due::user_id).limit(limit).load(conn)?)
}

pub(super) fn insert_shared_email_key(conn: &mut Conn, id: Id) -> Result<()> {
    let row = (email_keys_due::user_id.eq(id), email_keys_due::is_shared.eq(true));
    diesel::insert_into(email_keys_due::table).values(row).execute(conn)?;
    Ok(())
}

pub(super) fn delete_due_email_key(conn: &mut Conn, id: Id) -> Result<()> {
    diesel::delete(email_keys_due::table.find(id)).execute(conn)?;
    Ok(())
}

pub(super) fn update_email_key(conn: &mut Conn, id: Id, key: &str) -> Result<()> {
    diesel::update(users::table.find(id)).set(users::email_key.eq(key)).execute(conn)?;
    Ok(())
}
