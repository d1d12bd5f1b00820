//! Which layer wins, and the errors for unusable files and names.

use std::fs;

use super::{line, line_of, load, load_in, place, production, with_env};
use crate::config::{Environment, keys, keys::KEYS};

#[test]
fn later_layers_win() {
    let files = [
        ("config/default.toml", "[password]\nbcrypt_cost = 5\nqueue_length = 5\n[token]\naudience = 'a'"),
        ("config/staging.toml", "[password]\nbcrypt_cost = 6\nqueue_length = 6\n"),
        (".env", "KEYFOB_ENV=staging\nKEYFOB__PASSWORD__BCRYPT_COST=7\nOTHER=x\n"),
    ];
    let settings = load(&files, &[]).unwrap();
    assert_eq!(settings.environment, Environment::Other("staging".to_owned()));
    assert_eq!((settings.password.bcrypt_cost, settings.password.queue_length), (7, 6));
    assert_eq!(settings.token.audience, "a");
    assert_eq!(settings.token.access_ttl_seconds, 900);

    let settings = load(&files, &[("KEYFOB__PASSWORD__BCRYPT_COST", "8"), ("PATH", "x")]).unwrap();
    assert_eq!(settings.password.bcrypt_cost, 8);
}

#[test]
fn the_process_names_the_environment_before_dotenv() {
    let files = [
        (".env", "KEYFOB_ENV=staging\n"),
        ("config/staging.toml", "[token]\naudience = 'staging'"),
        ("config/test.toml", "[token]\naudience = 'test'"),
        ("config/development.toml", "[token]\naudience = 'development'"),
    ];
    let audience = |env| load(&files, env).unwrap().token.audience;
    assert_eq!(audience(&[("KEYFOB_ENV", " test ")]), "test");
    assert_eq!(audience(&[("KEYFOB_ENV", "")]), "staging");
    assert_eq!(audience(&[("keyfob_env", "development")]), "development");
    assert_eq!(load(&files[3..], &[]).unwrap().token.audience, "development");
}

#[test]
fn an_environment_without_a_file_is_refused_unless_it_is_a_known_one() {
    assert_eq!(with_env(&[("KEYFOB_ENV", "development")]).environment, Environment::Development);
    assert_eq!(production(&[]).unwrap().environment, Environment::Production);
    assert_eq!(production(&[("KEYFOB_ENV", "Production")]).unwrap().environment, Environment::Production);

    let line = line(&[("KEYFOB_ENV", "prodution")]);
    assert!(line.starts_with("KEYFOB_ENV: `prodution` is unknown: config/prodution.toml does not exist"), "{line}");
    assert!(line.contains("did you mean `production`?"), "{line}");
}

#[test]
fn an_environment_name_is_no_path() {
    for name in ["../x", "a/b", "a.b", "a b", "C:x"] {
        assert!(line(&[("KEYFOB_ENV", name)]).contains("is not a valid environment name"));
    }
}

#[test]
fn variable_names_ignore_case() {
    let settings = with_env(&[("keyfob__Password__bcrypt_COST", "4")]);
    assert_eq!(settings.password.bcrypt_cost, 4);

    let line = line(&[("KEYFOB__TOKEN__AUDIENCE", "a"), ("keyfob__token__audience", "b")]);
    assert!(line.starts_with("keyfob__token__audience: is set twice, also as KEYFOB__TOKEN__AUDIENCE"));
}

#[test]
fn unknown_keys_in_files_are_refused_with_the_nearest() {
    let unknown = |text: &str| line_of(load(&[("config/default.toml", text)], &[]));
    assert_eq!(
        unknown("[server]\nbnid = 'x'"),
        "server.bnid: unknown key, did you mean `server.bind`? (config/default.toml)"
    );
    let cases = [
        ("server.Bind = 'x'", "server.bind"),
        ("sever.workers = 1", "server.workers"),
        ("bind = 'x'", "server.bind"),
        ("token.bcrypt_cost = 5", "password.bcrypt_cost"),
        ("token.access_ttl = 5", "token.access_ttl_seconds"),
        ("tokens.private-key-file = 'x'", "token.private_key_file"),
        ("token.key_encryption_secert = 'x'", "token.key_encryption_secret"),
        ("server.port = 8000", "server.bind"),
        ("server.host = 'x'", "server.bind"),
    ];
    for (text, meant) in cases {
        let line = unknown(text);
        assert!(line.contains(&format!("unknown key, did you mean `{meant}`?")), "{line}");
    }
    assert!(unknown("token.colour = 1").starts_with("token.colour: unknown key; `keyfob config` lists"));
    let line = unknown("[post]\nqueue = 'hunter2'");
    assert!(line.starts_with("post.queue: unknown key; `keyfob config` lists") && !line.contains("hunter2"), "{line}");
    assert!(unknown("log.level = 'warn'").contains("RUST_LOG=warn"));
    assert!(unknown("[zzz]").starts_with("zzz: unknown key"));
    assert!(unknown("server = 5").starts_with("server: is a section, not a key; its keys are server.bind, "));
}

#[test]
fn unknown_variables_are_refused_with_the_nearest() {
    assert_eq!(
        line(&[("KEYFOB__SERVER__BNID", "x")]),
        "server.bnid: unknown key, did you mean `server.bind`? \
         (environment variable KEYFOB__SERVER__BNID)"
    );
    let line_in_file = line_of(load(&[(".env", "KEYFOB__TOKEN__SECRETS=hunter2")], &[]));
    assert_eq!(
        line_in_file,
        "token.secrets: unknown key, did you mean `token.secret`? \
         (environment variable KEYFOB__TOKEN__SECRETS in .env)"
    );
    assert!(line(&[("KEYFOB__SERVER", "x")]).starts_with("server: is a section"));
    assert!(line(&[("KEYFOB__SERVER__CORS_ORIGINS__0", "x")]).contains("unknown key"));
    assert!(line(&[("KEYFOB__", "x")]).contains("unknown key"));
    for name in ["KEYFOB_SERVER__BIND", "KEYFOB_SERVER_BIND"] {
        assert!(line(&[(name, "x")]).contains("did you mean `KEYFOB__SERVER__BIND` for `server.bind`?"));
    }
    // Variables that orchestrators set for a service named keyfob.
    with_env(&[("KEYFOB_SERVICE_HOST", "10.0.0.1"), ("KEYFOB_PORT", "tcp://10.0.0.1:8000")]);
}

#[test]
fn a_slip_of_the_finger_in_any_key_leads_back_to_it() {
    for key in KEYS {
        let (section, name) = key.split_once('.').unwrap();
        let dropped = format!("{section}.{}", &name[..name.len() - 1]);
        let doubled = format!("{section}.{name}{}", &name[name.len() - 1..]);
        let swapped = format!("{section}.{}{}{}", &name[1..2], &name[..1], &name[2..]);
        for slip in [dropped, doubled, swapped] {
            let fault = keys::unknown_fault(&slip);
            assert_eq!(fault, format!("unknown key, did you mean `{key}`?"), "{slip}");
        }
    }
}

#[test]
fn malformed_toml_is_named_by_file_and_line() {
    let files = [("config/staging.toml", "[token]\n# x\nsecret = \"hunter2\nissuer = 'y'\n")];
    let line = line_of(load(&files, &[("KEYFOB_ENV", "staging")]));
    assert!(line.starts_with("config/staging.toml: line 3, column "), "{line}");
    assert!(!line.contains("hunter2"), "{line}");

    let reason = line.rsplit(": ").next().unwrap();
    assert!(reason.starts_with("invalid basic string"), "{line}");

    for text in ["token.secret = hunter2", "token.secret = 1hunter2", "token.secret 'hunter2'"] {
        let line = line_of(load(&[("config/default.toml", text)], &[]));
        assert!(line.starts_with("config/default.toml: line 1, column "), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
    for text in ["x", "[token", "a = 1\na = 2", "a = ", "token.secret = 99999999999999999999999999999999"] {
        let line = line_of(load(&[("config/default.toml", text)], &[]));
        assert!(line.starts_with("config/default.toml: ") && line.len() > 25, "{line}");
        assert!(!line.contains("999"), "{line}");
    }
}

#[test]
fn unreadable_files_are_named() {
    let dir = place(&[("config/default.toml/x", "")]);
    assert!(line_of(load_in(&dir, &[])).starts_with("config/default.toml: cannot be read: "));

    let dir = place(&[("config/x", "")]);
    fs::write(dir.path().join(".env"), b"A=\xff").unwrap();
    assert_eq!(line_of(load_in(&dir, &[])), ".env: is not valid UTF-8");

    let dir = place(&[("config/default.toml", "\u{feff}token.audience = 'bom'\r\n")]);
    assert_eq!(load_in(&dir, &[]).unwrap().token.audience, "bom");
}
