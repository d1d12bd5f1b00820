//! The tables, read from the migrations, so that code for all tables need not list them.

use std::error::Error;

use diesel::sql_types::{BigInt, Bool, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::rows::{Column, Kind, Table};

/// Both back ends have the same tables; SQLite reports them more simply.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Tables and columns named `local_...` only have a meaning in their own database.
const COLUMNS: &str = "\
    SELECT t.name AS \"table\", t.sql LIKE '%AUTOINCREMENT%' AS is_counted, \
           c.name AS \"column\", upper(c.type) AS kind, c.pk AS key_place \
    FROM sqlite_master t, pragma_table_info(t.name) c \
    WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> '__diesel_schema_migrations' \
        AND t.name NOT LIKE 'local\\_%' ESCAPE '\\' AND c.name NOT LIKE 'local\\_%' ESCAPE '\\' \
    ORDER BY t.name, c.cid";

const REFERENCES: &str = "\
    SELECT t.name AS \"table\", r.\"table\" AS parent \
    FROM sqlite_master t, pragma_foreign_key_list(t.name) r WHERE t.type = 'table' AND r.\"table\" <> t.name";

type Failure = Box<dyn Error + Send + Sync>;

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Bool)]
    is_counted: bool,
    #[diesel(sql_type = Text)]
    column: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = BigInt)]
    key_place: i64,
}

#[derive(QueryableByName)]
struct Reference {
    #[diesel(sql_type = Text)]
    table: String,
    #[diesel(sql_type = Text)]
    parent: String,
}

/// All tables, each after those that its rows refer to.
pub(in crate::db) fn tables() -> Result<Vec<Table>, Failure> {
    let mut conn = SqliteConnection::establish(":memory:")?;
    conn.run_pending_migrations(MIGRATIONS)?;
    let mut tables: Vec<Table> = Vec::new();
    for row in sql_query(COLUMNS).load::<ColumnRow>(&mut conn)? {
        let column = column(&row)?;
        let counted = (row.is_counted && column.is_key).then(|| column.name.clone());
        match tables.last_mut() {
            Some(table) if table.name == row.table => {
                table.counted = table.counted.take().or(counted);
                table.columns.push(column);
            }
            _ => tables.push(Table { name: row.table, columns: vec![column], counted }),
        }
    }
    in_order(tables, &sql_query(REFERENCES).load(&mut conn)?)
}

fn column(row: &ColumnRow) -> Result<Column, Failure> {
    let kind = match row.kind.as_str() {
        "INTEGER" | "BIGINT" => Kind::Integer,
        "BOOLEAN" => Kind::Boolean,
        "TEXT" => Kind::Text,
        "BLOB" => Kind::Bytes,
        other => return Err(format!("{}.{} has the unknown type {other}", row.table, row.column).into()),
    };
    Ok(Column { name: row.column.clone(), kind, is_key: row.key_place > 0 })
}

fn in_order(mut waiting: Vec<Table>, references: &[Reference]) -> Result<Vec<Table>, Failure> {
    let mut ordered: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let is_ready = |table: &Table, waiting: &[Table]| {
            let mut parents = references.iter().filter(|reference| reference.table == table.name);
            !parents.any(|reference| waiting.iter().any(|other| other.name == reference.parent))
        };
        let (ready, rest) = waiting.iter().cloned().partition::<Vec<_>, _>(|table| is_ready(table, &waiting));
        if ready.is_empty() {
            return Err("tables refer to each other in a circle".into());
        }
        ordered.extend(ready);
        waiting = rest;
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_has_a_key_and_comes_after_those_it_refers_to() {
        let tables = tables().expect("types that are known");
        assert!(tables.iter().all(|table| table.columns.iter().any(|column| column.is_key)), "{tables:?}");
        let place = |name: &str| tables.iter().position(|table| table.name == name).expect("a table");
        assert!(place("users") < place("posts"));
        let counted = tables.iter().filter(|table| table.counted.as_deref() == Some("id"));
        let counted: Vec<&str> = counted.map(|table| table.name.as_str()).collect();
        assert!(["users", "posts", "sessions"].iter().all(|name| counted.contains(name)), "{counted:?}");
    }
}
