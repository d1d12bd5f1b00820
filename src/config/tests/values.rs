//! The allowed values of each kind.

use secrecy::ExposeSecret;

use super::{DIGITS, GOOD_SECRET, line, line_of, load, with_env};
use crate::config::{Algorithm, RevocationFail, SignUpMode, keys, keys::KEYS};

#[test]
fn secrets_arrive_as_they_were_typed() {
    let typed = ["  blanks at both ends are kept here  ", DIGITS, "true-ish, with, commas and 'quotes' in it"];
    for secret in typed {
        let settings = with_env(&[("KEYFOB__TOKEN__ALGORITHM", "HS256"), ("KEYFOB__TOKEN__SECRET", secret)]);
        assert_eq!(settings.token.secret.unwrap().expose_secret(), secret);
    }
    let dotenv = format!("KEYFOB__TOKEN__KEY_ENCRYPTION_SECRET={DIGITS}");
    let settings = load(&[(".env", &dotenv)], &[]).unwrap();
    assert_eq!(settings.token.key_encryption_secret.unwrap().expose_secret(), DIGITS);
}

#[test]
fn the_length_of_a_secret_counts_bytes() {
    let set = |secret: &str| load(&[], &[("KEYFOB__TOKEN__KEY_ENCRYPTION_SECRET", secret)]);
    assert!(set(&"x".repeat(32)).is_ok());
    assert!(set(&"é".repeat(16)).is_ok());
    let line = line_of(set("only-thirty-one-bytes-long-xxxx"));
    assert_eq!(
        line,
        "token.key_encryption_secret: has only 31 bytes; expected at least 32 bytes \
         (environment variable KEYFOB__TOKEN__KEY_ENCRYPTION_SECRET)"
    );
}

#[test]
fn an_empty_value_unsets_an_optional_key_and_is_a_fault_elsewhere() {
    let file = format!(
        "[server]\ntls_cert = 'c'\ntls_key = 'k'\ncors_origins = ['https://a.test']\n\
         [token]\nalgorithm = 'HS256'\nsecret = '{GOOD_SECRET}'\n"
    );
    let optional = ["SERVER__TLS_CERT", "SERVER__TLS_KEY", "SERVER__CORS_ORIGINS", "TOKEN__SECRET"];
    let names = optional.map(|name| format!("KEYFOB__{name}"));
    let env: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let settings = load(&[("config/default.toml", &file)], &env).unwrap();
    assert!(settings.server.tls_cert.is_none() && settings.token.secret.is_none());
    assert!(settings.server.cors_origins.is_empty());

    let may_be_empty = [
        "server.tls_cert",
        "server.tls_key",
        "server.metrics_bind",
        "log.otlp_endpoint",
        "server.trusted_proxies",
        "server.cors_origins",
        "server.root_path",
        "database.read_url",
        "token.secret",
        "token.private_key_file",
        "token.key_encryption_secret",
        "accounts.link_base_url",
        "bootstrap.admin_email",
        "bootstrap.admin_password_file",
        "mail.smtp_url",
        "mail.username",
        "mail.password_file",
        "mail.from",
        "mail.ca_file",
        "mail.ehlo_name",
        "mail.templates_dir",
        "password.breached_file",
    ];
    for key in KEYS.iter().filter(|key| !may_be_empty.contains(key)) {
        let line = line(&[(&keys::variable_name(key), "")]);
        assert!(line.starts_with(&format!("{key}: ")) && line.contains("; expected "), "{line}");
    }
}

/// Key, minimum and maximum.
const RANGES: &[(&str, u64, u64)] = &[
    ("server.workers", 0, 1024),
    ("server.max_body_bytes", 1, 104_857_600),
    ("server.request_seconds", 1, 3600),
    ("server.keep_alive_seconds", 1, 3600),
    ("server.max_connections_per_address", 0, 16_384),
    ("database.pool_size", 1, 256),
    ("database.pool_wait_seconds", 1, 60),
    ("token.access_ttl_seconds", 1, 86_400),
    ("token.refresh_ttl_seconds", 1, 31_536_000),
    ("token.session_ttl_seconds", 1, 315_360_000),
    ("token.refresh_grace_seconds", 0, 300),
    ("token.key_rotation_days", 0, 3650),
    ("mail.timeout_seconds", 1, 60),
    ("mail.max_per_hour", 10, 1_000_000),
    ("accounts.verification_ttl_seconds", 60, 2_592_000),
    ("accounts.invitation_ttl_seconds", 60, 2_592_000),
    ("accounts.delete_grace_days", 0, 365),
    ("password.min_score", 0, 4),
    ("password.bcrypt_cost", 4, 31),
    ("password.hash_threads", 0, 1024),
    ("password.queue_length", 1, 4096),
    ("rate_limit.account_failures", 1, 4_294_967_295),
    ("rate_limit.address_failures", 1, 4_294_967_295),
    ("rate_limit.window_seconds", 1, 86_400),
    ("audit.retention_days", 1, 3650),
];

#[test]
fn numbers_are_held_to_their_ranges() {
    for (key, least, most) in RANGES {
        let variable = keys::variable_name(key);
        for good in [least, most] {
            let settings = with_env(&[(&variable, &good.to_string())]);
            let name = key.split_once('.').unwrap().1;
            let zero_is_cores = *good == 0 && ["workers", "hash_threads"].contains(&name);
            assert!(zero_is_cores || settings.masked().contains(&format!("{name} = {good}\n")), "{key}");
        }
        for bad in [i128::from(*least) - 1, i128::from(*most) + 1, i128::from(u64::MAX) + 1] {
            assert_eq!(
                line(&[(&variable, &bad.to_string())]),
                format!(
                    "{key}: `{bad}` is out of range; \
                     expected a number from {least} to {most} \
                     (environment variable {variable})"
                )
            );
        }
    }
}

#[test]
fn what_is_no_whole_number_is_refused() {
    for bad in ["twelve", "12.0", "1e1", "true", "0x0c", "", "12 13"] {
        let line = line(&[("KEYFOB__PASSWORD__BCRYPT_COST", bad)]);
        assert!(line.contains("is not a whole number; expected a number from 4 to 31"), "{line}");
    }
    for bad in ["12.0", "true", "[12]"] {
        let line = line_of(load(&[("config/default.toml", &format!("password.bcrypt_cost = {bad}"))], &[]));
        assert!(line.contains("is not a whole number"), "{line}");
    }
    assert_eq!(with_env(&[("KEYFOB__PASSWORD__BCRYPT_COST", " 10 ")]).password.bcrypt_cost, 10);
}

#[test]
fn switches_take_the_usual_words() {
    let set = |word| load(&[], &[("KEYFOB__RATE_LIMIT__ENABLED", word)]).map(|it| it.rate_limit.enabled);
    for word in ["false", "False", "off", "no", " 0 "] {
        assert_eq!(set(word), Ok(false));
    }
    for word in ["true", "TRUE", "on", "yes", "1"] {
        assert_eq!(set(word), Ok(true));
    }
    for word in ["", "2", "ja", "falsch"] {
        assert!(set(word).unwrap_err().to_string().contains("is not a boolean; expected true or false"));
    }
    let line = line_of(load(&[("config/default.toml", "rate_limit.enabled = 1")], &[]));
    assert!(line.contains("is not a boolean"), "{line}");
}

#[test]
fn bind_takes_addresses_only() {
    for good in ["0.0.0.0:80", "[::1]:0", " 127.0.0.1:1 "] {
        assert!(load(&[], &[("KEYFOB__SERVER__BIND", good)]).is_ok());
    }
    for bad in ["localhost:8000", "8000", "127.0.0.1", "127.0.0.1:65536", ":8000", "::1:80:"] {
        let line = line(&[("KEYFOB__SERVER__BIND", bad)]);
        assert!(line.starts_with(&format!("server.bind: `{bad}` is not valid; expected an IP ")), "{line}");
    }
}

#[test]
fn lists_are_arrays_or_texts_with_commas() {
    let expected = ["10.0.0.0/8", "192.0.2.7/32", "::1/128"];
    let as_text = "10.1.2.3/8, 192.0.2.7,::1,";
    let in_env = with_env(&[("KEYFOB__SERVER__TRUSTED_PROXIES", as_text)]);
    let text = format!("server.trusted_proxies = '{as_text}'");
    let array = "server.trusted_proxies = ['10.1.2.3/8', ' 192.0.2.7', '::1']";
    let in_files = [text.as_str(), array].map(|file| load(&[("config/default.toml", file)], &[]).unwrap());
    for settings in in_files.into_iter().chain([in_env]) {
        let proxies: Vec<String> = settings.server.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(proxies, expected);
    }

    let line = line(&[("KEYFOB__SERVER__TRUSTED_PROXIES", "10.0.0.0/8,proxy.test")]);
    assert!(line.contains("`proxy.test` is not an IP address or network"), "{line}");
    for bad in ["[1]", "5", "[['::1']]"] {
        let file = format!("server.trusted_proxies = {bad}");
        assert!(line_of(load(&[("config/default.toml", &file)], &[])).contains("is not a list of strings"));
    }
}

#[test]
fn algorithms_are_spelt_exactly() {
    for name in ["EdDSA", "ES256", "RS256", "HS256"] {
        assert_eq!(with_env(&[("KEYFOB__TOKEN__ALGORITHM", name)]).token.algorithm.as_str(), name);
        assert_eq!(name.parse::<Algorithm>().unwrap().to_string(), name);
    }
    for name in ["eddsa", "EDDSA", "none", "RS512", "Ed25519", ""] {
        let line = line(&[("KEYFOB__TOKEN__ALGORITHM", name)]);
        assert!(line.contains("expected EdDSA, ES256, RS256 or HS256"), "{line}");
        assert!(name.parse::<Algorithm>().is_err());
    }
}

#[test]
fn sign_up_is_open_invited_or_closed() {
    for (text, mode) in [("open", SignUpMode::Open), ("invited", SignUpMode::Invited), ("closed", SignUpMode::Closed)] {
        assert_eq!(with_env(&[("KEYFOB__ACCOUNTS__SIGNUP", text)]).accounts.signup, mode);
    }
    for text in ["Open", "verified", ""] {
        let line = line(&[("KEYFOB__ACCOUNTS__SIGNUP", text)]);
        assert!(line.starts_with("accounts.signup: "), "{line}");
    }
}

#[test]
fn an_address_is_proven_first_if_sign_up_is_neutral_or_accounts_must_be_verified() {
    for name in ["NEUTRAL_SIGNUP", "REQUIRE_VERIFIED_EMAIL"] {
        let name = format!("KEYFOB__ACCOUNTS__{name}");
        assert!(with_env(&[(&name, "true")]).accounts.proves_addresses_first());
        assert!(!with_env(&[(&name, "false")]).accounts.proves_addresses_first());
        let line = line(&[(&name, "maybe")]);
        assert!(line.starts_with("accounts.") && line.contains("`maybe`"), "{line}");
    }
}

#[test]
fn revocation_fail_is_open_or_closed() {
    let settings = with_env(&[("KEYFOB__TOKEN__REVOCATION_FAIL", "closed")]);
    assert_eq!(settings.token.revocation_fail, RevocationFail::Closed);
    let line = line(&[("KEYFOB__TOKEN__REVOCATION_FAIL", "shut")]);
    assert!(line.contains("`shut` is unknown; expected open or closed"), "{line}");
}

#[test]
fn a_secret_that_ends_with_a_line_break_is_refused_wherever_it_comes_from() {
    let hs256 = ("KEYFOB__TOKEN__ALGORITHM", "HS256");
    for key in ["token.secret", "token.key_encryption_secret"] {
        let variable = format!("KEYFOB__{}", key.replace('.', "__").to_uppercase());
        for end in ["\n", "\r\n"] {
            let secret = format!("{GOOD_SECRET}{end}");
            let file = format!("{key} = \"\"\"{secret}\"\"\"");
            let dotenv = format!("{variable}='{secret}'");
            let lines = [
                line(&[hs256, (&variable, &secret)]),
                line_of(load(&[("config/default.toml", &file)], &[hs256])),
                line_of(load(&[(".env", &dotenv)], &[hs256])),
            ];
            for line in lines {
                assert!(line.starts_with(&format!("{key}: ends with a line break")), "{line}");
                assert!(!line.contains(GOOD_SECRET), "{line}");
            }
        }
        assert!(load(&[], &[hs256, (&variable, GOOD_SECRET)]).is_ok());
    }
}
