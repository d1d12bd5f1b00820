//! Clients in the database.

use diesel::prelude::*;

use crate::db::schema::clients;
use crate::db::{Conn, StoreError, Timestamp, query};

type Result<T> = std::result::Result<T, StoreError>;

/// A registered client.
#[derive(Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = clients)]
pub(crate) struct ClientRow {
    pub id: String,
    pub secret_hash: Option<Vec<u8>>,
    pub grants: String,
    pub scopes: Option<String>,
    pub access_ttl_seconds: Option<i64>,
    pub refresh_ttl_seconds: Option<i64>,
    pub created_at: Timestamp,
}

pub(crate) fn find_client(conn: &mut Conn, id: &str) -> Result<Option<ClientRow>> {
    query::find(conn, clients::table.find(id).select(query::columns_of::<ClientRow>()))
}

/// Finds a client and locks it against removal and changes until this write is done. On SQLite a write locks the whole
/// database anyway.
pub(crate) fn find_client_and_keep(conn: &mut Conn, id: &str) -> Result<Option<ClientRow>> {
    let client = clients::table.find(id).select(query::columns_of::<ClientRow>());
    Ok(match conn {
        Conn::Postgres(conn) => client.for_share().get_result(conn).optional()?,
        Conn::Sqlite(conn) => client.get_result(conn).optional()?,
    })
}

pub(crate) fn list_clients(conn: &mut Conn) -> Result<Vec<ClientRow>> {
    Ok(clients::table.order(clients::id).select(ClientRow::as_select()).load(conn)?)
}

pub(crate) fn insert_client(conn: &mut Conn, client: &ClientRow) -> Result<()> {
    diesel::insert_into(clients::table).values(client).execute(conn)?;
    Ok(())
}

/// Removes a client; a trigger ends its sessions.
pub(crate) fn delete_client(conn: &mut Conn, id: &str) -> Result<bool> {
    Ok(diesel::delete(clients::table.find(id)).execute(conn)? == 1)
}
