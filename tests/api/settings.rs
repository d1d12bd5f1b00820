//! Contract, "Configuration": the layers, and what a wrong value says.

use std::net::TcpListener;
use std::sync::Arc;

use crate::support::{Home, SECRET, Server, decode};

/// The lifetime of access tokens that a server started here gives, in seconds.
fn lifetime(home: Home) -> i64 {
    let server = Server::at(Arc::new(home));
    let bob = server.sign_up("bob@example.com");
    bob.grant["expires_in"].as_i64().expect("a number")
}

/// Surroundings in which each layer up to this one sets the lifetime to a value of its own.
fn layered(count: usize) -> Home {
    let mut home = Home::new();
    if count > 0 {
        home.set_variable("KEYFOB_ENV", "staging");
        home.write("config/staging.toml", "[token]\naccess_ttl_seconds = 101\n");
    }
    if count > 1 {
        home.write(".env", "# a comment\nKEYFOB__TOKEN__ACCESS_TTL_SECONDS=102\n");
    }
    if count > 2 {
        home.set("token.access_ttl_seconds", "103");
    }
    home
}

#[test]
fn each_layer_of_settings_overrides_those_before_it() {
    for (count, expected) in [(0, 900), (1, 101), (2, 102), (3, 103)] {
        assert_eq!(lifetime(layered(count)), expected, "{count} layers");
    }
}

#[test]
fn a_wrong_value_stops_the_start_with_one_line_that_names_the_key() {
    for (key, value) in [
        ("server.bind", "nonsense"),
        ("server.bind", "127.0.0.1:99999"),
        ("server.workers", "-1"),
        ("server.workers", "many"),
        ("server.max_body_bytes", "-1"),
        ("server.max_body_bytes", "big"),
        ("database.url", "mysql://localhost/keyfob"),
        ("database.url", ""),
        ("token.algorithm", "none"),
        ("token.algorithm", "HS1"),
        ("token.issuer", "not a url"),
        ("token.issuer", ""),
        ("token.audience", ""),
        ("token.access_ttl_seconds", "0"),
        ("token.access_ttl_seconds", "-5"),
        ("token.access_ttl_seconds", "soon"),
        ("token.access_ttl_seconds", "1.5"),
        ("token.refresh_ttl_seconds", "x"),
        ("password.min_score", "5"),
        ("password.min_score", "strong"),
        ("password.breached_file", "none.txt"),
        ("password.bcrypt_cost", "3"),
        ("password.bcrypt_cost", "32"),
        ("password.bcrypt_cost", "abc"),
        ("rate_limit.enabled", "perhaps"),
    ] {
        let line = Home::with(&[(key, value)]).run(&[], "").expect_failure();
        assert!(names(&line, key), "{key} = {value:?}: {line}");
    }
}

/// Nobody listens at port 1, so a start that gets as far as to connect says that it was refused.
const NO_SERVER: &str = "postgres://keyfob@127.0.0.1:1/keyfob";

#[test]
fn a_database_url_that_asks_for_tls_is_refused_by_a_build_without_it() {
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("{NO_SERVER}?sslmode={mode}");
        let line = Home::with(&[("database.url", &url)]).run(&[], "").expect_failure();
        if cfg!(feature = "postgres-tls") {
            assert!(line.contains("Connection refused"), "{line}");
        } else {
            assert!(names(&line, "database.url") && line.contains("`--features postgres-tls`"), "{line}");
        }
    }
    for mode in ["disable", "allow", "prefer"] {
        let url = format!("{NO_SERVER}?sslmode={mode}");
        let line = Home::with(&[("database.url", &url)]).run(&[], "").expect_failure();
        assert!(line.contains("Connection refused"), "{line}");
    }
}

#[test]
fn pgsslmode_counts_where_the_url_does_not_say() {
    let mut home = Home::with(&[("database.url", NO_SERVER)]);
    home.set_variable("PGSSLMODE", "verify-full");
    let line = home.run(&[], "").expect_failure();
    if cfg!(feature = "postgres-tls") {
        assert!(line.contains("Connection refused"), "{line}");
    } else {
        assert!(line.contains("PGSSLMODE") && line.contains("`--features postgres-tls`"), "{line}");
    }
    home.set("database.url", &format!("{NO_SERVER}?sslmode=disable"));
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("Connection refused"), "{line}");
}

#[test]
fn a_wrong_value_in_a_file_stops_the_start_with_one_line_that_names_the_key() {
    let mut home = Home::new();
    home.set_variable("KEYFOB_ENV", "staging");
    home.unset("password.bcrypt_cost");
    home.write("config/staging.toml", "[password]\nbcrypt_cost = 99\n");
    let line = home.run(&[], "").expect_failure();
    assert!(names(&line, "password.bcrypt_cost"), "{line}");
}

#[test]
fn a_broken_file_stops_the_start_with_one_line_that_names_it() {
    let mut home = Home::new();
    home.set_variable("KEYFOB_ENV", "staging");
    home.write("config/staging.toml", "[token\naccess_ttl_seconds == 101\n");
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("staging.toml"), "{line}");
}

#[test]
fn an_unknown_key_stops_the_start_and_the_nearest_known_one_is_offered() {
    for (key, nearest) in
        [("server.bnid", "bind"), ("password.bcrypt_costs", "bcrypt_cost"), ("tokens.issuer", "token")]
    {
        let line = Home::with(&[(key, "1")]).run(&[], "").expect_failure();
        assert!(line.contains(nearest) && line.to_lowercase().contains("did you mean"), "{key}: {line}");
    }
    let mut home = Home::new();
    home.set_variable("KEYFOB_ENV", "staging");
    home.write("config/staging.toml", "[token]\nisuer = \"http://127.0.0.1:8000\"\n");
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("issuer") && line.to_lowercase().contains("did you mean"), "{line}");
}

#[test]
fn hs256_needs_a_secret_of_32_bytes_and_never_shows_it() {
    let short = &SECRET[..31];
    let line = Home::with(&[("token.algorithm", "HS256"), ("token.secret", short)]).run(&[], "").expect_failure();
    assert!(names(&line, "token.secret") && line.contains("32") && !line.contains(short), "{line}");
    let exact = Server::with(&[("token.algorithm", "HS256"), ("token.secret", &SECRET[..32])]);
    let bob = exact.sign_up("bob@example.com");
    assert_eq!(decode(&bob.token).0["alg"], "HS256");
}

#[test]
fn a_wrong_value_is_told_by_every_command() {
    let home = Home::with(&[("password.bcrypt_cost", "99")]);
    for arguments in [&["serve"][..], &["migrate"], &["config"], &["user", "create", "--email", "bob@example.com"]] {
        let line = home.run(arguments, "violet-Kettle 88\n").expect_failure();
        assert!(names(&line, "password.bcrypt_cost"), "{arguments:?}: {line}");
    }
}

#[test]
fn a_port_in_use_stops_the_start_with_one_line_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let line = Home::with(&[("server.bind", &address)]).run(&[], "").expect_failure();
    assert!(line.contains(&address), "{line}");
}

#[test]
fn a_database_file_that_cannot_be_opened_stops_the_start_with_one_line_that_names_it() {
    let mut home = Home::new();
    let folder = home.folder().to_owned();
    for path in [folder.join("missing/keyfob.db"), folder.clone()] {
        home.set("database.url", &format!("sqlite://{}", path.display()));
        for arguments in [&[][..], &["migrate"]] {
            let line = home.run(arguments, "").expect_failure();
            assert!(line.contains(&path.display().to_string()), "{line}");
        }
    }
}

#[test]
fn a_damaged_database_file_stops_the_start_with_one_line_that_names_it_and_is_left_alone() {
    let mut home = Home::new();
    let garbage = "this is no database, and must not become one. ".repeat(500);
    home.write("damaged.db", &garbage);
    let path = home.folder().join("damaged.db");
    home.set("database.url", &format!("sqlite://{}", path.display()));
    for arguments in [&[][..], &["migrate"]] {
        let line = home.run(arguments, "").expect_failure();
        assert!(line.contains("damaged.db"), "{line}");
    }
    assert_eq!(std::fs::read_to_string(path).expect("a file"), garbage);
}

#[test]
fn a_postgresql_that_does_not_answer_stops_the_start_with_one_line_without_its_password() {
    let home = Home::with(&[("database.url", "postgres://keyfob:hunter2hunter2@127.0.0.1:1/keyfob")]);
    for arguments in [&[][..], &["migrate"]] {
        let line = home.run(arguments, "").expect_failure();
        assert!(line.contains("127.0.0.1") && !line.contains("hunter2hunter2"), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn the_sqlite_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let mut home = Home::new();
    let path = home.folder().join("private.db");
    home.set("database.url", &format!("sqlite://{}", path.display()));
    let server = Server::at(Arc::new(home));
    server.sign_up("bob@example.com");
    for name in ["private.db", "private.db-wal", "private.db-shm"] {
        let path = server.home.folder().join(name);
        if path.exists() {
            let mode = std::fs::metadata(path).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
    assert!(path.exists());
}

/// Without it SQLite's older libraries, Debian's `sqlite3` among them, take themselves for the last that has the file open,
/// and delete the journal with what was acknowledged.
#[cfg(target_os = "linux")]
#[test]
fn the_service_holds_its_lock_on_the_sqlite_file() {
    use std::os::unix::fs::MetadataExt;

    /// Where SQLite's shared lock is (sqlite.org/src/file/src/os.h, `SHARED_FIRST`).
    const SHARED_LOCK: &str = "1073741826";
    let server = Server::with(&[("database.url", "sqlite://locked.db")]);
    server.sign_up("mia@example.com");
    let inode = std::fs::metadata(server.home.folder().join("locked.db")).unwrap().ino();
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let is_held = locks.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [.., process, file, start, _] = fields.as_slice() else { return false };
        *process == server.id().to_string() && file.ends_with(&format!(":{inode}")) && *start == SHARED_LOCK
    });
    assert!(is_held, "{locks}");
}

#[test]
fn a_relative_sqlite_url_is_seen_from_the_current_folder() {
    let mut home = Home::new();
    home.set("database.url", "sqlite://relative.db");
    let server = Server::at(Arc::new(home));
    server.sign_up("bob@example.com");
    assert!(server.home.folder().join("relative.db").exists());
}

/// Whether a line names the setting, as it stands in a file or in the environment.
fn names(line: &str, key: &str) -> bool {
    line.contains(key) || line.contains(&format!("KEYFOB__{}", key.replace('.', "__").to_uppercase()))
}
