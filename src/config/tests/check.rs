//! Tests that settings agree with each other, and of what production refuses.

use std::fs;
use std::path::PathBuf;

use super::{GOOD_SECRET, line, line_of, load, load_in, place, production};

#[test]
fn tls_needs_both_files_and_they_exist() {
    let set = |files: &[(&str, &str)], names: &[(&str, &str)]| load(files, names);
    let cert = ("KEYFOB__SERVER__TLS_CERT", "c.pem");
    let key = ("KEYFOB__SERVER__TLS_KEY", "k.pem");
    assert!(line_of(set(&[], &[cert])).contains("server.tls_cert: is set without server.tls_key"));
    assert!(line_of(set(&[], &[key])).contains("server.tls_key: is set without server.tls_cert"));
    assert!(line_of(set(&[("c.pem", "")], &[cert, key])).starts_with("server.tls_key: `k.pem` cannot be read"));
    let settings = set(&[("c.pem", ""), ("k.pem", "")], &[cert, key]).unwrap();
    assert_eq!(settings.server.tls_key, Some(PathBuf::from("k.pem")));
}

#[test]
fn a_read_replica_needs_postgresql_on_both_sides() {
    let replica = ("KEYFOB__DATABASE__READ_URL", "postgres://keyfob:hunter2hunter2@standby/keyfob");
    let line_here = line(&[replica]);
    assert!(line_here.starts_with("database.read_url: database.url is SQLite, which has no replicas"), "{line_here}");
    assert!(!line_here.contains("hunter2"), "{line_here}");
    let postgres = ("KEYFOB__DATABASE__URL", "postgres://keyfob@primary/keyfob");
    let file = ("KEYFOB__DATABASE__READ_URL", "sqlite://standby.db");
    assert!(line(&[postgres, file]).starts_with("database.read_url: names a SQLite file"));
    let wrong = ("KEYFOB__DATABASE__READ_URL", "hunter2hunter2@standby");
    let line_here = line(&[postgres, wrong]);
    assert!(line_here.starts_with("database.read_url: ") && !line_here.contains("hunter2"), "{line_here}");
    let shown = load(&[], &[postgres, replica]).unwrap().masked();
    assert!(shown.contains("read_url = \"postgres://keyfob:********@standby/keyfob\""), "{shown}");
    assert!(load(&[], &[postgres]).unwrap().masked().contains("# read_url = \"\""));
}

#[test]
fn keys_that_the_algorithm_does_not_use_are_refused() {
    let secret = ("KEYFOB__TOKEN__SECRET", GOOD_SECRET);
    let line = line(&[secret]);
    assert!(line.starts_with("token.secret: only HS256 uses it") && !line.contains(GOOD_SECRET), "{line}");

    let file = ("KEYFOB__TOKEN__PRIVATE_KEY_FILE", "key.pem");
    let hs256 = ("KEYFOB__TOKEN__ALGORITHM", "HS256");
    let line = line_of(load(&[("key.pem", "")], &[file, hs256]));
    assert!(line.starts_with("token.private_key_file: HS256 does not use it"), "{line}");

    assert!(load(&[], &[hs256]).is_ok());
    assert!(load(&[], &[hs256, secret]).is_ok());
    assert!(load(&[("key.pem", "")], &[file]).is_ok());
}

#[test]
fn a_missing_key_file_is_a_fault_everywhere() {
    let line = line(&[("KEYFOB__TOKEN__PRIVATE_KEY_FILE", "none.pem")]);
    assert!(line.starts_with("token.private_key_file: `none.pem` cannot be read: "), "{line}");
    let line = line_of(production(&[("KEYFOB__TOKEN__PRIVATE_KEY_FILE", "none.pem")]));
    assert!(line.starts_with("token.private_key_file: `none.pem` cannot be read: "), "{line}");
    let dir = place(&[("keys/x", "")]);
    let line = line_of(load_in(&dir, &[("KEYFOB__TOKEN__PRIVATE_KEY_FILE", "keys")]));
    assert!(line.contains("is a directory"), "{line}");
}

#[test]
fn production_refuses_a_plain_http_issuer() {
    let line = line_of(production(&[("KEYFOB__TOKEN__ISSUER", "http://id.test")]));
    assert!(
        line.starts_with("token.issuer: `http://id.test` is plain HTTP, which production refuses; use an https:// URL")
    );
    let line = line_of(production(&[("KEYFOB__TOKEN__ISSUER", "http://127.0.0.1:8000")]));
    assert!(line.starts_with("token.issuer: "), "{line}");
    let line = line_of(production(&[("KEYFOB__ACCOUNTS__LINK_BASE_URL", "http://app.test")]));
    assert!(line.starts_with("accounts.link_base_url: `http://app.test` is plain HTTP"), "{line}");
    assert!(production(&[("KEYFOB__ACCOUNTS__LINK_BASE_URL", "https://app.test")]).is_ok());
}

const WEAK_SECRETS: &[&str] = &[
    "my-Secret-key-for-tokens-0123456789abcdef",
    "an-EXAMPLE-from-the-manual-4f8a1c9e77b2",
    "changeme-changeme-please-4f8a1c9e77b2d",
    "Password4f8a1c9e77b2d0c3f8e1a9b5c7d2e4f6",
    "bench-4f8a1c9e77b2d0c3f8e1a9b5c7d2e4f6",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aBcDeFaaBcDeFbaBcDeFcaBcDeFaaBcDeFba",
    "4f8a1c9e77b2d0c34f8a1c9e77b2d0c3",
    "4f8a1c9e77b2d4f8a1c9e77b2d4f8a1c9e",
    "abcdefghijklmnopqrstuvwxyz012345",
    "00001111222233334444555566667777",
    // 7 distinct characters; half of the steps in sequence.
    "2G8zP5xzPG2x85GzxP825xzGP28zG5Px",
    "abcdefghijklmnopqXeR7tK0zM5vT8wQ",
];

#[test]
fn production_refuses_weak_secrets_without_showing_them() {
    let hs256 = ("KEYFOB__TOKEN__ALGORITHM", "HS256");
    for secret in WEAK_SECRETS {
        assert!(load(&[], &[hs256, ("KEYFOB__TOKEN__SECRET", secret)]).is_ok());
        let line = line_of(production(&[hs256, ("KEYFOB__TOKEN__SECRET", secret)]));
        assert!(
            line.starts_with("token.secret: ") && line.contains("which production refuses; use random bytes"),
            "{line}"
        );
        assert!(!line.contains(secret), "{line}");
        let line = line_of(production(&[("KEYFOB__TOKEN__KEY_ENCRYPTION_SECRET", secret)]));
        assert!(line.starts_with("token.key_encryption_secret: "), "{line}");
    }
    // 32 random bytes as hexadecimal (15 of the 16 digits), and as base64.
    let good = [
        GOOD_SECRET,
        "2G8zP5xzPG2x85GzxP825xzGP28zG5Pk",
        "b7f4c9d2e6a1385b7d9c2f64e8b1a3d5c7f9e2b4d6a8135c7e9f2b4d6a813579",
        "W3v0m4Jq8yZ1k6Qd9RxT2cUeHnPb5LsAfGgYiKoXr7E=",
    ];
    for secret in good {
        production(&[hs256, ("KEYFOB__TOKEN__SECRET", secret)]).unwrap();
    }
}

#[test]
fn production_demands_encryption_of_keys_in_the_database() {
    let unset = ("KEYFOB__TOKEN__KEY_ENCRYPTION_SECRET", "");
    let hs256 = ("KEYFOB__TOKEN__ALGORITHM", "HS256");
    let line = line_of(production(&[unset]));
    assert!(line.starts_with("token.key_encryption_secret: is not set"), "{line}");
    assert!(line.contains("or set token.private_key_file"), "{line}");
    assert!(line_of(production(&[unset, hs256])).contains("or set token.secret"));
    production(&[unset, hs256, ("KEYFOB__TOKEN__SECRET", GOOD_SECRET)]).unwrap();
}

#[cfg(unix)]
#[test]
fn production_refuses_a_key_file_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;

    let dir = place(&[("key.pem", "")]);
    let env = [
        ("KEYFOB_ENV", "production"),
        ("KEYFOB__TOKEN__ISSUER", "https://id.test"),
        ("KEYFOB__TOKEN__PRIVATE_KEY_FILE", "key.pem"),
    ];
    let with_mode = |mode| {
        fs::set_permissions(dir.path().join("key.pem"), fs::Permissions::from_mode(mode)).unwrap();
        load_in(&dir, &env)
    };
    for mode in [0o600, 0o400, 0o700] {
        assert!(with_mode(mode).is_ok());
    }
    for mode in [0o640, 0o604, 0o660, 0o620] {
        let line = line_of(with_mode(mode));
        assert!(line.starts_with("token.private_key_file: `key.pem` is accessible to other users"), "{line}");
        assert!(line.contains(&format!("mode {mode:04o}")) && line.contains("0600"), "{line}");
        load_in(&dir, &env[1..]).unwrap();
    }
}

/// Whether production accepts the URL, with these variables beside it.
fn is_taken(url: &str, env: &[(&str, &str)]) -> bool {
    let mut changes = env.to_vec();
    changes.push(("KEYFOB__DATABASE__URL", url));
    match production(&changes) {
        Ok(_) => true,
        Err(error) => {
            let line = error.to_string();
            assert!(line.starts_with("database.") && line.contains("another machine"), "{line}");
            assert!(line.contains("verify-full") && line.contains("sslmode=disable"), "{line}");
            assert!(!line.contains("hunter2"), "{line}");
            false
        }
    }
}

#[test]
fn production_refuses_a_database_on_another_machine_that_need_not_prove_who_it_is() {
    for url in [
        "postgres://ann:hunter2@db.test/k",
        "postgres://ann:hunter2@192.0.2.7:5432/k?sslmode=prefer",
        "postgres://ann:hunter2@db.test/k?sslmode=disable&sslmode=allow",
        "postgres://ann:hunter2@db.test/k?sslmode=",
        "postgres://ann:hunter2@[2001:db8::1]/k",
        "postgres://ann:hunter2@127.0.0.1,db.test/k",
        "postgres://ann:hunter2@%64b.test/k",
        "postgres://ann:hunter2@localhost.test/k",
        "postgres://ann:hunter2@localhost/k?host=db.test",
        "postgres:///k?host=/run/postgresql,db.test",
        "postgres:///k?host=localhost&hostaddr=192.0.2.7",
        "postgres:///k?service=main",
    ] {
        assert!(!is_taken(url, &[]), "{url}");
        assert!(load(&[], &[("KEYFOB__DATABASE__URL", url)]).is_ok(), "{url}");
    }
    let here = "postgres://ann:hunter2@localhost/k";
    assert!(!is_taken(here, &[("KEYFOB__DATABASE__READ_URL", "postgres://ann:hunter2@standby.test/k")]));
    for variable in ["PGHOST", "PGHOSTADDR", "PGSERVICE"] {
        assert!(!is_taken("postgres:///k", &[(variable, "192.0.2.7")]), "{variable}");
    }
}

#[test]
fn production_takes_a_database_on_this_machine_and_a_network_that_is_said_to_be_ones_own() {
    for url in [
        "postgres:///k",
        "postgres://ann@localhost/k",
        "postgres://127.0.0.1:5432,[::1]:5432/k",
        "postgres://%2Frun%2Fpostgresql/k",
        "postgres:///k?host=/run/postgresql",
        "postgres://db.test/k?host=localhost",
        "postgres://db.test/k?hostaddr=127.0.0.1",
        "postgres://db.test/k?sslmode=disable",
    ] {
        assert!(is_taken(url, &[]), "{url}");
    }
    assert!(is_taken("postgres://db.test/k", &[("PGSSLMODE", "verify-full")]));
    assert!(!is_taken("postgres://db.test/k", &[("PGSSLMODE", "verify-full"), ("PGSERVICE", "main")]));
    assert!(!is_taken("postgres://db.test/k?sslmode=prefer", &[("PGSSLMODE", "verify-full")]));
}

#[cfg(feature = "postgres-tls")]
#[test]
fn production_takes_a_database_that_proves_who_it_is() {
    for parameters in ["sslmode=verify-full&sslrootcert=/etc/ca.pem", "sslrootcert=system"] {
        assert!(is_taken(&format!("postgres://db.test/k?{parameters}"), &[]), "{parameters}");
    }
    for parameters in ["sslmode=require", "ssl=true", "requiressl=1", "sslmode=verify-ca&sslrootcert=/etc/ca.pem"] {
        assert!(!is_taken(&format!("postgres://db.test/k?{parameters}"), &[]), "{parameters}");
    }
}
