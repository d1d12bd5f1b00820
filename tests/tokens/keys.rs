//! Signing keys: every algorithm, made by the service or by an operator.

use std::sync::Arc;

use crate::keychain::{TestKey, home_with_key_file, openssl, p384_pem, thumbprint, verify};
use crate::steps::{access_token, published_keys, refresh_token, renew, restart_with};
use crate::support::{Home, Server, decode};

const KEY_PAIR_ALGORITHMS: [&str; 3] = ["EdDSA", "ES256", "RS256"];

/// Tokens are signed by that algorithm, and good here and for whoever has the published key.
#[track_caller]
fn expect_signs(server: &Server, algorithm: &str) {
    let bob = server.sign_up("bob@example.com");
    let grant = renew(server, refresh_token(&bob.grant));
    let keys = published_keys(server);
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert_eq!(keys[0]["kid"], thumbprint(&keys[0]));
    for token in [bob.token.as_str(), access_token(&grant)] {
        assert_eq!(decode(token).0["alg"], algorithm);
        let claims = verify(token, &keys);
        assert_eq!(claims["sub"].as_str().unwrap(), bob.id().to_string());
        server.with_token(token).get("/me").expect_json(200);
    }
}

/// The start with this key file ends with one line, which names the setting and shows nothing of the file.
#[track_caller]
fn expect_start_refused(algorithm: &str, name: &str, text: &str) {
    let home = home_with_key_file(algorithm, text);
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("token.private_key_file"), "{algorithm} with {name}: {line}");
    for secret in text.lines().filter(|line| line.len() > 20 && !line.starts_with("-----")) {
        assert!(!line.contains(secret), "{algorithm} with {name}: {line}");
    }
}

#[test]
fn every_algorithm_signs_and_is_verified_with_the_published_key() {
    for algorithm in KEY_PAIR_ALGORITHMS {
        expect_signs(&Server::with(&[("token.algorithm", algorithm)]), algorithm);
    }
}

#[test]
fn a_key_in_pkcs8_form_is_taken() {
    for algorithm in KEY_PAIR_ALGORITHMS {
        let home = home_with_key_file(algorithm, &TestKey::make(algorithm).pem());
        expect_signs(&Server::at(Arc::new(home)), algorithm);
    }
}

#[test]
fn what_openssl_writes_is_taken() {
    let commands: [(&str, &[&str]); 6] = [
        ("RS256", &["genrsa", "2048"]),
        ("RS256", &["genrsa", "-traditional", "2048"]),
        ("RS256", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]),
        ("ES256", &["ecparam", "-genkey", "-name", "prime256v1"]),
        ("ES256", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
        ("EdDSA", &["genpkey", "-algorithm", "ed25519"]),
    ];
    for (algorithm, arguments) in commands {
        // Where there is no openssl, the test above has shown the form that its newer releases write.
        let Some(text) = openssl(arguments) else { continue };
        let home = home_with_key_file(algorithm, &text);
        expect_signs(&Server::at(Arc::new(home)), algorithm);
    }
}

#[test]
fn a_key_file_with_windows_line_ends_or_other_text_around_is_taken() {
    let text = TestKey::make("ES256").pem();
    let around = format!("the key of the shop\n\n{text}\nkeep it safe\n");
    for text in [text.replace('\n', "\r\n"), around, format!("\u{feff}{text}")] {
        expect_signs(&Server::at(Arc::new(home_with_key_file("ES256", &text))), "ES256");
    }
}

#[test]
fn a_key_of_the_wrong_kind_stops_the_start_with_one_line() {
    let pems: Vec<(&str, String)> = KEY_PAIR_ALGORITHMS.map(|name| (name, TestKey::make(name).pem())).to_vec();
    for algorithm in KEY_PAIR_ALGORITHMS {
        for (name, text) in pems.iter().filter(|(name, _)| *name != algorithm) {
            expect_start_refused(algorithm, name, text);
        }
        expect_start_refused(algorithm, "P-384", &p384_pem());
    }
}

#[test]
fn an_rsa_key_of_1024_bits_stops_the_start_with_one_line() {
    for arguments in [&["genrsa", "1024"][..], &["genrsa", "-traditional", "1024"]] {
        // Only openssl makes such a key any more.
        let Some(text) = openssl(arguments) else { continue };
        expect_start_refused("RS256", "RSA-1024", &text);
    }
}

#[test]
fn a_file_without_a_usable_private_key_stops_the_start_with_one_line() {
    let key = TestKey::make("EdDSA");
    let public = pem::encode(&pem::Pem::new("PUBLIC KEY", key.public().1));
    let sealed = pem::encode(&pem::Pem::new("ENCRYPTED PRIVATE KEY", vec![7; 48]));
    let damaged = pem::encode(&pem::Pem::new("PRIVATE KEY", vec![7; 48]));
    let cut = key.pem().replace("-----END PRIVATE KEY-----", "");
    for (name, text) in [
        ("nothing", ""),
        ("some text", "this is no key at all\n"),
        ("a public key", &public),
        ("an encrypted key", &sealed),
        ("a damaged key", &damaged),
        ("half a key", &cut),
    ] {
        expect_start_refused("EdDSA", name, text);
    }
}

#[test]
fn a_key_file_that_is_not_there_stops_the_start_with_one_line() {
    let home = Home::with(&[("token.private_key_file", "/nowhere/key.pem")]);
    let line = home.run(&[], "").expect_failure();
    assert!(line.contains("token.private_key_file") && line.contains("/nowhere/key.pem"), "{line}");
}

#[test]
fn a_key_made_by_the_service_is_kept_across_restarts() {
    for algorithm in ["EdDSA", "ES256", "RS256", "HS256"] {
        let server = Server::with(&[("token.algorithm", algorithm)]);
        let bob = server.sign_up("bob@example.com");
        let before = published_keys(&server);
        let server = restart_with(server, &[]);
        assert_eq!(published_keys(&server), before);
        server.with_token(&bob.token).get("/me").expect_json(200);
        assert_eq!(decode(&server.log_in("bob@example.com").token).0, decode(&bob.token).0);
        renew(&server, refresh_token(&bob.grant));
    }
}

#[test]
fn a_configured_key_is_not_put_into_the_database() {
    let home = home_with_key_file("ES256", &TestKey::make("ES256").pem());
    let server = Server::at(Arc::new(home));
    server.sign_up("bob@example.com");
    let count = server.home.database.text("SELECT CAST(count(*) AS TEXT) AS value FROM signing_keys");
    assert_eq!(count, "0");
}

#[test]
fn two_services_with_one_key_file_accept_each_other_s_tokens_by_the_key_alone() {
    let text = TestKey::make("ES256").pem();
    let (here, there) = (home_with_key_file("ES256", &text), home_with_key_file("ES256", &text));
    let (here, there) = (Server::at(Arc::new(here)), Server::at(Arc::new(there)));
    let bob = here.sign_up("bob@example.com");
    verify(&bob.token, &published_keys(&there));
}

#[test]
fn no_log_line_holds_a_private_key() {
    for algorithm in KEY_PAIR_ALGORITHMS {
        let text = TestKey::make(algorithm).pem();
        let server = Server::at(Arc::new(home_with_key_file(algorithm, &text)));
        server.sign_up("bob@example.com");
        let log = server.whole_log().join("\n");
        let mut secrets = text.lines().filter(|line| line.len() > 20 && !line.starts_with("-----"));
        assert!(secrets.all(|secret| !log.contains(secret)), "{log}");
    }
}
