//! Rows of any table, for work on all tables: read in the order of their keys, a batch at a time, and inserted
//! unchanged.

use aws_lc_rs::digest::Context;
use diesel::connection::LoadConnection;
use diesel::deserialize::FromSql;
use diesel::row::Field;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
use diesel::{Connection, QueryResult, QueryableByName, RunQueryDsl, sql_query};

use crate::db::connection::Conn;

/// Rows to read and insert at once: with the largest rows (posts of 20,000 characters) about 40 MB.
pub(in crate::db) const BATCH: usize = 500;

/// The type of a column, limited to those of both back ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::db) enum Kind {
    Integer,
    Boolean,
    Text,
    Bytes,
}

/// A column's value.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::db) enum Value {
    Null,
    Integer(i64),
    Boolean(bool),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row's values, in the order of the table's columns.
pub(in crate::db) type Row = Vec<Value>;

#[derive(Clone, Debug)]
pub(in crate::db) struct Column {
    pub name: String,
    pub kind: Kind,
    pub is_key: bool,
}

#[derive(Clone, Debug)]
pub(in crate::db) struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// The column whose values come from a counter.
    pub counted: Option<String>,
}

type Backend = <Conn as Connection>::Backend;
type Query = diesel::query_builder::BoxedSqlQuery<'static, Backend, diesel::query_builder::SqlQuery>;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl Table {
    pub(in crate::db) fn count(&self, conn: &mut Conn) -> QueryResult<u64> {
        let rows: Vec<Count> = sql_query(format!("SELECT COUNT(*) AS count FROM \"{}\"", self.name)).load(conn)?;
        Ok(rows.into_iter().filter_map(|row| u64::try_from(row.count).ok()).sum())
    }

    /// The next rows after `last`, or the first ones, in the order of their keys.
    pub(in crate::db) fn read_after(&self, conn: &mut Conn, last: Option<&Row>) -> QueryResult<Vec<Row>> {
        let names = comma(self.columns.iter().map(|column| format!("\"{}\"", column.name)));
        let keys = comma(self.key(&self.columns).map(|column| sorted(conn, column)));
        let keys_before = last.map(|last| self.key(last).cloned().collect::<Vec<_>>()).unwrap_or_default();
        let condition = match keys_before.len() {
            0 => String::new(),
            count => format!("WHERE ({keys}) > ({})", comma((0..count).map(|place| bind_at(conn, place)))),
        };
        let table = &self.name;
        let statement = format!("SELECT {names} FROM \"{table}\" {condition} ORDER BY {keys} LIMIT {BATCH}");
        let kinds = self.key(&self.columns).map(|column| column.kind);
        let query = keys_before.into_iter().zip(kinds).fold(sql_query(statement).into_boxed(), bound);
        let mut rows = Vec::new();
        for row in LoadConnection::load(conn, query)? {
            rows.push(self.read(&row?)?);
        }
        Ok(rows)
    }

    pub(in crate::db) fn insert(&self, conn: &mut Conn, rows: Vec<Row>) -> QueryResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let names = comma(self.columns.iter().map(|column| format!("\"{}\"", column.name)));
        let width = self.columns.len();
        let one = |row: usize| comma((0..width).map(|place| bind_at(conn, row * width + place)));
        let all = comma((0..rows.len()).map(|row| format!("({})", one(row))));
        let statement = format!("INSERT INTO \"{}\" ({names}) VALUES {all}", self.name);
        let kinds = self.columns.iter().map(|column| column.kind).cycle();
        rows.into_iter().flatten().zip(kinds).fold(sql_query(statement).into_boxed(), bound).execute(conn)?;
        Ok(())
    }

    /// The first number in a row's key.
    pub(in crate::db) fn number(&self, row: &Row) -> Option<i64> {
        self.key(row).find_map(|value| if let Value::Integer(number) = value { Some(*number) } else { None })
    }

    /// Those of a row's values, or of the columns, that belong to the key.
    fn key<'r, T>(&'r self, row: &'r [T]) -> impl Iterator<Item = &'r T> {
        row.iter().zip(&self.columns).filter(|(_, column)| column.is_key).map(|(value, _)| value)
    }

    fn read<'r>(&self, row: &impl diesel::row::Row<'r, Backend>) -> QueryResult<Row> {
        let value = |(index, column): (usize, &Column)| {
            let field = row.get(index).ok_or(diesel::result::Error::NotFound)?;
            if field.is_null() {
                return Ok(Value::Null);
            }
            let raw = field.value();
            match column.kind {
                Kind::Integer => FromSql::<BigInt, Backend>::from_nullable_sql(raw).map(Value::Integer),
                Kind::Boolean => FromSql::<Bool, Backend>::from_nullable_sql(raw).map(Value::Boolean),
                Kind::Text => FromSql::<Text, Backend>::from_nullable_sql(raw).map(Value::Text),
                Kind::Bytes => FromSql::<Binary, Backend>::from_nullable_sql(raw).map(Value::Bytes),
            }
            .map_err(diesel::result::Error::DeserializationError)
        };
        self.columns.iter().enumerate().map(value).collect()
    }
}

impl Value {
    /// Adds the value to a checksum, in a form that is the same on both back ends and unique to the value.
    pub(in crate::db) fn digest(&self, sum: &mut Context) {
        match self {
            Self::Null => sum.update(b"n"),
            Self::Integer(number) => {
                sum.update(b"i");
                sum.update(&number.to_be_bytes());
            }
            Self::Boolean(flag) => sum.update(if *flag { b"t" } else { b"f" }),
            Self::Text(text) => digest_bytes(sum, b"s", text.as_bytes()),
            Self::Bytes(bytes) => digest_bytes(sum, b"b", bytes),
        }
    }
}

fn digest_bytes(sum: &mut Context, kind: &[u8], bytes: &[u8]) {
    sum.update(kind);
    sum.update(&bytes.len().to_be_bytes());
    sum.update(bytes);
}

fn bound(query: Query, (value, kind): (Value, Kind)) -> Query {
    match (value, kind) {
        (Value::Integer(number), _) => query.bind::<BigInt, _>(number),
        (Value::Boolean(flag), _) => query.bind::<Bool, _>(flag),
        (Value::Text(text), _) => query.bind::<Text, _>(text),
        (Value::Bytes(bytes), _) => query.bind::<Binary, _>(bytes),
        // PostgreSQL needs the type of a null.
        (Value::Null, Kind::Integer) => query.bind::<Nullable<BigInt>, _>(None::<i64>),
        (Value::Null, Kind::Boolean) => query.bind::<Nullable<Bool>, _>(None::<bool>),
        (Value::Null, Kind::Text) => query.bind::<Nullable<Text>, _>(None::<String>),
        (Value::Null, Kind::Bytes) => query.bind::<Nullable<Binary>, _>(None::<Vec<u8>>),
    }
}

/// The expression to sort a column by: texts byte by byte on both back ends, or the order of rows would differ.
fn sorted(conn: &Conn, column: &Column) -> String {
    match (conn, column.kind) {
        (Conn::Postgres(_), Kind::Text) => format!("\"{}\" COLLATE \"C\"", column.name),
        _ => format!("\"{}\"", column.name),
    }
}

/// The placeholder of a bound value. SQLite accepts `$1` too, but searches all earlier names for each.
fn bind_at(conn: &Conn, place: usize) -> String {
    match conn {
        Conn::Postgres(_) => format!("${}", place + 1),
        Conn::Sqlite(_) => "?".to_owned(),
    }
}

fn comma(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
