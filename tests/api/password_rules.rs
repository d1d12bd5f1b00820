//! Contract, "Accounts": which new passwords are refused, on every way to one, and what is said about it.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

use crate::recovery::token_of;
use crate::support::{Answer, Home, PASSWORD, Server};

const MIA: &str = "mia.lund@example.com";
const NAME: &str = "Mia Quillfeather";
const GOOD: &str = "orange-Kettle 99";
const RESET: &str = "/password-reset/confirm";
const PAGE: &str = "http://127.0.0.1:8000/password-reset/confirm";

/// The one fault of an answer: its place, its type and its words.
#[track_caller]
fn fault(answer: Answer) -> (String, String, String) {
    let problem = answer.expect_error(422);
    let [fault] = problem["errors"].as_array().expect("faults").as_slice() else { panic!("one fault: {problem}") };
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&fault["loc"][1]), text(&fault["type"]), text(&fault["msg"]))
}

fn sign_up(server: &Server, email: &str, password: &str) -> Answer {
    server.post("/signup", json!({"email": email, "password": password, "full_name": NAME}))
}

fn reset_token(server: &Server) -> String {
    token_of(&server.home.run(&["user", "reset-link", MIA], "").expect_success(), PAGE)
}

/// Tries a password on every way to a new one, and returns what each says.
fn everywhere(server: &Server, password: &str) -> Vec<(String, String, String)> {
    let mia = server.log_in(MIA);
    let link = server.home.run(&["user", "invite", "mia.lund@example.org"], "").expect_success();
    let invitation = token_of(&link, "http://127.0.0.1:8000/invitation");
    let reset = reset_token(server);
    let answers = [
        sign_up(server, "mia.lund@example.net", password),
        server.post("/invitation", json!({"token": invitation, "password": password, "full_name": NAME})),
        mia.post("/me/password", json!({"current_password": PASSWORD, "new_password": password})),
        server.post(RESET, json!({"token": reset, "new_password": password})),
    ];
    answers.into_iter().map(fault).collect()
}

fn with_mia(settings: &[(&str, &str)]) -> Server {
    let server = Server::with(settings);
    sign_up(&server, MIA, PASSWORD).expect(201);
    server
}

#[test]
fn a_refused_password_is_422_on_every_way_to_a_new_one_with_its_type_and_words() {
    let server = with_mia(&[]);
    for (password, kind, words) in [
        ("24.07.1956", "password_guessable", ["it has a date in it", "Add a word or two"]),
        ("blacksmith", "password_guessable", ["it is one word", "Add a word or two"]),
        ("Mia.Lund in the rain", "password_contains_email", ["your e-mail address", "before the @"]),
        ("seven QUILLFEATHER pies", "password_contains_name", ["your name", "a part of it"]),
    ] {
        let faults = everywhere(&server, password);
        let fields: Vec<&str> = faults.iter().map(|(field, ..)| field.as_str()).collect();
        assert_eq!(fields, ["password", "password", "new_password", "new_password"]);
        for (_, found, message) in &faults {
            assert_eq!(found, kind, "{password}");
            assert!(words.iter().all(|word| message.contains(word)) && !message.contains(password), "{message}");
        }
    }
}

#[test]
fn a_refused_password_uses_neither_a_reset_nor_an_invitation() {
    let server = with_mia(&[]);
    let reset = reset_token(&server);
    let link = server.home.run(&["user", "invite", "eve.berg@example.com"], "").expect_success();
    let invitation = token_of(&link, "http://127.0.0.1:8000/invitation");
    for weak in ["blacksmith", "24.07.1956"] {
        fault(server.post(RESET, json!({"token": reset, "new_password": weak})));
        fault(server.post("/invitation", json!({"token": invitation, "password": weak})));
    }
    server.post(RESET, json!({"token": reset, "new_password": GOOD})).expect(204);
    server.post("/invitation", json!({"token": invitation, "password": GOOD})).expect(201);
}

#[test]
fn a_refused_password_changes_nothing() {
    let server = with_mia(&[]);
    let mia = server.log_in(MIA);
    fault(mia.post("/me/password", json!({"current_password": PASSWORD, "new_password": "blacksmith"})));
    mia.get("/me").expect(200);
    server.log_in(MIA);
    server.login(&[("username", MIA), ("password", "blacksmith")]).expect_oauth_error(400, "invalid_grant");
}

#[test]
fn the_name_of_the_service_and_the_domain_of_the_owner_add_little() {
    let server = Server::with(&[("token.issuer", "https://id.quillfeather.example")]);
    for (email, password) in [("a@example.com", "quillfeather 7"), ("a@thornfield.example", "thornfield 77")] {
        let answer = server.post("/signup", json!({"email": email, "password": password}));
        assert_eq!(fault(answer).1, "password_guessable");
    }
    for (email, password) in [("a@example.com", "thornfield 77 9"), ("b@example.com", "seven thornfield pies")] {
        server.post("/signup", json!({"email": email, "password": password})).expect(201);
    }
}

#[test]
fn min_score_decides_how_hard_to_guess_a_password_must_be() {
    for (score, password, is_fine) in [
        ("0", "blacksmith", true),
        ("1", "blacksmith", true),
        ("2", "blacksmith", false),
        ("4", "lantern-quartz", false),
    ] {
        let server = Server::with(&[("password.min_score", score)]);
        let answer = sign_up(&server, MIA, password);
        assert_eq!(answer.status, if is_fine { 201 } else { 422 }, "{answer}");
    }
    let server = Server::with(&[("password.min_score", "0")]);
    sign_up(&server, MIA, "password").expect(422);
    sign_up(&server, MIA, "mia.lund-1").expect(422);
}

#[test]
fn a_password_that_was_set_before_the_rules_goes_on_working() {
    let mut home = Home::with(&[("password.min_score", "0")]);
    home.run(&["user", "create", "--email", MIA], "blacksmith\n").expect_success();
    home.set("password.min_score", "4");
    let server = Server::at(Arc::new(home));
    let grant = server.login(&[("username", MIA), ("password", "blacksmith")]).expect_json(200);
    let change = json!({"current_password": "blacksmith", "new_password": GOOD});
    server.actor(grant).post("/me/password", change).expect(204);
}

#[test]
fn imported_hashes_are_not_affected() {
    let server = Server::with(&[("password.min_score", "4")]);
    // bcrypt of `blacksmith`, cost 4.
    let hash = bcrypt_of("blacksmith");
    server.home.write("users.csv", &format!("email,password_hash\n{MIA},{hash}\n"));
    server.home.run(&["user", "import", "users.csv"], "").expect_success();
    server.login(&[("username", MIA), ("password", "blacksmith")]).expect_json(200);
}

/// A hash as another program would bring it, made by a service without the rules.
fn bcrypt_of(password: &str) -> String {
    let server = Server::with(&[("password.min_score", "0")]);
    server.post("/signup", json!({"email": "x@example.com", "password": password})).expect(201);
    server.home.database.text("SELECT password_hash AS value FROM users")
}

#[test]
fn the_page_of_a_link_tells_the_reason_in_both_languages() {
    let server = with_mia(&[]);
    let token = reset_token(&server);
    for (password, english, german) in [
        ("24.07.1956", "it has a date in it", "Es enthält ein Datum"),
        ("P@ssw0rd12", "such as @ for a, add little", "etwa @ für a, helfen wenig"),
        ("mia.lund-1 x y z", "should not contain your e-mail address", "darf Ihre E-Mail-Adresse nicht enthalten"),
        ("x quillfeather 7 y", "should not contain your name", "darf Ihren Namen nicht enthalten"),
    ] {
        for (language, words) in [("en", english), ("de", german)] {
            let form = server.request("POST", RESET).form(&[("token", &token), ("new_password", password)]);
            let page = form.header("accept-language", language).send();
            assert_eq!(page.status, 422, "{page}");
            assert!(page.text().contains(words) && !page.text().contains(password), "{words}: {page}");
        }
    }
}

fn sha1(password: &str) -> String {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

/// A hundred thousand lines as the public lists have them, and the hashes alone.
fn list(passwords: &[&str]) -> (String, Vec<String>) {
    let others = (0..100_000).map(|number| sha1(&format!("breached {number}")));
    let mut hashes: Vec<String> = others.chain(passwords.iter().map(|password| sha1(password))).collect();
    hashes.sort();
    let lines = hashes.iter().enumerate().map(|(number, hash)| format!("{hash}:{}\r\n", number % 1000 + 1));
    (lines.collect(), hashes)
}

fn with_list(text: &str) -> Server {
    let mut home = Home::new();
    home.write("breached.txt", text);
    home.set("password.breached_file", "breached.txt");
    let server = Server::at(Arc::new(home));
    sign_up(&server, MIA, PASSWORD).expect(201);
    server
}

#[test]
fn a_breached_password_is_422_on_every_way_to_a_new_one() {
    let server = with_list(&list(&[GOOD]).0);
    for (_, kind, message) in everywhere(&server, GOOD) {
        assert_eq!(kind, "password_breached");
        assert!(message.contains("a list of stolen passwords") && !message.contains(GOOD), "{message}");
    }
    let token = reset_token(&server);
    server.post(RESET, json!({"token": token, "new_password": "green-Kettle 99"})).expect(204);
    server.login(&[("username", MIA), ("password", "green-Kettle 99")]).expect_json(200);
}

#[test]
fn the_first_and_the_last_of_a_list_are_found_and_the_form_that_was_typed_does_not_matter() {
    // Of these, sorted by their hashes, the first and the last come before and after all others of a small list.
    let passwords: Vec<String> = (0..50).map(|number| format!("mañana lantern {number}")).collect();
    let mut sorted: Vec<&str> = passwords.iter().map(String::as_str).collect();
    sorted.sort_by_key(|password| sha1(password));
    let (first, missing, last) = (sorted[0], sorted[25], sorted[49]);
    sorted.remove(25);
    let text: Vec<String> = sorted.iter().map(|password| sha1(password).to_lowercase()).collect();
    let server = with_list(&text.join("\n"));
    for breached in [first, last] {
        for typed in [breached.to_owned(), breached.replace('ñ', "n\u{303}")] {
            assert_eq!(fault(sign_up(&server, "a@example.com", &typed)).1, "password_breached", "{typed}");
        }
    }
    sign_up(&server, "a@example.com", missing).expect(201);
}

#[test]
fn the_command_line_says_the_same_words() {
    let server = with_list(&list(&[GOOD]).0);
    for password in ["blacksmith", "24.07.1956", GOOD, "xx a.b-c@example.com xx"] {
        let (.., message) = fault(server.post("/signup", json!({"email": "a.b-c@example.com", "password": password})));
        let create = ["user", "create", "--email", "a.b-c@example.com"];
        let line = server.home.run(&create, &format!("{password}\n")).expect_failure();
        assert_eq!(line, format!("keyfob: {message}\n"));
    }
}

#[test]
fn a_list_that_cannot_be_used_stops_the_start_with_one_line_that_names_the_key_and_the_fault() {
    let (_, mut hashes) = list(&[]);
    hashes.reverse();
    for (text, fault) in [
        ("", "does not begin with such a line"),
        ("sunshine\npassword\n", "does not begin with such a line"),
        ("8846F7EAEE8FB117AD06BDD830B7586C:3\n", "does not begin with such a line"),
        (&hashes.join("\n"), "is not sorted"),
    ] {
        let mut home = Home::new();
        home.write("breached.txt", text);
        home.set("password.breached_file", "breached.txt");
        for arguments in [&["serve"][..], &["user", "create", "--email", MIA]] {
            let line = home.run(arguments, &format!("{PASSWORD}\n")).expect_failure();
            assert!(line.contains("password.breached_file: `breached.txt`") && line.contains(fault), "{line}");
        }
    }
    let mut home = Home::new();
    for (path, fault) in [("none.txt", "cannot be read"), (".", "is a directory")] {
        home.set("password.breached_file", path);
        let line = home.run(&["serve"], "").expect_failure();
        assert!(line.contains("KEYFOB__PASSWORD__BREACHED_FILE") && line.contains(fault), "{line}");
    }
}

#[test]
fn a_list_that_is_damaged_while_the_service_runs_refuses_new_passwords_with_503_and_no_log_in() {
    let server = with_list(&list(&[]).0);
    server.home.write("breached.txt", &"x\n".repeat(100_000));
    sign_up(&server, "a@example.com", GOOD).expect_error(503);
    server.log_in(MIA);
}
