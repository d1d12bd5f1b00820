//! Opens a session on PostgreSQL.

use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, PgConnection, RunQueryDsl};
use secrecy::{ExposeSecret, SecretString};

use crate::config::PostgresUrl;
use crate::db::connection::Conn;

/// The server stops a PostgreSQL statement after this time.
pub(in crate::db) const STATEMENT_SECONDS: u64 = 10;

/// The same for a read replica, in whose place the primary can answer.
pub(in crate::db) const REPLICA_SECONDS: u64 = 1;

/// The settings of every PostgreSQL session, beside the time for a statement.
///
/// A prepared statement is planned once: otherwise PostgreSQL plans pages of a large table again at each request. So every
/// statement must find its rows by an index whatever its values are (`tests/plans.rs`).
const POSTGRES_SETTINGS: &str = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'; \
                                 SET TIME ZONE 'UTC'; SET plan_cache_mode = force_generic_plan;";

/// Parameters for libpq unless the URL sets them: give up on a server that does not respond, and notice one that died.
const POSTGRES_PARAMETERS: [(&str, &str); 6] = [
    ("connect_timeout", "5"),
    ("keepalives_idle", "20"),
    ("keepalives_interval", "5"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "15000"),
    ("application_name", "keyfob"),
];

#[derive(diesel::QueryableByName)]
struct Encoding {
    #[diesel(sql_type = diesel::sql_types::Text)]
    encoding: String,
}

/// Returns [`ConnectionError::InvalidConnectionUrl`] for failures that a retry cannot fix.
pub(in crate::db) fn open_postgres(text: &SecretString, is_replica: bool) -> Result<Conn, ConnectionError> {
    // Check again, wherever the URL came from: libpq's messages would show the password of a URL that it cannot parse.
    let url = PostgresUrl::parse(text.expose_secret())
        .map_err(|fault| ConnectionError::InvalidConnectionUrl(format!("the URL {fault}")))?;
    let url = url.with_parameters(text.expose_secret(), &POSTGRES_PARAMETERS);
    start_openssl();
    let mut conn = PgConnection::establish(&url).map_err(with_remedy)?;
    let seconds = if is_replica { REPLICA_SECONDS } else { STATEMENT_SECONDS };
    let mut settings = format!("SET statement_timeout = '{seconds}s'; {POSTGRES_SETTINGS}");
    if is_replica {
        // Even if the URL is that of a primary, or the standby was promoted.
        settings.push_str("SET default_transaction_read_only = on;");
    }
    conn.batch_execute(&settings).map_err(ConnectionError::CouldntSetupConfiguration)?;
    require_utf8(&mut conn)?;
    Ok(Conn::Postgres(conn))
}

/// Starts OpenSSL so that it does not clean up when the process exits. libpq would have it clean up, also beneath a pool's
/// thread that is opening a connection: the process would crash.
fn start_openssl() {
    #[cfg(feature = "postgres-tls")]
    openssl_sys::init();
}

/// In another encoding PostgreSQL would refuse, in the middle of a request, text that the encoding has no characters
/// for.
fn require_utf8(conn: &mut PgConnection) -> Result<(), ConnectionError> {
    let query = diesel::sql_query("SELECT current_setting('server_encoding') AS encoding");
    let found = query.get_result::<Encoding>(conn).map_err(ConnectionError::CouldntSetupConfiguration)?;
    match found.encoding.as_str() {
        // The second is how engines other than PostgreSQL may spell it.
        "UTF8" | "UTF-8" => Ok(()),
        other => Err(ConnectionError::InvalidConnectionUrl(format!(
            "the database encoding is {other}, but UTF8 is required; create another database with \
             `createdb --encoding=UTF8 --locale=C --template=template0 NAME`, and take over what this one holds with \
             pg_dump and pg_restore"
        ))),
    }
}

/// Adds the remedy if TLS is required and not built in. The settings refuse a URL that requires it, so libpq got the
/// requirement in another way.
fn with_remedy(error: ConnectionError) -> ConnectionError {
    match error {
        ConnectionError::BadConnection(cause) if cause.contains("SSL support is not compiled in") => {
            let remedy = "set by PGSSLMODE or a service file: change it there, or build with `--features postgres-tls`";
            ConnectionError::BadConnection(format!("{}; {remedy}", cause.trim_end()))
        }
        error => error,
    }
}
