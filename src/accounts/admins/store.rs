//! Accounts in the database, as admins list and change them.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use crate::accounts::store::{UserRow, find_user, insert_first_admin};
use crate::db::page::Page;
use crate::db::schema::{first_admin, users};
use crate::db::{Conn, Id, StoreError, Timestamp, execute_on_either, query};

type Result<T> = std::result::Result<T, StoreError>;

/// Accounts that one statement of a search looks at.
const WINDOW: i64 = 5_000;

/// A part of e-mail addresses.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// As it stands in the keys that accounts are looked up by.
    pub of_key: String,
    /// As it was typed: a domain beyond ASCII has another form in the key.
    pub of_address: String,
}

/// The settable columns of an account.
#[derive(AsChangeset)]
#[diesel(table_name = users, treat_none_as_null = true)]
pub(crate) struct UserChange {
    pub full_name: Option<String>,
    pub is_active: bool,
    pub is_admin: bool,
    pub email_verified: bool,
    pub credential_epoch: i64,
    pub updated_at: Timestamp,
}

/// Inside a write: locks the active admins until the write is done, and returns their ids. Every write locks them in that
/// order, so that no two wait for each other. On SQLite a write locks the whole database anyway.
pub(super) fn lock_active_admins(conn: &mut Conn) -> Result<Vec<Id>> {
    // In the words of its index.
    let admins = users::table.filter(sql::<Bool>("is_admin AND is_active")).order(users::id).select(users::id);
    Ok(match conn {
        Conn::Postgres(conn) => admins.for_update().load(conn)?,
        Conn::Sqlite(conn) => admins.load(conn)?,
    })
}

/// Whether there is an admin, active or not, or ever was one.
pub(crate) fn has_had_admin(conn: &mut Conn) -> Result<bool> {
    let mark: Option<i64> = first_admin::table.select(first_admin::number).first(conn).optional()?;
    // One that was made by hand has left no mark.
    let admin: Option<Id> = users::table.filter(users::is_admin).select(users::id).first(conn).optional()?;
    Ok(mark.is_some() || admin.is_some())
}

/// Inside a write: notes that there has been an admin. Returns whether this write is the first to say so.
pub(crate) fn claim_first_admin(conn: &mut Conn, now: Timestamp) -> Result<bool> {
    insert_first_admin(conn, now)
}

/// A page of all accounts, oldest first, plus one more if there is a next page.
pub(crate) fn list_users(conn: &mut Conn, page: Page) -> Result<Vec<UserRow>> {
    let after = page.after.map_or(0, Id::get);
    let oldest_first = users::table.filter(users::id.gt(after)).order(users::id).limit(page.limit + 1);
    query::load(conn, oldest_first.select(query::columns_of::<UserRow>()))
}

/// The first accounts of a window whose address has that part, oldest first, and where the next window begins, if there is
/// one. No index finds a part of a text, and a search must not occupy the database for long: so it goes step by step.
pub(crate) fn search_users(conn: &mut Conn, part: &Part, page: Page) -> Result<(Vec<UserRow>, Option<Id>)> {
    let after = page.after.map_or(0, Id::get);
    let later = users::table.filter(users::id.gt(after)).order(users::id);
    let last: Option<Id> = query::find(conn, later.select(users::id).offset(WINDOW - 1).limit(1))?;
    let position = if matches!(conn, Conn::Postgres(_)) { "strpos" } else { "instr" };
    let has_part = sql::<Bool>(&format!("({position}(email_key, "))
        .bind::<Text, _>(part.of_key.clone())
        .sql(&format!(") > 0 OR {position}(email, "))
        .bind::<Text, _>(part.of_address.clone())
        .sql(") > 0)");
    let found = later
        .filter(users::id.le(last.unwrap_or(Id::MAX)))
        .filter(has_part)
        .limit(page.limit + 1)
        .select(query::columns_of::<UserRow>());
    Ok((query::load(conn, found)?, last))
}

/// Changes an account. If that takes rights away, the epoch must be a new one.
pub(crate) fn update_user(conn: &mut Conn, id: Id, change: &UserChange) -> Result<Option<UserRow>> {
    if change.is_admin {
        insert_first_admin(conn, change.updated_at)?;
    }
    execute_on_either(conn, diesel::update(users::table.find(id)).set(change))?;
    find_user(conn, id)
}
