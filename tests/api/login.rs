//! Contract, "`POST /login`": the password grant (RFC 6749 §4.3).

use serde_json::json;

use crate::support::{Answer, PASSWORD, SCOPES, Server, USER_SCOPES, header_names, words};

const BOB: &str = "bob@example.com";

fn server_with_bob() -> Server {
    let server = Server::start();
    server.post("/signup", json!({"email": BOB, "password": PASSWORD})).expect(201);
    server
}

fn login_for(server: &Server, email: &str, scope: &str) -> Answer {
    server.login(&[("grant_type", "password"), ("username", email), ("password", PASSWORD), ("scope", scope)])
}

#[track_caller]
fn granted(answer: Answer) -> String {
    answer.expect_json(200)["scope"].as_str().expect("scope is a string").to_owned()
}

#[test]
fn a_good_login_is_answered_as_rfc_6749_says() {
    let server = server_with_bob();
    let answer = server.login(&[("grant_type", "password"), ("username", BOB), ("password", PASSWORD)]);
    answer.expect_uncached();
    let grant = answer.expect_json(200);
    let mut members: Vec<_> = grant.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
    assert_eq!((&grant["token_type"], &grant["expires_in"]), (&json!("bearer"), &json!(900)));
    for member in ["access_token", "refresh_token", "scope"] {
        assert!(grant[member].as_str().is_some_and(|text| !text.is_empty()), "{member}");
    }
}

#[test]
fn the_grant_type_may_be_absent_or_empty_when_there_is_a_username() {
    let server = server_with_bob();
    server.login(&[("username", BOB), ("password", PASSWORD)]).expect_json(200);
    server.login(&[("grant_type", ""), ("username", BOB), ("password", PASSWORD)]).expect_json(200);
}

#[test]
fn the_username_is_case_insensitive_and_blanks_around_it_are_ignored() {
    let server = server_with_bob();
    for username in
        ["BOB@EXAMPLE.COM", "Bob@Example.Com", "  bob@example.com", "bob@example.com \t", " bOb@eXample.com "]
    {
        server.login(&[("username", username), ("password", PASSWORD)]).expect_json(200);
    }
}

#[test]
fn the_password_is_never_trimmed_nor_changed_in_case() {
    let server = Server::start();
    server.post("/signup", json!({"email": BOB, "password": " inner and outer "})).expect(201);
    server.login(&[("username", BOB), ("password", " inner and outer ")]).expect_json(200);
    for password in
        ["inner and outer", " inner and outer", "inner and outer ", " Inner and outer ", " inner and outer  "]
    {
        server.login(&[("username", BOB), ("password", password)]).expect_oauth_error(400, "invalid_grant");
    }
}

#[test]
fn a_password_of_any_characters_gets_through_the_form() {
    let server = Server::with(&[("password.min_score", "0")]);
    for (number, password) in [
        "a+b&c=d%20e%%",
        "päßwörter sind hübsch",
        "🦀🔑🦀🔑",
        "quote\"back\\slash",
        "tab\tnew\nline\r\n",
        "&&&&====",
        "%00%00%00",
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("user{number}@example.com");
        server.post("/signup", json!({"email": email, "password": password})).expect(201);
        server.login(&[("username", &email), ("password", password)]).expect_json(200);
    }
}

#[test]
fn all_72_bytes_of_a_password_count_and_none_after_them() {
    let server = Server::start();
    let password = "0123456789abcdef".repeat(5)[..72].to_owned();
    server.post("/signup", json!({"email": BOB, "password": password})).expect(201);
    server.login(&[("username", BOB), ("password", &password)]).expect_json(200);
    let last_differs = format!("{}x", &password[..71]);
    let longer = format!("{password}x");
    let much_longer = password.repeat(100);
    for wrong in [&password[..71], last_differs.as_str(), longer.as_str(), much_longer.as_str()] {
        server.login(&[("username", BOB), ("password", wrong)]).expect_oauth_error(400, "invalid_grant");
    }
}

#[test]
fn wrong_password_unknown_user_and_disabled_user_get_the_same_answer() {
    let server = server_with_bob();
    let eve = server.sign_up("eve@example.com");
    server.home.database.execute(&format!("UPDATE users SET is_active = FALSE WHERE id = {}", eve.id()));
    let attempts = [
        (BOB, "a wrong password"),
        ("nobody@example.com", PASSWORD),
        ("no e-mail address", PASSWORD),
        ("eve@example.com", PASSWORD),
        ("eve@example.com", "a wrong password"),
    ];
    let comparable = |answer: &Answer| {
        let varying = |name: &str| name == "date" || name == "x-request-id";
        let mut headers: Vec<_> = answer.headers.iter().filter(|(name, _)| !varying(name)).cloned().collect();
        headers.sort();
        (headers, answer.body.clone())
    };
    let answers = attempts.map(|(username, password)| server.login(&[("username", username), ("password", password)]));
    for answer in &answers {
        assert_eq!(comparable(answer), comparable(&answers[0]), "{answer}");
        answer.clone().expect_oauth_error(400, "invalid_grant");
    }
}

#[test]
fn a_user_who_is_enabled_again_may_log_in_again() {
    let server = server_with_bob();
    server.home.database.execute("UPDATE users SET is_active = FALSE");
    server.login(&[("username", BOB), ("password", PASSWORD)]).expect_oauth_error(400, "invalid_grant");
    server.home.database.execute("UPDATE users SET is_active = TRUE");
    server.login(&[("username", BOB), ("password", PASSWORD)]).expect_json(200);
}

#[test]
fn a_username_or_password_with_nul_or_of_great_length_is_no_server_error() {
    let server = server_with_bob();
    let long = "x".repeat(100_000);
    for (username, password) in [
        ("bob\0@example.com", PASSWORD),
        (BOB, "null\0character"),
        (long.as_str(), PASSWORD),
        (BOB, long.as_str()),
        ("' OR 1=1 --", PASSWORD),
    ] {
        let answer = server.login(&[("username", username), ("password", password)]);
        let code = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(code == "invalid_grant" || code == "invalid_request", "{answer}");
        answer.expect_oauth_error(400, &code);
    }
}

#[test]
fn a_missing_or_empty_parameter_is_invalid_request_and_named() {
    let server = server_with_bob();
    let (grant, user, password) = (("grant_type", "password"), ("username", BOB), ("password", PASSWORD));
    for (fields, named) in [
        (&[grant, user][..], "password"),
        (&[grant, user, ("password", "")], "password"),
        (&[user], "password"),
        (&[grant, password], "username"),
        (&[grant, ("username", ""), password], "username"),
        (&[grant], "username"),
        (&[password], "grant_type|username"),
        (&[("username", ""), password], "grant_type|username"),
        (&[("scope", "profile")], "grant_type|username"),
        (&[], "grant_type|username"),
    ] {
        let error = server.login(fields).expect_oauth_error(400, "invalid_request");
        let text = error["detail"].as_str().unwrap();
        assert!(named.split('|').any(|name| text.contains(name)), "{fields:?}: {error}");
    }
}

#[test]
fn a_parameter_sent_twice_is_invalid_request_and_named() {
    let server = server_with_bob();
    let good = [("grant_type", "password"), ("username", BOB), ("password", PASSWORD), ("scope", "profile")];
    server.login(&good).expect_json(200);
    for twice in good {
        for second in [twice.1, "other"] {
            let mut fields = good.to_vec();
            fields.push((twice.0, second));
            let error = server.login(&fields).expect_oauth_error(400, "invalid_request");
            assert!(error["detail"].as_str().unwrap().contains(twice.0), "{twice:?}: {error}");
        }
    }
}

#[test]
fn unknown_parameters_are_ignored() {
    let server = server_with_bob();
    for extra in [("allow_redirects", "True"), ("Password", "x"), ("", "x"), ("username[]", "eve@example.com")] {
        server.login(&[("username", BOB), ("password", PASSWORD), extra]).expect_json(200);
    }
}

#[test]
fn another_grant_type_is_unsupported() {
    let server = server_with_bob();
    for grant_type in [
        "authorization_code",
        "client_credentials",
        "implicit",
        "PASSWORD",
        "Password",
        "pass word",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "\"quoted\"",
    ] {
        server
            .login(&[("grant_type", grant_type), ("username", BOB), ("password", PASSWORD)])
            .expect_oauth_error(400, "unsupported_grant_type");
    }
    server.login(&[("grant_type", "authorization_code")]).expect_oauth_error(400, "unsupported_grant_type");
}

#[test]
fn without_a_scope_all_that_the_user_may_have_is_granted() {
    let server = server_with_bob();
    for fields in
        [&[("username", BOB), ("password", PASSWORD)][..], &[("username", BOB), ("password", PASSWORD), ("scope", "")]]
    {
        let scope = granted(server.login(fields));
        assert_eq!(words(&scope), USER_SCOPES);
    }
    let admin = server.admin("admin@example.com");
    assert_eq!(words(admin.grant["scope"].as_str().unwrap()), SCOPES);
}

#[test]
fn a_scope_narrows_the_token() {
    let server = server_with_bob();
    for (asked, expected) in [
        ("posts", "posts"),
        ("profile", "profile"),
        ("posts profile", "posts profile"),
        ("profile posts", "posts profile"),
        ("posts posts", "posts"),
    ] {
        let scope = granted(login_for(&server, BOB, asked));
        assert_eq!(words(&scope).join(" "), expected, "{asked}");
        let actor = server.log_in_for(BOB, asked);
        let (_, claims) = crate::support::decode(&actor.token);
        assert_eq!(words(claims["scope"].as_str().unwrap()).join(" "), expected, "{asked}");
    }
    server.admin("admin@example.com");
    assert_eq!(granted(login_for(&server, "admin@example.com", "admin")), "admin");
}

#[test]
fn an_unknown_scope_is_invalid_scope() {
    let server = server_with_bob();
    for scope in [
        "write",
        "profile write",
        "Profile",
        "PROFILE",
        "profile,posts",
        "profile\tposts",
        "*",
        "pro\"file",
        "pro\\file",
        "é",
        "string",
        "openid",
    ] {
        login_for(&server, BOB, scope).expect_oauth_error(400, "invalid_scope");
    }
}

#[test]
fn a_known_scope_that_the_user_may_not_have_is_not_granted() {
    let server = server_with_bob();
    assert_eq!(granted(login_for(&server, BOB, "admin posts")), "posts");
    assert_eq!(words(&granted(login_for(&server, BOB, "profile posts admin"))), ["posts", "profile"]);
}

#[test]
fn when_no_scope_is_left_it_is_invalid_scope() {
    let server = server_with_bob();
    login_for(&server, BOB, "admin").expect_oauth_error(400, "invalid_scope");
}

#[test]
fn a_wrong_password_is_told_before_the_user_s_scopes_are() {
    let server = server_with_bob();
    server.admin("admin@example.com");
    for username in [BOB, "admin@example.com", "nobody@example.com"] {
        server
            .login(&[("username", username), ("password", "a wrong password"), ("scope", "admin")])
            .expect_oauth_error(400, "invalid_grant");
    }
}

#[test]
fn any_method_but_post_is_405_with_an_oauth_body() {
    let server = server_with_bob();
    for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
        let answer = server.request(method, "/login").send();
        assert_eq!(header_names(answer.need("allow")), ["POST"], "{answer}");
        answer.expect_oauth_error(405, "invalid_request");
    }
    let head = server.head("/login").expect_empty(405);
    head.expect_uncached();
    assert_eq!(header_names(head.need("allow")), ["POST"], "{head}");
}

#[test]
fn nothing_is_read_from_the_query_string() {
    let server = server_with_bob();
    let query = "/login?grant_type=password&username=bob%40example.com&password=violet-Kettle%2088";
    server.request("POST", query).form(&[]).send().expect_oauth_error(400, "invalid_request");
    server.get(query).expect_oauth_error(405, "invalid_request");
    server
        .request("POST", "/login?username=eve%40example.com&scope=write&client_id=ghost&grant_type=x")
        .form(&[("username", BOB), ("password", PASSWORD)])
        .send()
        .expect_json(200);
}

#[test]
fn a_hash_of_another_cost_is_renewed_at_a_good_login() {
    let mut server = server_with_bob();
    server.kill();
    let home = std::sync::Arc::get_mut(&mut server.home).expect("one owner");
    home.set("password.bcrypt_cost", "5");
    let second = server.second();
    second.login(&[("username", BOB), ("password", "a wrong password")]).expect_oauth_error(400, "invalid_grant");
    assert!(second.home.database.text("SELECT password_hash AS value FROM users").contains("$04$"));
    second.log_in(BOB);
    assert!(second.home.database.text("SELECT password_hash AS value FROM users").contains("$05$"));
    second.log_in(BOB);
}
