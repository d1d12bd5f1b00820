//! `keyfob user import`: quotes that are not closed, and what the messages about a file hold.

use std::sync::Arc;

use serde_json::json;

use crate::support::{Home, Run, Server};

/// bcrypt of `correct-Horse 7`, cost 4.
const HASH: &str = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";
const HASHED: &str = "correct-Horse 7";
const HEADER: &str = "email,password_hash,full_name";

fn import(home: &Home, name: &str, text: &str) -> Run {
    home.write(name, text);
    let run = home.run(&["user", "import", name], "");
    assert!(!run.stderr.contains(HASH) && !run.stderr.contains("bob@example.com"), "{run:?}");
    run
}

/// The lines that are reported, and what was done in all.
#[track_caller]
fn expect(run: &Run, imported: u32, refused: &[(u32, &str)]) {
    assert_eq!(run.stdout, format!("imported {imported}, refused {}\n", refused.len()), "{run:?}");
    assert_eq!(run.code, Some(i32::from(!refused.is_empty())), "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), refused.len(), "{run:?}");
    for (line, (number, words)) in lines.iter().zip(refused) {
        assert!(line.starts_with(&format!("line {number}: ")) && line.contains(words), "{line}");
    }
}

/// Rows of a file, each ended so.
fn file(rows: &[&str], end: &str) -> String {
    rows.iter().map(|row| format!("{}{end}", row.replace("HASH", HASH))).collect()
}

#[test]
fn a_row_with_a_quote_that_is_not_closed_is_refused_and_all_others_are_imported() {
    let ends = [
        // To the end of the file.
        &["bob@example.com,HASH,\"Bob", "cy@example.com,HASH,Cy", "di@example.com,HASH,"][..],
        // To the quote that opens another row's value.
        &["bob@example.com,HASH,\"Bob", "cy@example.com,HASH,\"Cy\"", "di@example.com,HASH,"],
        // To a quote that would close it.
        &["bob@example.com,HASH,\"Bob", "cy@example.com,HASH,Cy\"", "di@example.com,HASH,"],
        // In the first value, the hash of the next row in quotes.
        &["\"bob@example.com,HASH,Bob", "cy@example.com,\"HASH\",Cy", "di@example.com,HASH,"],
        // The quote is closed, and more follows.
        &["bob@example.com,HASH,\"Bob\" the \"builder\"", "cy@example.com,HASH,Cy", "di@example.com,HASH,"],
    ];
    for rows in ends {
        for end in ["\n", "\r\n", "\r"] {
            let home = Arc::new(Home::new());
            let rows = [&[HEADER, "ada@example.com,HASH,\"Ada \"\"A.\"\"\nLovelace\""], rows].concat();
            expect(&import(&home, "users.csv", &file(&rows, end)), 3, &[(4, "quote")]);
            let name = |email: &str| {
                home.database.text(&format!("SELECT full_name AS value FROM users WHERE email_key = '{email}'"))
            };
            assert_eq!(name("ada@example.com").replace('\r', "\n"), "Ada \"A.\"\nLovelace");
            assert_eq!(name("cy@example.com").trim_matches('"'), "Cy", "{rows:?}");
            let server = Server::at(home);
            for email in ["ada@example.com", "cy@example.com", "di@example.com"] {
                let fields = [("username", email), ("password", HASHED)];
                assert_eq!(server.login(&fields).status, 200, "{email}: {rows:?}");
            }
        }
    }
}

#[test]
fn a_quote_that_is_not_closed_in_the_header_is_told_in_one_line_without_a_row() {
    let rows = ["ada@example.com,HASH,Ada", "bob@example.com,HASH,\"Bob\"", "cy@example.com,HASH,Cy"];
    for header in
        ["email,password_hash,\"full_name", "\"email,password_hash,full_name", "email,password_hash,\"full_name\" x"]
    {
        for rows in [&rows[..1], &rows, &["ada@example.com,HASH,\"", "bob@example.com,HASH,Bob"]] {
            let home = Home::new();
            let text = file(&[&[header], rows].concat(), "\n");
            let line = import(&home, "users.csv", &text).expect_failure();
            assert!(line.contains("users.csv: line 1: ") && line.contains("quote"), "{line}");
            for part in ["ada", "Bob", "full_name", HASH] {
                assert!(!line.contains(part), "{line}");
            }
        }
    }
}

#[test]
fn line_numbers_are_those_of_an_editor_whatever_ends_the_lines() {
    for end in ["\n", "\r\n", "\r"] {
        for mark in ["", "\u{feff}"] {
            let home = Home::new();
            let rows = [
                HEADER,
                "",
                "no address,HASH,",
                "ada@example.com,HASH,\"two\nlines\"",
                "",
                "none,HASH,",
                "bob@example.com,HASH",
            ];
            let run = import(&home, "users.csv", &format!("{mark}{}", file(&rows, end)));
            expect(&run, 1, &[(3, "email"), (7, "email"), (8, "the row has 2 values")]);
        }
    }
}

#[test]
fn a_header_in_quotes_behind_a_byte_order_mark_is_read() {
    let home = Home::new();
    let run = import(&home, "users.csv", &format!("\u{feff}\"email\",\"password_hash\"\r\nada@example.com,{HASH}\r\n"));
    expect(&run, 1, &[]);
}

#[test]
fn a_quote_that_is_not_closed_costs_no_more_than_the_rows_behind_it() {
    let home = Home::new();
    let more: String =
        (0..3000).map(|number| format!("user{number}@example.com,no hash,{}\n", "x".repeat(100))).collect();
    let text = format!("{HEADER}\nada@example.com,{HASH},\"Ada\n{more}");
    let run = import(&home, "users.csv", &text);
    assert_eq!(run.stdout, "imported 0, refused 3001\n", "{}", run.stdout);
    assert!(run.stderr.starts_with("line 2: a quote is not closed\nline 3: password_hash: "), "{}", &run.stderr[..200]);
}

#[test]
fn a_row_that_was_taken_for_the_names_is_not_shown() {
    let home = Home::new();
    let row = json!({"ada@example.com": "bob@example.com", HASH: HASH, "full name": "Bob"});
    let run = import(&home, "users.jsonl", &format!("{row}\n"));
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), "imported 0, refused 1\n"), "{run:?}");
    assert!(run.stderr.contains("ignored columns: ") && run.stderr.contains("full name"), "{run:?}");
}

#[test]
fn a_line_of_jsonl_that_is_cut_off_is_refused_and_all_others_are_imported() {
    for end in ["\n", "\r\n"] {
        let home = Home::new();
        let row = |name: &str| json!({"email": format!("{name}@example.com"), "password_hash": HASH}).to_string();
        let cut = r#"{"email": "bob@example.com", "full_name": "Bob, "password_hash": "HASH"}"#.replace("HASH", HASH);
        let text = [row("ada"), cut, String::new(), "{\"email\": \"x".to_owned(), row("cy")].join(end);
        expect(&import(&home, "users.jsonl", &text), 2, &[(2, "is not a JSON object"), (4, "is not a JSON object")]);
    }
}
