//! Contract, "Command line": `keyfob user import`.

use std::sync::Arc;

use serde_json::json;

use crate::support::{Home, PASSWORD, Run, Server};

/// Hashes in every format, made by the programs that accounts come from: maker, password, hash.
const FOREIGN: &str = include_str!("../../src/passwords/foreign_hashes.txt");

/// bcrypt of `correct-Horse 7`, cost 4.
const HASH: &str = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";
const HASHED: &str = "correct-Horse 7";

fn import(home: &Home, name: &str, text: &str) -> Run {
    home.write(name, text);
    home.run(&["user", "import", name], "")
}

/// Exit status 1, these rows reported, each in one line that holds the words, and the last line with the counts.
#[track_caller]
fn expect_refused(run: &Run, imported: u32, refused: &[(u32, &str)]) {
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(run.stdout, format!("imported {imported}, refused {}\n", refused.len()), "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), refused.len(), "{run:?}");
    for (line, (number, words)) in lines.iter().zip(refused) {
        assert!(line.starts_with(&format!("line {number}: ")) && line.contains(words), "{line}: {number} {words}");
        assert!(!line.contains('$') || line.contains("Input should be a password hash"), "{line}");
    }
}

fn log_in(server: &Server, email: &str, password: &str) -> u16 {
    server.login(&[("username", email), ("password", password)]).status
}

#[test]
fn accounts_with_hashes_of_every_format_log_in_and_get_a_hash_of_ours() {
    let home = Arc::new(Home::new());
    let foreign: Vec<Vec<&str>> =
        FOREIGN.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect()).collect();
    assert!(foreign.len() > 30);
    let rows = foreign.iter().enumerate().map(|(number, row)| format!("user{number}@example.com,{}\n", quoted(row[2])));
    let file = format!("email,password_hash\n{}", rows.collect::<String>());
    assert_eq!(import(&home, "users.csv", &file).expect_success(), format!("imported {}, refused 0\n", foreign.len()));
    let server = Server::at(Arc::clone(&home));
    let kept = |email: &str| {
        let query = format!("SELECT password_hash AS value FROM users WHERE email_key = '{email}'");
        home.database.text(&query)
    };
    for (number, row) in foreign.iter().enumerate() {
        let (maker, password) = (row[0], row[1]);
        let email = format!("user{number}@example.com");
        assert_eq!(log_in(&server, &email, &format!("{password}x")), 400, "{maker}: {password}");
        assert_eq!(kept(&email), row[2], "{maker}: a wrong password changes nothing");
        assert_eq!(log_in(&server, &email, password), 200, "{maker}: {password}");
        let fits = password.len() <= 72;
        assert!(kept(&email).starts_with("$2b$04$") == fits, "{maker}: {}", kept(&email));
        assert_eq!(log_in(&server, &email, password), 200, "{maker}: {password}, once more");
        assert_eq!(log_in(&server, &email, &format!("{password}x")), 400, "{maker}: {password}");
    }
}

#[test]
fn every_column_is_taken_over() {
    let home = Arc::new(Home::new());
    let file = format!(
        "id,email,password_hash,full_name,is_active,is_admin,email_verified\n\
         17,Ada@Example.com,{HASH},\"Ada \"\"A.\"\"\nLovelace, Countess\",true,True,1\n\
         ,bob@example.com,{HASH},,f,0,\n"
    );
    assert_eq!(import(&home, "users.csv", &file).expect_success(), "imported 2, refused 0\n");
    let server = Server::at(home);
    let grant = server.login(&[("username", "ada@example.com"), ("password", HASHED)]).expect_json(200);
    let ada = server.with_token(grant["access_token"].as_str().unwrap());
    let me = ada.get("/me").expect_json(200);
    assert_eq!(me["id"], 17);
    assert_eq!(me["email"], "Ada@Example.com");
    assert_eq!(me["full_name"], "Ada \"A.\"\nLovelace, Countess");
    assert_eq!((&me["is_admin"], &me["is_active"], &me["email_verified"]), (&json!(true), &json!(true), &json!(true)));
    assert_eq!(log_in(&server, "bob@example.com", HASHED), 400, "a disabled account");
}

#[test]
fn jsonl_is_read_as_well() {
    let home = Arc::new(Home::new());
    let users = [
        json!({"email": "ada@example.com", "password_hash": HASH, "full_name": "Ada", "id": 5, "is_admin": true}),
        json!({"email": "bob@example.com", "password_hash": HASH, "full_name": null, "id": null, "is_active": 1}),
    ];
    let file = format!("\u{feff}{}\r\n\n{}", users[0], users[1]);
    assert_eq!(import(&home, "users.jsonl", &file).expect_success(), "imported 2, refused 0\n");
    let server = Server::at(home);
    assert_eq!(log_in(&server, "ada@example.com", HASHED), 200);
    assert_eq!(log_in(&server, "bob@example.com", HASHED), 200);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_no_fault() {
    let home = Home::new();
    let file = format!("\u{feff}email,password_hash\r\nada@example.com,{HASH}\r\n");
    assert_eq!(import(&home, "users.csv", &file).expect_success(), "imported 1, refused 0\n");
}

#[test]
fn extra_columns_are_ignored_with_one_note() {
    let home = Home::new();
    let file = format!("uuid,email,password_hash,shoe size\n1,a@example.com,{HASH},42\n2,b@example.com,{HASH},43\n");
    let run = import(&home, "users.csv", &file);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), "imported 2, refused 0\n"), "{run:?}");
    assert_eq!(run.stderr, "note: ignored columns: shoe size, uuid\n");
    let user = json!({"email": "c@example.com", "password_hash": HASH, "size": 42});
    let run = import(&home, "users.jsonl", &user.to_string());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), "note: ignored columns: size\n"), "{run:?}");
}

#[test]
fn faulty_rows_are_reported_and_the_others_kept() {
    let home = Arc::new(Home::new());
    let long = "x".repeat(201);
    let file = format!(
        "email,password_hash,full_name,is_admin,id\n\
         a@example.com,{HASH},\"two\nlines\",,\n\
         no address,{HASH},,,\n\
         b@example.com,md5$abc$0123456789,,,\n\
         c@example.com,{HASH},{long},maybe,-1\n\
         d@example.com,{HASH}\n\
         ,{HASH},,,\n\
         e@example.com,,,,\n\
         A@Example.com,{HASH},,,\n\
         f@example.com,{HASH},,,9\n\
         g@example.com,{HASH},,,9\n\
         h@example.com,{HASH},,,\n"
    );
    let run = import(&home, "users.csv", &file);
    expect_refused(
        &run,
        3,
        &[
            (4, "email: Input should be an e-mail address"),
            (5, "password_hash: Input should be a password hash"),
            (6, "full_name: String should have at most 200 characters; id: "),
            (7, "the row has 2 values, but the header has 5"),
            (8, "email: Field required"),
            (9, "password_hash: Field required"),
            (10, "email: line 2 has it already"),
            (12, "id: line 11 has it already"),
        ],
    );
    let server = Server::at(home);
    for email in ["a@example.com", "f@example.com", "h@example.com"] {
        assert_eq!(log_in(&server, email, HASHED), 200, "{email}");
    }
}

#[test]
fn rows_of_jsonl_that_are_no_objects_are_reported() {
    let home = Home::new();
    let user = json!({"email": "a@example.com", "password_hash": HASH});
    let file = format!("{user}\n[\"{HASH}\"]\n{{\"email\": \"b@example.com\", \"password_hash\": \"{HASH}\"\n7\n");
    let run = import(&home, "users.jsonl", &file);
    expect_refused(&run, 1, &[(2, "is not a JSON object"), (3, "is not a JSON object"), (4, "is not a JSON object")]);
}

#[test]
fn accounts_that_are_there_are_refused_in_any_case() {
    let home = Home::new();
    home.run(&["user", "create", "--email", "bob@example.com"], &format!("{PASSWORD}\n")).expect_success();
    let file =
        format!("email,password_hash,id\nBOB@example.com,{HASH},\nada@example.com,{HASH},1\ncy@example.com,{HASH},7\n");
    let run = import(&home, "users.csv", &file);
    expect_refused(&run, 1, &[(2, "email: an account already has it"), (3, "id: an account already has it")]);
    let run = import(&home, "users.csv", &file);
    expect_refused(&run, 0, &[(2, "email"), (3, "id"), (4, "email")]);
}

#[test]
fn addresses_that_are_the_same_in_another_form_are_refused() {
    let home = Home::new();
    let rows = ["mia@bücher.example", "Mia@xn--bcher-kva.example", "jose\u{301}@example.com", "JOSÉ@example.com"];
    let rows: String = rows.iter().map(|email| format!("{email},{HASH}\n")).collect();
    let run = import(&home, "users.csv", &format!("email,password_hash\n{rows}"));
    expect_refused(&run, 2, &[(3, "email: line 2 has it already"), (5, "email: line 4 has it already")]);
    let again = import(&home, "users.csv", &format!("email,password_hash\nMIA@BÜCHER.example,{HASH}\n"));
    expect_refused(&again, 0, &[(2, "email: an account already has it")]);
}

#[test]
fn a_hash_that_takes_much_memory_is_refused_with_the_bound() {
    let home = Home::new();
    let argon2 = |kib: u32| {
        let salt_and_digest = "Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI";
        quoted(&format!("$argon2id$v=19$m={kib},t=1,p=1${salt_and_digest}"))
    };
    let rows = [131_072, 131_073, 1_048_576].map(|kib| format!("user{kib}@example.com,{}\n", argon2(kib)));
    let run = import(&home, "users.csv", &format!("email,password_hash\n{}", rows.concat()));
    expect_refused(&run, 1, &[(3, "128 MiB"), (4, "128 MiB")]);
}

#[test]
fn ids_are_kept_and_new_accounts_get_others() {
    let home = Arc::new(Home::new());
    let file = format!(
        "email,password_hash,id\nnone@example.com,{HASH},\nten@example.com,{HASH},10\none@example.com,{HASH},1\n"
    );
    assert_eq!(import(&home, "users.csv", &file).expect_success(), "imported 3, refused 0\n");
    let id = |email: &str| {
        home.database.text(&format!("SELECT CAST(id AS TEXT) AS value FROM users WHERE email_key = '{email}'"))
    };
    assert_eq!((id("ten@example.com").as_str(), id("one@example.com").as_str()), ("10", "1"));
    assert_eq!(id("none@example.com"), "11");
    let server = Server::at(Arc::clone(&home));
    assert_eq!(server.sign_up("new@example.com").id(), 12);
}

#[test]
fn the_id_of_a_deleted_account_is_given_to_no_other() {
    let server = Server::start();
    server.sign_up("ada@example.com");
    let bob = server.sign_up("bob@example.com");
    let (id, url) = (bob.id(), bob.write_post("the last one"));
    bob.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect(204);
    let file = format!(
        "email,password_hash,id\nbob@example.com,{HASH},{id}\neve@example.com,{HASH},{}\ncy@example.com,{HASH},\n",
        id + 5
    );
    server.home.write("users.csv", &file);
    let dry = server.home.run(&["user", "import", "--dry-run", "users.csv"], "");
    assert_eq!((dry.code, dry.stdout.as_str()), (Some(1), "would import 2, refused 1\n"), "{dry:?}");
    let run = import(&server.home, "users.csv", &file);
    expect_refused(&run, 2, &[(2, "id: a deleted account had it")]);
    assert_eq!(log_in(&server, "bob@example.com", HASHED), 400);
    server.get(&url).expect_error(404);

    // Imported ones that are deleted later, also by hand, are no exception.
    server.home.database.execute("DELETE FROM users WHERE email_key = 'eve@example.com'");
    let run =
        import(&server.home, "users.csv", &format!("email,password_hash,id\nfay@example.com,{HASH},{}\n", id + 5));
    expect_refused(&run, 0, &[(2, "id: a deleted account had it")]);
}

#[test]
fn ids_that_no_account_had_may_come_later_in_any_order() {
    let home = Home::new();
    let row = |id: i64| format!("user{id}@example.com,{HASH},{id}\n");
    let file = |ids: &[i64]| format!("email,password_hash,id\n{}", ids.iter().map(|id| row(*id)).collect::<String>());
    // An import that was interrupted after it had kept the last ids: the others are still to come.
    assert_eq!(import(&home, "users.csv", &file(&[900, 800])).expect_success(), "imported 2, refused 0\n");
    let run = import(&home, "users.csv", &file(&[900, 800, 7, 3, 850]));
    expect_refused(&run, 3, &[(2, "email"), (3, "email")]);
    let count = home.database.text("SELECT CAST(COUNT(*) AS TEXT) AS value FROM users");
    assert_eq!(count, "5");
}

#[test]
fn a_dry_run_reports_and_keeps_nothing() {
    let home = Home::new();
    home.run(&["user", "create", "--email", "bob@example.com"], &format!("{PASSWORD}\n")).expect_success();
    home.write(
        "users.csv",
        &format!(
            "email,password_hash,id\nbob@example.com,{HASH},\nada@example.com,{HASH},50\nADA@example.com,{HASH},\n"
        ),
    );
    let run = home.run(&["user", "import", "--dry-run", "users.csv"], "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), "would import 1, refused 2\n"), "{run:?}");
    assert_eq!(run.stderr.lines().count(), 2, "{run:?}");
    home.run(&["user", "create", "--email", "next@example.com"], &format!("{PASSWORD}\n")).expect_success();
    let count = home.database.text("SELECT CAST(COUNT(*) AS TEXT) || ' ' || CAST(MAX(id) AS TEXT) AS value FROM users");
    assert_eq!(count, "2 2");
}

#[test]
fn a_file_that_cannot_be_imported_fails_with_one_line() {
    let home = Home::new();
    for (name, text, word) in [
        ("a.csv", format!("email,full_name\na@example.com,{HASH}\n"), "password_hash"),
        ("b.csv", format!("a@example.com,{HASH}\nb@example.com,{HASH}\n"), "email"),
        ("c.csv", String::new(), "email"),
        ("d.csv", "email,password_hash,email\n".to_owned(), "twice"),
        ("e.txt", format!("email,password_hash\na@example.com,{HASH}\n"), ".csv or .jsonl"),
    ] {
        let line = import(&home, name, &text).expect_failure();
        assert!(line.contains(word) && line.contains(name) && !line.contains(HASH), "{line}");
    }
    let line = home.run(&["user", "import", "missing.csv"], "").expect_failure();
    assert!(line.contains("missing.csv"), "{line}");
}

#[test]
fn a_running_service_sees_imported_accounts() {
    let server = Server::start();
    server.sign_up("bob@example.com");
    let rows: String = (0..1200).map(|number| format!("user{number}@example.com,{HASH}\n")).collect();
    let run = import(&server.home, "users.csv", &format!("email,password_hash\n{rows}"));
    assert_eq!(run.expect_success(), "imported 1200, refused 0\n");
    assert_eq!(log_in(&server, "user1199@example.com", HASHED), 200);
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
