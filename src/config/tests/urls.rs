//! Issuer, origins and database URLs.

use std::path::PathBuf;

use secrecy::ExposeSecret;

use super::{line, with_env};
use crate::config::DatabaseUrl;

/// Origin, and a word of its error.
const BAD_ORIGINS: &[(&str, &str)] = &[
    ("*", "every site"),
    ("null", "is not an origin"),
    ("app.test", "is not an origin"),
    ("https://app.test/", "trailing slash"),
    ("https://app.test/x", "path"),
    ("https://app.test?x", "path"),
    ("https://App.test", "capital"),
    ("https://*.app.test", "host"),
    ("https://", "host"),
    ("https://a b", "host"),
    ("https://bücher.test", "host"),
    ("https://app.test:443", "default port"),
    ("http://app.test:80", "default port"),
    ("https://app.test:x", "port"),
    ("https://app.test:0", "port"),
    ("https://app.test:65536", "port"),
    ("https://[::1", "host"),
    ("https://[::1]x", "host"),
    ("https://[x]", "host"),
    ("1://app.test", "scheme"),
];

#[test]
fn origins_are_what_browsers_send() {
    let good = "https://app.test,http://localhost:3000,http://[::1]:5173,capacitor://localhost";
    assert_eq!(with_env(&[("KEYFOB__SERVER__CORS_ORIGINS", good)]).server.cors_origins.len(), 4);
    for (origin, fault) in BAD_ORIGINS {
        let line = line(&[("KEYFOB__SERVER__CORS_ORIGINS", origin)]);
        assert!(line.starts_with(&format!("server.cors_origins: `{origin}` ")), "{line}");
        assert!(line.contains(fault), "{line}");
    }
    let line = line(&[("KEYFOB__SERVER__CORS_ORIGINS", "https://ann:hunter2@app.test")]);
    assert!(line.contains("has a user name") && !line.contains("hunter2"), "{line}");
}

#[test]
fn issuers_are_plain_http_urls() {
    for good in ["https://id.test", "http://127.0.0.1:8000", "https://id.test:8443/auth/v1", "http://[::1]"] {
        assert_eq!(with_env(&[("KEYFOB__TOKEN__ISSUER", good)]).token.issuer, good);
    }
    let bad = [
        ("", "is empty"),
        ("id.test", "does not start with"),
        ("HTTPS://id.test", "does not start with"),
        ("ftp://id.test", "does not start with"),
        ("https://id.test/", "trailing slash"),
        ("https://id.test/auth/", "trailing slash"),
        ("https://id.test?x", "has a query"),
        ("https://id.test#x", "has a fragment"),
        ("https://", "host"),
        ("https://:80", "host"),
        ("https://id.test:", "port"),
        ("https://ann:hunter2@id.test", "user name"),
        ("https://id test", "character"),
        ("https://id.test/\"x", "character"),
    ];
    for (issuer, fault) in bad {
        let line = line(&[("KEYFOB__TOKEN__ISSUER", issuer)]);
        assert!(line.starts_with("token.issuer: ") && line.contains(fault), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn the_base_of_links_is_a_plain_http_url_or_unset() {
    let set = |url| with_env(&[("KEYFOB__ACCOUNTS__LINK_BASE_URL", url)]).accounts.link_base_url;
    assert_eq!(set("https://app.test/in").as_deref(), Some("https://app.test/in"));
    assert_eq!(set(""), None);
    for (url, fault) in [("https://app.test/", "trailing slash"), ("https://app.test?x=1", "has a query")] {
        let line = line(&[("KEYFOB__ACCOUNTS__LINK_BASE_URL", url)]);
        assert!(line.starts_with("accounts.link_base_url: ") && line.contains(fault), "{line}");
    }
}

#[test]
fn root_paths_are_plain_paths() {
    for good in ["", "/auth", "/api/v1.0", "/~mia/a-b_c"] {
        assert_eq!(with_env(&[("KEYFOB__SERVER__ROOT_PATH", good)]).server.root_path, good);
    }
    let bad = [
        ("auth", "does not start with a slash"),
        ("/", "trailing slash"),
        ("/auth/", "trailing slash"),
        ("//auth", "is not a plain path"),
        ("/auth/../x", "is not a plain path"),
        ("/a b", "is not a plain path"),
        ("/a%20b", "is not a plain path"),
        ("/a?b", "is not a plain path"),
        ("/{id}", "is not a plain path"),
        ("https://id.test/auth", "does not start with a slash"),
    ];
    for (root_path, fault) in bad {
        let line = line(&[("KEYFOB__SERVER__ROOT_PATH", root_path)]);
        assert!(line.starts_with(&format!("server.root_path: `{root_path}` ")) && line.contains(fault), "{line}");
    }
}

#[test]
fn sqlite_urls_name_a_file() {
    let path = |text: &str| match text.parse::<DatabaseUrl>() {
        Ok(DatabaseUrl::Sqlite(path)) => Ok(path),
        Ok(DatabaseUrl::Postgres(_)) => panic!("no SQLite"),
        Err(error) => Err(error.to_string()),
    };
    assert_eq!(path("sqlite://keyfob.db"), Ok(PathBuf::from("keyfob.db")));
    assert_eq!(path("sqlite://data/keyfob.db"), Ok(PathBuf::from("data/keyfob.db")));
    assert_eq!(path("sqlite:///var/lib/keyfob.db"), Ok(PathBuf::from("/var/lib/keyfob.db")));
    for text in [":memory:", "sqlite://:memory:", "sqlite::memory:", "sqlite://file:x?mode=memory"] {
        assert!(path(text).unwrap_err().contains("each connection would have a database of its own"));
    }
    for text in ["sqlite://", "sqlite://data/", "sqlite://x.db?mode=ro", "sqlite://file:x.db"] {
        let fault = path(text).unwrap_err();
        assert!(fault.contains("expected sqlite://FILE or postgres://"), "{fault}");
    }
}

#[test]
fn other_database_urls_are_refused_without_being_shown() {
    for text in ["", "keyfob.db", "sqlite:keyfob.db", "mysql://ann:hunter2@h/d", "SQLITE://x"] {
        let line = line(&[("KEYFOB__DATABASE__URL", text)]);
        assert!(line.starts_with("database.url: is not the URL of a supported database; expected sqlite://FILE"));
        assert!(line.contains("postgres://USER:PASSWORD@HOST:PORT/NAME"), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
        assert!(DatabaseUrl::try_from(text.to_owned()).is_err());
    }
}

#[test]
fn postgres_urls_show_no_password() {
    let cases = [
        ("postgres://ann:hunter2@db.test:5432/k", "postgres://ann:********@db.test:5432/k"),
        ("postgresql://:hunter2@db.test/k", "postgresql://:********@db.test/k"),
        ("postgres://ann:hun:ter2@db.test/k", "postgres://ann:********@db.test/k"),
        ("postgres://ann@db.test/k", "postgres://ann@db.test/k"),
        ("postgres://db.test:5432/k?sslmode=prefer", "postgres://db.test:5432/k?sslmode=prefer"),
        ("postgres:///k?host=/run&password=hunter2&user=ann", "postgres:///k?host=/run&password=********&user=ann"),
        ("postgres://db.test/k?sslpassword=hunter2&", "postgres://db.test/k?sslpassword=********&"),
        ("postgres://db.test/k?oauth_client_secret=hunter2", "postgres://db.test/k?oauth_client_secret=********"),
        ("postgres://db.test/k?scram_client_key=hunter2", "postgres://db.test/k?scram_client_key=********"),
        ("postgres://ann:hunter2@a,[::1]:5432/", "postgres://ann:********@a,[::1]:5432/"),
    ];
    for (typed, shown) in cases {
        let url: DatabaseUrl = typed.parse().unwrap();
        assert_eq!(url.to_string(), shown);
        assert!(!format!("{url:?}").contains("hunter2"));
        match url {
            DatabaseUrl::Postgres(url) => assert_eq!(url.expose_secret(), typed),
            DatabaseUrl::Sqlite(_) => panic!("no PostgreSQL"),
        }
    }
}

#[test]
fn postgres_passwords_that_would_be_cut_elsewhere_are_refused() {
    for text in ["postgres://a:p@ss@h/d", "postgres://a:p/w@h/d", "postgres://a:p?w@h/d", "postgres://a:p#w@h/d"] {
        let fault = text.parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(fault.contains("percent-encode it") && !fault.contains(":p"), "{fault}");
    }
    for text in ["postgres://a:hunter2/d", "postgres://[::1]:hunter2", "postgres://h:1,h:hunter2/d"] {
        let fault = text.parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(fault.contains("port that is not a number") && !fault.contains("hunter2"), "{fault}");
    }
    for text in ["postgres://a:memory:@h/d", "postgres://[::1]:5432,h,h:1/d", "postgresql:///d", "postgres://a@h:/d"] {
        assert!(text.parse::<DatabaseUrl>().is_ok(), "{text}");
    }
    for text in ["postgres://", "postgres://h/d\0", "sqlite://d\0"] {
        assert!(text.parse::<DatabaseUrl>().is_err());
    }
    assert!("postgres://a:p%40ss@h/d".parse::<DatabaseUrl>().is_ok());
}

#[test]
fn postgres_urls_that_ask_for_tls_need_a_build_that_has_it() {
    for parameters in [
        "sslmode=require",
        "sslmode=verify-ca",
        "connect_timeout=3&sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "sslmode=disable&sslmode=require",
        "sslmode=r%65quire",
        "ssl=true",
        "requiressl=1",
        "sslrootcert=system",
        "sslmode=require&sslnegotiation=direct",
        "sslcertmode=require",
    ] {
        let parsed = format!("postgres://ann:hunter2@db.test/k?{parameters}").parse::<DatabaseUrl>();
        if cfg!(feature = "postgres-tls") {
            assert!(parsed.is_ok(), "{parameters}");
        } else {
            let fault = parsed.unwrap_err().to_string();
            assert!(fault.contains("sslmode") && fault.contains("`--features postgres-tls`"), "{fault}");
            assert!(!fault.contains("hunter2"), "{fault}");
        }
    }
}

#[test]
fn postgres_urls_that_can_do_without_tls_are_taken_by_every_build() {
    for parameters in [
        "",
        "?",
        "?sslmode=disable",
        "?sslmode=allow",
        "?sslmode=prefer",
        "?sslmode=require&sslmode=prefer",
        "?ssl=true&sslmode=disable",
        "?requiressl=0&sslrootcert=/etc/ca.pem&sslnegotiation=postgres&sslcertmode=allow",
        "?application_name=sslmode",
    ] {
        let url = format!("postgres://ann@db.test/k{parameters}");
        assert!(url.parse::<DatabaseUrl>().is_ok(), "{url}");
    }
}

/// URLs that libpq would quote in an error, or in which it sees a password where the mask would not.
const UNREADABLE: &[(&str, &str)] = &[
    ("postgres://ann:hunter2%zz@db.test/k", "%25"),
    ("postgres://ann:hunter2%@db.test/k", "%25"),
    ("postgres://ann:hunter2%4@db.test/k", "%25"),
    ("postgres://ann:hunter2%00@db.test/k", "%25"),
    ("postgres://db.test/k?password=hunter2%2", "%25"),
    ("postgres://db.test/k?passwd=hunter2", "lower case"),
    ("postgres://db.test/k?PASSWORD=hunter2", "lower case"),
    ("postgres://db.test/k?Password=hunter2", "lower case"),
    ("postgres://db.test/k?pass%77ord=hunter2", "lower case"),
    ("postgres://db.test/k?sslmode=prefer&&password=hunter2", "without `=`"),
    ("postgres://db.test/k?=hunter2", "lower case"),
    ("postgres://db.test/k? password=hunter2", "%20"),
    ("postgres://db.test/k?password =hunter2", "%20"),
    ("postgres://db.test/k?sslmode=prefer&\u{a0}password=hunter2", "%20"),
    ("postgres://ann:hunter2 x@db.test/k", "%20"),
    ("postgres://ann:hunter2\nx@db.test/k", "%20"),
    ("postgres://db.test/k?password=hunter2=x", "%3D"),
    ("postgres://db.test/k?hunter2", "without `=`"),
    ("postgres://db.test/k?ssl=hunter2", "sslmode=require"),
    ("postgres://db.test/k?requiressl=hunter2", "sslmode=require"),
    ("postgres://ann:hunter2@[::1/k", "`]`"),
    ("postgres://ann:hunter2@[]/k", "IPv6"),
    ("postgres://ann:hunter2@[::1]x/k", "IPv6"),
    ("postgres://ann:hunter2@[db.test]/k", "IPv6"),
    ("postgres://ann@db.test#hunter2/k", "%23"),
    ("postgres://ann@db.test:5432x/k?password=hunter2", "port"),
];

#[test]
fn postgres_urls_that_libpq_could_not_read_are_refused_with_what_to_write_and_without_the_value() {
    for (text, what) in UNREADABLE {
        let fault = text.parse::<DatabaseUrl>().unwrap_err().to_string();
        assert!(fault.contains(what) && fault.contains("; expected "), "{text}: {fault}");
        assert!(!fault.contains("hunter2"), "{fault}");
        for key in ["DATABASE__URL", "DATABASE__READ_URL"] {
            let primary = ("KEYFOB__DATABASE__URL", "postgres://ann@db.test/k");
            let set = [primary, (&format!("KEYFOB__{key}"), text)];
            let set = if key == "DATABASE__URL" { &set[1..] } else { &set[..] };
            let line = line(set);
            assert!(line.starts_with("database.") && !line.contains("hunter2"), "{line}");
        }
    }
}

#[test]
fn a_postgres_url_that_was_never_read_is_masked_as_a_whole() {
    for (text, _) in UNREADABLE {
        let url = DatabaseUrl::Postgres((*text).into());
        assert_eq!(url.to_string(), "postgres://********");
    }
}

#[test]
fn postgres_urls_of_every_form_that_libpq_knows_are_taken() {
    for text in [
        "postgres://ann:h%25%C3%BC%40@db.test/k",
        "postgres://ännchen@db.test/k",
        "postgres://%2Frun%2Fpostgresql/k",
        "postgres://[fe80::1%25eth0]:5432/k",
        "postgres://a:1,b:2,[::1]:3/k?target_session_attrs=read-write&load_balance_hosts=random",
        "postgres://a/k?options=-c%20geqo%3Doff&application_name=x%20y",
        "postgres://a/k?service=main&passfile=/etc/keyfob/pgpass&channel_binding=prefer&require_auth=scram-sha-256",
    ] {
        assert!(text.parse::<DatabaseUrl>().is_ok(), "{text}");
    }
}
