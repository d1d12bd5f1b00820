//! The pages that links with a one-time token open: a form that posts to the same path.

use std::sync::Arc;

use serde_json::json;

use crate::recovery::token_of;
use crate::support::{Answer, Client, Home, PASSWORD, Server};

const BOB: &str = "bob@example.com";
const NEW: &str = "orange-Kettle 99";
const PAGES: [&str; 6] = [
    "/password-reset/confirm",
    "/email-verification/confirm",
    "/invitation",
    "/email-change/confirm",
    "/email-change/undo",
    "/signup/confirm",
];

/// Where the link leads, on this server.
fn reset_page(server: &Server) -> String {
    let link = server.home.run(&["user", "reset-link", BOB], "").expect_success();
    format!("/password-reset/confirm?token={}", token_of(&link, "http://127.0.0.1:8000/password-reset/confirm"))
}

fn token_in(page: &Answer) -> String {
    let (_, rest) = page.text().split_once("name=\"token\" value=\"").expect("a hidden field");
    rest.split('"').next().expect("a value").to_owned()
}

/// A page, with the headers that keep its token in and others out.
#[track_caller]
fn expect_page(answer: Answer, status: u16) -> Answer {
    let answer = answer.expect(status);
    assert_eq!(answer.need("content-type"), "text/html; charset=utf-8", "{answer}");
    assert_eq!(answer.need("cache-control"), "no-store", "{answer}");
    assert_eq!(answer.need("referrer-policy"), "no-referrer", "{answer}");
    assert_eq!(answer.need("x-robots-tag"), "noindex, nofollow", "{answer}");
    let policy = answer.need("content-security-policy");
    for part in ["default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(policy.split("; ").any(|one| one == part), "{part} in {policy}");
    }
    assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
    assert!(!answer.text().contains("<script"), "{answer}");
    assert_eq!(answer.header("set-cookie"), None, "{answer}");
    answer
}

fn post_form(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    client.request("POST", path).form(fields).send()
}

#[test]
fn opening_a_link_uses_nothing_up_and_its_button_does() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    let link = reset_page(&server);
    for _ in 0..2 {
        server.head(&link).expect(200);
        assert_eq!(token_in(&expect_page(server.get(&link), 200)), link.split_once("token=").unwrap().1);
    }
    bob.get("/me").expect(200);
    let page = expect_page(server.get(&link), 200);
    assert!(page.text().contains("<form method=\"post\" action=\"?\">"), "{page}");
    let token = token_in(&page);
    let done = post_form(&server, PAGES[0], &[("token", &token), ("new_password", NEW)]);
    assert!(expect_page(done, 200).text().contains("Your new password is saved"));
    bob.get("/me").expect_invalid_token();
    server.login(&[("username", BOB), ("password", NEW)]).expect(200);
    let again = post_form(&server, PAGES[0], &[("token", &token), ("new_password", NEW)]);
    assert!(expect_page(again, 400).text().contains("This link is no longer valid"));
}

#[test]
fn a_page_does_not_say_whether_its_token_is_good() {
    let server = Server::start();
    server.sign_up(BOB);
    let link = reset_page(&server);
    let good = server.get(&link);
    let other = format!("kfp_{}", "A".repeat(43));
    let bad = server.get(&format!("{}?token={other}", PAGES[0]));
    assert_eq!(good.text().replace(&token_in(&good), &other), bad.text());
}

#[test]
fn a_refused_password_shows_the_form_again_with_the_reason() {
    let server = Server::start();
    server.sign_up(BOB);
    let token = reset_page(&server).split_once("token=").unwrap().1.to_owned();
    for (password, reason) in
        [("short", "at least 8 characters."), ("", "fill in this field"), (BOB, "your e-mail address")]
    {
        let page = post_form(&server, PAGES[0], &[("token", &token), ("new_password", password)]);
        let page = expect_page(page, 422);
        assert!(page.text().contains(reason) && page.text().contains("aria-invalid=\"true\""), "{page}");
        assert_eq!(token_in(&page), token);
        assert!(password.is_empty() || !page.text().contains(&format!("\"{password}\"")), "{page}");
    }
    expect_page(post_form(&server, PAGES[0], &[("token", &token), ("new_password", NEW)]), 200);
}

#[test]
fn an_invitation_becomes_an_account() {
    let server = Server::with(&[("accounts.signup", "invited")]);
    let link = server.home.run(&["user", "invite", "mia@example.com"], "").expect_success();
    let token = token_of(&link, "http://127.0.0.1:8000/invitation");
    expect_page(server.get(&format!("/invitation?token={token}")), 200);
    let fields = [("token", token.as_str()), ("full_name", ""), ("password", PASSWORD)];
    assert!(expect_page(post_form(&server, PAGES[2], &fields), 200).text().contains("Your account is ready"));
    let mia = server.log_in("mia@example.com").get("/me").expect_json(200);
    assert_eq!((&mia["full_name"], &mia["email_verified"]), (&json!(null), &json!(true)));
}

#[test]
fn the_pages_speak_the_language_of_the_browser() {
    let server = Server::start();
    for path in PAGES {
        for (header, code) in [("de-DE,de;q=0.9,en;q=0.8", "de"), ("fr", "en"), ("en, de", "en")] {
            let page = expect_page(server.request("GET", path).header("accept-language", header).send(), 200);
            assert!(page.text().contains(&format!("<html lang=\"{code}\">")), "{page}");
            assert_eq!((page.need("content-language"), page.need("vary")), (code, "accept-language"), "{page}");
        }
        let answer = server.request("POST", path).header("accept-language", "de").form(&[("token", "x")]).send();
        let status = if path.starts_with("/email-") || path.starts_with("/signup") { 400 } else { 422 };
        assert!(expect_page(answer, status).text().contains("<html lang=\"de\">"));
    }
}

#[test]
fn nothing_that_is_no_token_is_repeated_on_a_page() {
    let server = Server::start();
    for path in PAGES {
        let script = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
        for token in [script, "kfr_secret", "kfp_", "%00", "%ff"] {
            let page = expect_page(server.get(&format!("{path}?token={token}")), 200);
            assert_eq!(token_in(&page), "", "{page}");
        }
        expect_page(server.get(path), 200);
    }
}

#[test]
fn faults_of_every_kind_are_pages_too() {
    let server = Server::with(&[("rate_limit.enabled", "true"), ("rate_limit.address_failures", "1")]);
    let fields = [("token", "kfp_guess"), ("new_password", NEW), ("password", NEW)];
    expect_page(post_form(&server, PAGES[0], &fields), 400);
    for path in PAGES {
        let page = expect_page(post_form(&server, path, &fields), 429);
        assert!(page.need("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{page}");
        assert!(page.text().contains("Please try again in a moment"), "{page}");
    }
    let closed = Server::with(&[("accounts.signup", "closed")]);
    assert!(expect_page(post_form(&closed, PAGES[2], &fields), 403).text().contains("Sign-up is closed"));
}

#[test]
fn a_form_that_is_not_utf_8_is_refused_and_an_app_that_sends_another_type_gets_a_problem() {
    let server = Server::start();
    let request = server.request("POST", PAGES[0]);
    request.body("application/x-www-form-urlencoded", "token=x&new_password=%ff%fe").send().expect_error(400);
    for path in PAGES {
        server.request("POST", path).body("text/plain", "token=x").send().expect_error(415);
        let long = "x".repeat(300_000);
        post_form(&server, path, &[("token", &long)]).expect_error(413);
    }
}

#[test]
fn no_log_line_holds_the_token_of_a_link() {
    let mut home = Home::new();
    home.set_variable("RUST_LOG", "trace");
    let server = Server::at(Arc::new(home));
    server.sign_up(BOB);
    let link = reset_page(&server);
    let token = link.split_once("token=").unwrap().1;
    server.get(&link).expect(200);
    server.post(PAGES[0], json!({"token": token, "new_password": "short"})).expect(422);
    post_form(&server, PAGES[0], &[("token", token), ("new_password", NEW)]).expect(200);
    post_form(&server, &link, &[("token", token), ("new_password", NEW)]).expect(400);
    let log = server.whole_log();
    assert!(log.iter().any(|line| line.contains(PAGES[0])), "{log:?}");
    assert!(!log.iter().any(|line| line.contains(token)), "{log:?}");
}
