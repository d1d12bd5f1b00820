//! Contract, "Accounts": `POST /signup`.

use std::collections::BTreeSet;
use std::thread;

use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, is_time};

/// Signs up with this password.
fn with_password(server: &Server, email: &str, password: &str) -> crate::support::Answer {
    server.post("/signup", json!({"email": email, "password": password}))
}

#[track_caller]
fn expect_user(user: &Value) {
    let mut members: Vec<_> = user.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(
        members,
        ["created_at", "email", "email_verified", "full_name", "id", "is_active", "is_admin", "updated_at"]
    );
    assert!(user["id"].as_i64().is_some_and(|id| (1..1 << 53).contains(&id)), "{user}");
    for member in ["created_at", "updated_at"] {
        assert!(user[member].as_str().is_some_and(is_time), "{member} is RFC 3339 in UTC: {user}");
    }
}

#[test]
fn a_sign_up_answers_201_with_the_user_and_where_the_profile_is() {
    let server = Server::start();
    let body = json!({"email": "bob@example.com", "password": PASSWORD, "full_name": "Bob Ünlü"});
    let answer = server.post("/signup", body);
    let location = answer.need("location").to_owned();
    let user = answer.expect_json(201);
    expect_user(&user);
    assert_eq!(location, format!("/profile/{}", user["id"]));
    assert_eq!((&user["email"], &user["full_name"]), (&json!("bob@example.com"), &json!("Bob Ünlü")));
    assert_eq!(
        (&user["is_active"], &user["is_admin"], &user["email_verified"]),
        (&json!(true), &json!(false), &json!(false))
    );
    let bob = server.log_in("bob@example.com");
    assert_eq!(bob.get(&location).expect_json(200), user);
}

#[test]
fn the_full_name_is_optional() {
    let server = Server::start();
    assert_eq!(with_password(&server, "a@example.com", PASSWORD).expect_json(201)["full_name"], json!(null));
    let body = json!({"email": "b@example.com", "password": PASSWORD, "full_name": null});
    assert_eq!(server.post("/signup", body).expect_json(201)["full_name"], json!(null));
}

#[test]
fn a_full_name_of_200_characters_is_fine_and_one_of_201_is_not() {
    let server = Server::start();
    for (number, letter) in ["x", "ü", "🦀"].into_iter().enumerate() {
        let sign_up = |length: usize| {
            let email = format!("user{number}-{length}@example.com");
            server.post("/signup", json!({"email": email, "password": PASSWORD, "full_name": letter.repeat(length)}))
        };
        assert_eq!(sign_up(200).expect_json(201)["full_name"], letter.repeat(200));
        sign_up(201).expect_faults(&[&["body", "full_name"]]);
    }
}

#[test]
fn a_taken_e_mail_is_409_in_any_case_and_with_any_blanks() {
    let server = Server::start();
    with_password(&server, "Bob@Example.com", PASSWORD).expect_json(201);
    for email in ["Bob@Example.com", "bob@example.com", "BOB@EXAMPLE.COM", "boB@examplE.coM"] {
        with_password(&server, email, PASSWORD).expect_error(409);
        with_password(&server, email, "another good password").expect_error(409);
    }
    let answer = with_password(&server, "  bob@example.com ", PASSWORD);
    let status = answer.status;
    assert!(status == 409 || status == 422, "{answer}");
    answer.expect_error(status);
    server.log_in("bob@example.com");
}

#[test]
fn invalid_fields_are_reported_before_a_taken_e_mail() {
    let server = Server::start();
    with_password(&server, "bob@example.com", PASSWORD).expect_json(201);
    with_password(&server, "bob@example.com", "short").expect_faults(&[&["body", "password"]]);
}

#[test]
fn an_invalid_e_mail_is_422() {
    let server = Server::start();
    let long = format!("{}@example.com", "x".repeat(300));
    for email in [
        "",
        " ",
        "bob",
        "bob@",
        "@example.com",
        "bob@@example.com",
        "bob smith@example.com",
        "bob@exam ple.com",
        "bob@example.com\nbcc: eve@example.com",
        "bob@example.com, eve@example.com",
        "bob\u{7f}@example.com",
        long.as_str(),
    ] {
        with_password(&server, email, PASSWORD).expect_faults(&[&["body", "email"]]);
    }
    for email in [json!(null), json!(1), json!(true), json!([]), json!({}), json!(["bob@example.com"])] {
        server.post("/signup", json!({"email": email, "password": PASSWORD})).expect_faults(&[&["body", "email"]]);
    }
    server.post("/signup", json!({"password": PASSWORD})).expect_faults(&[&["body", "email"]]);
}

#[test]
fn an_ordinary_e_mail_is_fine() {
    let server = Server::start();
    for email in [
        "bob+tag@example.com",
        "b@example.co.uk",
        "first.last@sub.example.com",
        "o'brien@example.com",
        "bob_1-2@ex-ample.com",
    ] {
        with_password(&server, email, PASSWORD).expect_json(201);
        server.log_in(email);
    }
}

#[test]
fn a_password_has_8_to_72_bytes_in_utf_8() {
    let server = Server::with(&[("password.min_score", "0")]);
    let letters = "aZ3-".repeat(20);
    let cases = [
        (letters[..7].to_owned(), false),
        (letters[..8].to_owned(), true),
        (letters[..72].to_owned(), true),
        (letters[..73].to_owned(), false),
        ("éüö".to_owned(), false),
        ("éüöß".to_owned(), true),
        ("🦀🔑".repeat(9), true),
        ("🦀🔑".repeat(9) + "x", false),
        ("🦀🔑".repeat(10), false),
        ("üé".repeat(18), true),
        ("üé".repeat(18) + "x", false),
        (String::new(), false),
        ("x7-".repeat(30_000), false),
    ];
    for (number, (password, is_fine)) in cases.into_iter().enumerate() {
        let email = format!("user{number}@example.com");
        let answer = with_password(&server, &email, &password);
        if is_fine {
            answer.expect_json(201);
            server.login(&[("username", &email), ("password", &password)]).expect_json(200);
        } else {
            answer.expect_faults(&[&["body", "password"]]);
        }
    }
}

#[test]
fn a_password_that_is_no_text_is_422() {
    let server = Server::start();
    for password in [json!(null), json!(12_345_678), json!(true), json!([PASSWORD]), json!({})] {
        let body = json!({"email": "bob@example.com", "password": password});
        server.post("/signup", body).expect_faults(&[&["body", "password"]]);
    }
    server.post("/signup", json!({"email": "bob@example.com"})).expect_faults(&[&["body", "password"]]);
}

#[test]
fn a_common_password_is_422() {
    let server = Server::start();
    for password in ["password", "12345678", "123456789", "qwertyuiop", "iloveyou", "password1"] {
        with_password(&server, "bob@example.com", password).expect_faults(&[&["body", "password"]]);
    }
}

#[test]
fn a_password_that_is_the_e_mail_is_422() {
    let server = Server::start();
    with_password(&server, "bob@example.com", "bob@example.com").expect_faults(&[&["body", "password"]]);
    with_password(&server, "Bob@Example.com", "bob@example.com").expect_faults(&[&["body", "password"]]);
    with_password(&server, "bob@example.com", "BOB@example.com").expect_faults(&[&["body", "password"]]);
}

#[test]
fn a_refused_password_is_not_repeated_in_the_answer() {
    let server = Server::start();
    for password in [
        "Unr3p34t",
        "qwertyuiop",
        "bob@example.com-but-far-too-long-for-bcrypt-which-stops-at-72-bytes-as-everybody-knows",
    ] {
        let email = "bob@example.com";
        let answer = with_password(&server, email, password);
        assert!(!answer.text().contains(password), "{answer}");
    }
}

#[test]
fn of_many_concurrent_sign_ups_for_one_e_mail_exactly_one_succeeds() {
    let server = Server::start();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let sign_up = |number: usize| {
            let server = &server;
            move || {
                let email = if number.is_multiple_of(2) { "bob@example.com" } else { "BOB@example.com" };
                with_password(server, email, PASSWORD).status
            }
        };
        let threads: Vec<_> = (0..16).map(|number| scope.spawn(sign_up(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|&&status| status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|&&status| status == 409).count(), 15, "{statuses:?}");
}

#[test]
fn ids_are_never_the_same() {
    let server = Server::start();
    let ids: BTreeSet<i64> = (0..5)
        .map(|number| {
            with_password(&server, &format!("user{number}@example.com"), PASSWORD).expect_json(201)["id"]
                .as_i64()
                .unwrap()
        })
        .collect();
    assert_eq!(ids.len(), 5);
}
