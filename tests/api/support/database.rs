//! The database of one test: made fresh, changed by hand where no route offers it, dropped at the end.

use std::env;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};

/// Set to a `postgres://` URL, each test gets a database of its own on that server.
const SERVER_VARIABLE: &str = "KEYFOB_TEST_DATABASE_URL";

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Where one test keeps its data.
pub enum Database {
    Sqlite(PathBuf),
    Postgres { server_url: String, name: String },
}

impl Database {
    /// An empty database, nothing migrated yet.
    pub fn fresh(folder: &Path) -> Self {
        let Ok(server_url) = env::var(SERVER_VARIABLE) else {
            return Self::Sqlite(folder.join("keyfob.db"));
        };
        let name = format!("keyfob_test_{}_{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run_on_postgres(&server_url, &format!("CREATE DATABASE {name}"));
        Self::Postgres { server_url, name }
    }

    /// What `database.url` is set to.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres { server_url, name } => on_server(server_url, name),
        }
    }

    /// What the start is expected to call it: the file, or the database.
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            Self::Postgres { name, .. } => name.clone(),
        }
    }

    /// Runs one statement beside the service.
    #[track_caller]
    pub fn execute(&self, statement: &str) {
        match self {
            Self::Sqlite(path) => {
                sql_query(statement).execute(&mut open(path)).expect("the statement");
            }
            Self::Postgres { server_url, name } => {
                run_on_postgres(&on_server(server_url, name), statement);
            }
        }
    }

    /// The text in the column `value` of the only row.
    #[track_caller]
    pub fn text(&self, query: &str) -> String {
        let rows: Vec<Row> = match self {
            Self::Sqlite(path) => sql_query(query).load(&mut open(path)).expect("the query"),
            Self::Postgres { server_url, name } => {
                let mut connection = PgConnection::establish(&on_server(server_url, name)).expect("PostgreSQL answers");
                sql_query(query).load(&mut connection).expect("the query")
            }
        };
        assert_eq!(rows.len(), 1, "one row: {query}");
        rows.into_iter().map(|row| row.value).collect()
    }

    /// Bytes as they stand in a statement.
    pub fn bytes(&self, bytes: &[u8]) -> String {
        let mut hex = String::new();
        for byte in bytes {
            write!(hex, "{byte:02x}").expect("a String takes everything");
        }
        match self {
            Self::Sqlite(_) => format!("X'{hex}'"),
            Self::Postgres { .. } => format!("'\\x{hex}'"),
        }
    }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    value: String,
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { server_url, name } = self {
            run_on_postgres(server_url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

#[track_caller]
fn open(path: &Path) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(&path.to_string_lossy()).expect("the file opens");
    sql_query("PRAGMA busy_timeout = 20000").execute(&mut connection).expect("a pragma");
    connection
}

#[track_caller]
fn run_on_postgres(url: &str, statement: &str) {
    let mut connection = PgConnection::establish(url).expect("PostgreSQL answers");
    sql_query(statement).execute(&mut connection).expect("the statement");
}

/// The same server, another database.
fn on_server(server_url: &str, name: &str) -> String {
    let (address, parameters) = match server_url.split_once('?') {
        Some((address, parameters)) => (address, format!("?{parameters}")),
        None => (server_url, String::new()),
    };
    let server = address.rsplit_once('/').filter(|(server, _)| server.contains("://") && !server.ends_with('/'));
    let server = server.map_or(address, |(server, _)| server);
    format!("{server}/{name}{parameters}")
}
