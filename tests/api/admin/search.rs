//! `GET /users`: pages, and finding accounts by a part of the address.

use serde_json::{Value, json};

use crate::support::{Actor, Server};

/// The addresses that a query gives, page after page, and how many pages there were.
#[track_caller]
fn walk(admin: &Actor, query: &str) -> (Vec<String>, usize) {
    let (mut found, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = admin.get(&format!("/users?{query}{cursor}")).expect_json(200);
        pages += 1;
        found.extend(page["items"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (found, pages),
        }
    }
}

/// Accounts by the hundred, put into the database in one statement: `person1@example.com` and so on.
fn people(server: &Server, number: usize) {
    let rows: Vec<String> = (1..=number)
        .map(|number| format!("('person{number}@example.com', 'person{number}@example.com', '!', 0, 0)"))
        .collect();
    for rows in rows.chunks(500) {
        server.home.database.execute(&format!(
            "INSERT INTO users (email, email_key, password_hash, created_at, updated_at) VALUES {}",
            rows.join(", ")
        ));
    }
}

#[test]
fn the_list_shows_every_account_once_oldest_first_while_others_sign_up() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    people(&server, 45);
    let first = root.get("/users").expect_json(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 20);
    assert_eq!(first["items"][0]["email"], "root@example.com");
    server.sign_up("late@example.com");
    let (found, pages) = walk(&root, "limit=20");
    assert_eq!((found.len(), pages), (47, 3));
    assert_eq!((found[1].as_str(), found[46].as_str()), ("person1@example.com", "late@example.com"));
    let user = &first["items"][0];
    let members: Vec<&String> = user.as_object().unwrap().keys().collect();
    let expected = ["created_at", "email", "email_verified", "full_name", "id", "is_active", "is_admin", "updated_at"];
    assert_eq!(members, expected);
    for (query, name) in [("limit=0", "limit"), ("limit=101", "limit"), ("cursor=x", "cursor"), ("email=%00", "email")]
    {
        root.get(&format!("/users?{query}")).expect_faults(&[&["query", name]]);
    }
    root.get(&format!("/users?email={}", "x".repeat(255))).expect_faults(&[&["query", "email"]]);
}

#[test]
fn a_part_of_the_address_finds_accounts_in_any_case_and_nothing_in_it_is_a_wildcard() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    for email in ["Ada.Lovelace@Example.com", "ada_l@example.org", "bob%1@example.com", "mia@bücher.example"] {
        server.sign_up(email);
    }
    for (part, expected) in [
        ("ada", &["Ada.Lovelace@Example.com", "ada_l@example.org"][..]),
        ("ADA.", &["Ada.Lovelace@Example.com"]),
        ("@EXAMPLE.ORG", &["ada_l@example.org"]),
        ("a_l", &["ada_l@example.org"]),
        ("b%251", &["bob%1@example.com"]),
        ("%25", &["bob%1@example.com"]),
        ("%20ada_%20", &["ada_l@example.org"]),
        ("b%C3%BCcher", &["mia@bücher.example"]),
        ("xn--bcher", &["mia@bücher.example"]),
        ("'", &[]),
        ("nobody", &[]),
    ] {
        assert_eq!(walk(&root, &format!("email={part}")).0, expected, "{part}");
    }
    assert_eq!(walk(&root, "email=").0.len(), 5);
    assert_eq!(walk(&root, "email=example&limit=2"), (walk(&root, "email=example").0, 3));
}

/// More accounts than one statement looks at.
#[test]
fn a_search_goes_through_all_accounts() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    people(&server, 10_500);
    server.home.database.execute("DELETE FROM users WHERE id BETWEEN 4000 AND 4100");
    server.sign_up("zoe@example.com");
    assert_eq!(walk(&root, "email=zoe"), (vec!["zoe@example.com".to_owned()], 1));
    let (found, _) = walk(&root, "email=99@&limit=7");
    let expected = (1..=10_500).filter(|number| number % 100 == 99 && !(3999..=4099).contains(number));
    let expected: Vec<String> = expected.map(|number| format!("person{number}@example.com")).collect();
    assert_eq!(found, expected);
    let none: Value = root.get("/users?email=nobody-at-all").expect_json(200);
    assert_eq!(none, json!({"items": [], "next_cursor": null}));
}
