//! `token.key_encryption_secret`: what the database holds can be read, but not used, without it.

use std::sync::Arc;

use crate::keychain::verify;
use crate::steps::{kid, published_keys, refresh_token, renew, restart_with, stop};
use crate::support::{Home, Server};

const SECRET: &str = "u7Rk2-Tm9x_Qe4Wz8Lp1Vb6Nc3Hy5Jd0Gs";
const OTHER_SECRET: &str = "Hy5Jd0Gs-u7Rk2_Tm9xQe4Wz8Lp1Vb6Nc3";
/// What a sealed value begins with.
const SEALED: &str = "sealed1:";

/// What the database holds of each key, in no particular order.
#[track_caller]
fn kept_keys(home: &Home) -> Vec<String> {
    let join = if home.database.url().starts_with("postgres") { "string_agg" } else { "group_concat" };
    let keys = home.database.text(&format!("SELECT {join}(private_key, ' ') AS value FROM signing_keys"));
    let secrets = home.database.text(&format!("SELECT {join}(value, ' ') AS value FROM server_secrets"));
    keys.split(' ').chain(secrets.split(' ')).map(str::to_owned).collect()
}

#[track_caller]
fn expect_sealed(home: &Home) {
    let kept = kept_keys(home);
    assert!(kept.len() >= 2, "a signing key and the key of the refresh tokens");
    assert!(kept.iter().all(|value| value.starts_with(SEALED)), "{kept:?}");
}

#[test]
fn with_a_secret_the_database_holds_no_key_in_clear() {
    for algorithm in ["EdDSA", "ES256", "RS256", "HS256"] {
        let server = Server::with(&[("token.algorithm", algorithm), ("token.key_encryption_secret", SECRET)]);
        server.sign_up("bob@example.com").get("/me").expect_json(200);
        expect_sealed(&server.home);
    }
}

#[test]
fn a_rotated_key_is_sealed_too() {
    let server = Server::with(&[("token.key_encryption_secret", SECRET)]);
    server.home.run(&["key", "rotate", "--algorithm", "ES256"], "").expect_success();
    assert_eq!(kept_keys(&server.home).len(), 3);
    expect_sealed(&server.home);
}

#[test]
fn sealed_keys_are_used_by_every_process_and_after_a_restart() {
    let server = Server::with(&[("token.key_encryption_secret", SECRET)]);
    let bob = server.sign_up("bob@example.com");
    server.second().with_token(&bob.token).get("/me").expect_json(200);
    let server = restart_with(server, &[]);
    server.with_token(&bob.token).get("/me").expect_json(200);
    renew(&server, refresh_token(&bob.grant));
    verify(&bob.token, &published_keys(&server));
}

#[test]
fn a_wrong_or_missing_secret_stops_the_start_with_one_line_that_names_the_setting() {
    let home = stop(Server::with(&[("token.key_encryption_secret", SECRET)]));
    let mut home = Arc::try_unwrap(home).unwrap_or_else(|_| panic!("another process uses the same folder"));
    let mut expect_refused = |secret: Option<&str>| {
        match secret {
            Some(secret) => home.set("token.key_encryption_secret", secret),
            None => home.unset("token.key_encryption_secret"),
        }
        for arguments in [&[][..], &["key", "list"], &["key", "rotate"]] {
            let line = home.run(arguments, "").expect_failure();
            assert!(line.contains("token.key_encryption_secret"), "{arguments:?}: {line}");
            assert!(!line.contains(SECRET) && !line.contains(OTHER_SECRET) && !line.contains(SEALED), "{line}");
        }
    };
    expect_refused(Some(OTHER_SECRET));
    expect_refused(None);
    home.set("token.key_encryption_secret", SECRET);
    assert_eq!(kept_keys(&home).len(), 2, "nothing was added by those who were refused");
    Server::at(Arc::new(home)).sign_up("bob@example.com");
}

#[test]
fn a_key_in_clear_is_sealed_at_the_next_start_with_a_secret_and_nobody_is_signed_out() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let clear = kept_keys(&server.home);
    assert!(clear.iter().all(|value| !value.starts_with(SEALED)), "the test needs keys in clear");
    let server = restart_with(server, &[("token.key_encryption_secret", SECRET)]);
    expect_sealed(&server.home);
    assert!(kept_keys(&server.home).iter().all(|value| clear.iter().all(|clear| !value.contains(clear.as_str()))));
    server.with_token(&bob.token).get("/me").expect_json(200);
    renew(&server, refresh_token(&bob.grant));
    assert_eq!(kid(&server.log_in("bob@example.com").token), kid(&bob.token));
}

#[test]
fn a_sealed_key_moved_to_another_name_is_refused() {
    let server = Server::with(&[("token.key_encryption_secret", SECRET)]);
    server.home.run(&["key", "rotate"], "").expect_success();
    let home = stop(server);
    let newest = "(SELECT private_key FROM signing_keys ORDER BY signs_from DESC LIMIT 1)";
    home.database.execute(&format!("UPDATE signing_keys SET private_key = {newest}"));
    home.run(&[], "").expect_failure();
}

#[test]
fn a_damaged_key_stops_the_start_with_one_line() {
    let home = stop(Server::start());
    for value in ["", "nonsense!", "AAAA", "sealed1:", "sealed1:AAAA"] {
        home.database.execute(&format!("UPDATE signing_keys SET private_key = '{value}'"));
        home.run(&[], "").expect_failure();
    }
}

#[test]
fn a_secret_that_is_too_short_stops_the_start_with_one_line_that_does_not_show_it() {
    let short = &SECRET[..31];
    let line = Home::with(&[("token.key_encryption_secret", short)]).run(&[], "").expect_failure();
    assert!(line.contains("token.key_encryption_secret") && line.contains("32") && !line.contains(short), "{line}");
}

#[test]
fn the_effective_settings_do_not_show_the_secret() {
    let home = Home::with(&[("token.key_encryption_secret", SECRET)]);
    let output = home.run(&["config"], "").expect_success();
    assert!(output.contains("key_encryption_secret") && !output.contains(SECRET), "{output}");
}
