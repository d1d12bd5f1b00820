//! The command line as people meet it: help, completions, colours, `keyfob login` and `keyfob token inspect`.

use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Forge, Home, PASSWORD, SECRET, Server, decode, now_seconds};

/// The commands under these arguments, as `--help` lists them.
fn commands(home: &Home, path: &[&str]) -> Vec<String> {
    let help = home.run(&[path, &["--help"]].concat(), "").expect_success();
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| line.starts_with("  "));
    let names = list.filter_map(|line| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned));
    names.filter(|name| !name.is_empty() && name != "help").collect()
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let home = Home::new();
    let mut seen = 0;
    for outer in commands(&home, &[]) {
        let inner = commands(&home, &[&outer]);
        let paths: Vec<Vec<&str>> = match inner.len() {
            0 => vec![vec![&outer]],
            _ => inner.iter().map(|inner| vec![outer.as_str(), inner]).collect(),
        };
        for path in paths {
            let help = home.run(&[&path[..], &["--help"]].concat(), "").expect_success();
            assert!(help.contains("\nExample") && help.contains(&format!("keyfob {}", path.join(" "))), "{help}");
            seen += 1;
        }
    }
    assert!(seen >= 14, "{seen} commands");
}

#[test]
fn completions_are_scripts_that_the_shells_take() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.run(&["completions", shell], "").expect_success();
        assert!(script.contains("inspect") && script.contains("token-only"), "{shell}: {script}");
    }
    let script = home.run(&["completions", "bash"], "").expect_success();
    home.write("keyfob.bash", &script);
    let asked =
        ". ./keyfob.bash; COMP_WORDS=(keyfob user cr); COMP_CWORD=2; _keyfob keyfob cr user; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["-c", asked]).current_dir(home.folder()).output().expect("bash");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "create", "{output:?}");
    home.run(&["completions", "tcsh"], "").expect_failure();
}

/// `--help` on a terminal of its own, which `script` makes.
#[cfg(target_os = "linux")]
fn help_on_a_terminal(variables: &[(&str, &str)]) -> String {
    let command = format!("{} --help", env!("CARGO_BIN_EXE_keyfob"));
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR");
    let output = script.envs(variables.iter().copied()).output().expect("script, of Debian's bsdutils");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(target_os = "linux")]
#[test]
fn colours_are_for_terminals_that_want_them() {
    assert!(help_on_a_terminal(&[]).contains("\u{1b}["), "no styles on a terminal");
    assert!(!help_on_a_terminal(&[("NO_COLOR", "1")]).contains('\u{1b}'), "styles in spite of NO_COLOR");
    assert!(!Home::new().run(&["--help"], "").expect_success().contains('\u{1b}'), "styles in a pipe");
}

fn log_in(server: &Server, arguments: &[&str], input: &str) -> crate::support::Run {
    let url = format!("http://{}", server.address);
    server.home.run(&[&["login", "--url", &url], arguments].concat(), input)
}

#[test]
fn login_prints_the_answer_or_the_access_token_alone() {
    let server = Server::start();
    server.sign_up("mia@example.com");
    let input = format!("{PASSWORD}\n");
    let printed = log_in(&server, &["--email", "mia@example.com"], &input).expect_success();
    let answer: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(answer["token_type"], "bearer");
    assert!(answer["refresh_token"].is_string());
    server.with_token(answer["access_token"].as_str().unwrap()).get("/me").expect_json(200);

    let arguments = ["--email", "mia@example.com", "--scope", "profile", "--token-only"];
    let token = log_in(&server, &arguments, &input).expect_success();
    let (_, claims) = decode(token.trim());
    assert_eq!(claims["scope"], "profile");
}

#[test]
fn login_asks_the_issuer_where_no_url_is_given() {
    let server = Server::start();
    server.sign_up("mia@example.com");
    let home = Home::with(&[("token.issuer", &format!("http://{}", server.address))]);
    home.run(&["login", "--email", "mia@example.com"], PASSWORD).expect_success();
}

#[test]
fn login_tells_a_refusal_in_one_line_without_the_password() {
    let server = Server::start();
    server.sign_up("mia@example.com");
    let line = log_in(&server, &["--email", "mia@example.com"], "a wrong password\n").expect_failure();
    assert_eq!(line, "keyfob: invalid_grant: Incorrect username or password\n");
    let line = log_in(&server, &[], &format!("{PASSWORD}\n")).expect_failure();
    assert!(line.contains("--email is missing"), "{line}");
    let line = log_in(&server, &["--email", "mia@example.com", "--scope", "nonsense"], PASSWORD).expect_failure();
    assert!(line.starts_with("keyfob: invalid_scope: "), "{line}");
}

#[test]
fn login_sends_no_password_where_others_can_read_it_or_nobody_listens() {
    let home = Home::new();
    let login = |url: &str| home.run(&["login", "--url", url, "--email", "mia@example.com"], PASSWORD).expect_failure();
    assert!(login("http://id.test").contains("unencrypted"), "{}", login("http://id.test"));
    assert!(login("http://192.0.2.1:8000").contains("unencrypted"));
    assert!(login("http://localhost.id.test").contains("unencrypted"));
    assert!(login("http://127.0.0.1:1").contains("cannot be reached"));
    for url in ["nonsense", "127.0.0.1:8000", "ftp://127.0.0.1", "http://", ""] {
        assert!(login(url).contains("is not an http:// or https:// URL"), "{}", login(url));
    }
}

/// `keyfob token inspect` with the token on standard input.
fn inspect(home: &Home, arguments: &[&str], token: &str) -> crate::support::Run {
    home.run(&[&["token", "inspect"], arguments].concat(), &format!("{token}\n"))
}

/// The fault of a token that was shown all the same, without its signature.
#[track_caller]
fn fault(run: crate::support::Run, token: &str) -> String {
    let signature = token.rsplit('.').next().unwrap_or_default();
    assert!(signature.is_empty() || !run.stdout.contains(signature), "{run:?}");
    assert!(!run.stdout.contains("valid:"), "{run:?}");
    let line = run.expect_failure();
    line.strip_prefix("keyfob: the token is not valid: ").unwrap_or_else(|| panic!("{line}")).trim_end().to_owned()
}

#[test]
fn token_inspect_shows_a_good_token_but_not_its_signature() {
    for algorithm in ["EdDSA", "ES256", "RS256", "HS256"] {
        let server = Server::with(&[("token.algorithm", algorithm), ("token.access_ttl_seconds", "90")]);
        let mia = server.sign_up("mia@example.com");
        let signature = mia.token.rsplit('.').next().unwrap();
        let shown = inspect(&server.home, &[], &mia.token).expect_success();
        for text in [algorithm, "at+jwt", "client_id", "profile posts", ", in 1 min", "valid: signed by", "secret"] {
            assert!(shown.contains(text), "{text} in {shown}");
        }
        assert!(!shown.contains(signature) && !shown.contains(&mia.token), "{shown}");
        let as_argument = server.home.run(&["token", "inspect", &mia.token], "").expect_success();
        assert_eq!(as_argument.lines().count(), shown.lines().count());
    }
}

#[test]
fn token_inspect_takes_the_keys_of_a_url() {
    let server = Server::start();
    let mia = server.sign_up("mia@example.com");
    let url = format!("http://{}", server.address);
    let elsewhere = Home::new();
    inspect(&elsewhere, &["--url", &url], &mia.token).expect_success();

    let other = Server::start();
    let other_url = format!("http://{}", other.address);
    let fault = fault(inspect(&elsewhere, &["--url", &other_url], &mia.token), &mia.token);
    assert!(fault.contains("is not among the 1 of"), "{fault}");
    let line = inspect(&elsewhere, &["--url", "http://127.0.0.1:1"], &mia.token).expect_failure();
    assert!(line.contains("cannot be reached"), "{line}");

    let secret = Server::with_hs256();
    let bob = secret.sign_up("bob@example.com");
    let run = inspect(&elsewhere, &["--url", &format!("http://{}", secret.address)], &bob.token);
    assert!(self::fault(run, &bob.token).contains("with HS256 no key is published"));
}

#[test]
fn token_inspect_tells_each_reason_why_a_token_is_not_good() {
    let mut home =
        Home::with(&[("token.algorithm", "HS256"), ("token.secret", SECRET), ("token.access_ttl_seconds", "1")]);
    home.set("token.issuer", "http://id.test");
    let server = Server::at(std::sync::Arc::new(home));
    let home = &server.home;
    let mia = server.sign_up("mia@example.com");
    thread::sleep(Duration::from_secs(2));
    let told = fault(inspect(home, &[], &mia.token), &mia.token);
    assert!(told.starts_with("it expired ") && told.ends_with(" s ago"), "{told}");

    let forge = Forge::of(&mia.token);
    let cases: [(&str, Value, &str); 5] = [
        ("iss", json!("http://evil.test"), "its issuer is http://evil.test, not http://id.test"),
        ("aud", json!(["a", "b"]), "its audience is [\"a\",\"b\"], not keyfob"),
        ("nbf", json!(4_000_000_000_i64), "its nbf is "),
        ("exp", json!("soon"), "its exp is not a whole number of seconds"),
        ("client_id", Value::Null, "it lacks client_id"),
    ];
    for (claim, value, expected) in cases {
        let forge = forge.clone().claim("exp", now_seconds() + 60);
        let forge = if value.is_null() { forge.without(claim) } else { forge.claim(claim, value) };
        let token = forge.sign();
        let told = fault(inspect(home, &[], &token), &token);
        assert!(told.starts_with(expected) && !told.contains(';'), "{claim}: {told}");
    }
    let cut = mia.token.rsplit_once('.').unwrap().0;
    let told = fault(inspect(home, &[], &format!("{cut}.AAAA")), "x.AAAA");
    assert!(told.contains("its signature does not match the key"), "{told}");
    for (token, expected) in [("", "it is empty"), ("a.b.c", "it is not a JWT"), ("kfr_0123456789", "a refresh token")]
    {
        let told = fault(inspect(home, &[], token), "");
        assert!(told.contains(expected), "{told}");
    }
}
