//! Each act leaves its event, with who did it, when, and from where.

use serde_json::{Value, json};

use super::{PATIENCE, events, only, session_id, types};
use crate::support::{Actor, Answer, Client, PASSWORD, Request, Server, is_time, until};

const BROWSER: &str = "Browser/1.0 (Test)";
const NEW_PASSWORD: &str = "orange-Kettle 99";

/// Sends a request with a name to find it by.
fn send(request: Request<'_>, name: &str) -> Answer {
    request.header("user-agent", BROWSER).header("x-request-id", name).send()
}

/// A login with a name.
#[track_caller]
fn log_in(client: &Client, email: &str, name: &str) -> Actor {
    let form = [("username", email), ("password", PASSWORD)];
    client.actor(send(client.anonymous().request("POST", "/login").form(&form), name).expect_json(200))
}

/// What an event of a request says of it.
#[track_caller]
fn expect_request(event: &Value, name: &str) {
    assert_eq!(event["ip"], "127.0.0.1", "{event}");
    assert_eq!(event["user_agent"], BROWSER, "{event}");
    assert_eq!(event["request_id"], name, "{event}");
    assert!(event["at"].as_str().is_some_and(is_time), "{event}");
}

/// What an event says of whom it happened to, who did it, through which client, and in which session.
#[track_caller]
fn expect_whose(event: &Value, user_id: i64, actor_id: Option<i64>, client_id: Option<&str>, session: Option<i64>) {
    let whose = json!([user_id, actor_id, client_id, session]);
    assert_eq!(json!([event["user_id"], event["actor_id"], event["client_id"], event["session_id"]]), whose, "{event}");
}

#[test]
fn signing_up_and_logging_in_are_recorded() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let signed_up = send(server.request("POST", "/signup").json(&body), "sign-up-1").expect_json(201);
    let ada = log_in(&server, "ada@example.com", "log-in-1");
    let event = only(&root, "signed_up");
    expect_request(&event, "sign-up-1");
    expect_whose(&event, ada.id(), Some(ada.id()), None, None);
    assert_eq!((&event["user_id"], &event["details"]), (&signed_up["id"], &json!({})));
    let event = events(&root, &format!("type=log_in&user_id={}", ada.id())).pop().expect("an event");
    expect_request(&event, "log-in-1");
    expect_whose(&event, ada.id(), Some(ada.id()), Some("keyfob"), Some(session_id(&ada)));
}

#[test]
fn a_new_password_and_ended_sessions_are_recorded() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let ada = server.sign_up("ada@example.com");
    let others = [(); 4].map(|()| server.log_in("ada@example.com"));
    let (id, own) = (ada.id(), session_id(&ada));

    let ended = session_id(&others[0]);
    send(ada.request("DELETE", &format!("/me/sessions/{ended}")), "end-1").expect(204);
    let event = only(&root, "session_ended");
    expect_request(&event, "end-1");
    expect_whose(&event, id, Some(id), Some("keyfob"), Some(ended));

    send(ada.request("DELETE", "/me/sessions"), "end-2").expect(204);
    let event = events(&root, "type=session_ended").pop().expect("an event");
    expect_request(&event, "end-2");
    expect_whose(&event, id, Some(id), Some("keyfob"), Some(own));
    assert_eq!(event["details"], json!({"sessions_ended": 3}));

    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    send(ada.request("POST", "/me/password").json(&change), "password-1").expect(204);
    let event = only(&root, "password_changed");
    expect_request(&event, "password-1");
    expect_whose(&event, id, Some(id), Some("keyfob"), Some(own));
}

#[test]
fn logging_out_is_recorded() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let ada = server.sign_up("ada@example.com");
    let form = [("token", ada.token.as_str())];
    for name in ["log-out-1", "log-out-2"] {
        send(server.request("POST", "/revoke").form(&form), name).expect(200);
    }
    let event = only(&root, "log_out");
    expect_request(&event, "log-out-1");
    expect_whose(&event, ada.id(), Some(ada.id()), Some("keyfob"), Some(session_id(&ada)));
}

#[test]
fn a_refresh_token_that_is_used_again_is_recorded_with_where_it_came_from() {
    let server = Server::with(&[("token.refresh_grace_seconds", "0")]);
    let root = server.admin("root@example.com");
    let ada = server.sign_up("ada@example.com");
    let refresh = |grant: &Value, name: &str| {
        let token = grant["refresh_token"].as_str().expect("a refresh token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        send(server.request("POST", "/login").form(&form), name)
    };
    let second = refresh(&ada.grant, "refresh-1").expect_json(200);
    refresh(&second, "refresh-2").expect_json(200);
    refresh(&ada.grant, "thief-1").expect_oauth_error(400, "invalid_grant");
    refresh(&ada.grant, "thief-2").expect_oauth_error(400, "invalid_grant");
    let event = only(&root, "refresh_reused");
    expect_request(&event, "thief-1");
    expect_whose(&event, ada.id(), None, Some("keyfob"), Some(session_id(&ada)));
}

#[test]
fn a_login_that_ends_older_sessions_says_so() {
    let server = Server::with(&[("sessions.max_per_account", "2")]);
    let root = server.admin("root@example.com");
    let ada = server.sign_up("ada@example.com");
    for _ in 0..2 {
        server.log_in("ada@example.com");
    }
    let details: Vec<Value> = events(&root, &format!("type=log_in&user_id={}", ada.id()))
        .iter()
        .map(|event| event["details"].clone())
        .collect();
    assert_eq!(details, [json!({}), json!({}), json!({"sessions_ended": 1})]);
}

#[test]
fn what_a_command_does_is_recorded_without_an_actor() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let run = |arguments: &[&str]| server.home.run(arguments, "").expect_success();
    let by_command = json!({"by": "command line"});

    let event = only(&root, "user_created");
    expect_whose(&event, root.id(), None, None, None);
    assert_eq!(event["details"], json!({"by": "command line", "is_admin": true}));
    assert_eq!((&event["ip"], &event["user_agent"], &event["request_id"]), (&Value::Null, &Value::Null, &Value::Null));

    run(&["client", "add", "--id", "shop"]);
    run(&["client", "remove", "--id", "shop"]);
    for kind in ["client_added", "client_removed"] {
        let event = only(&root, kind);
        assert_eq!((&event["client_id"], &event["details"]), (&json!("shop"), &by_command), "{event}");
        assert_eq!((&event["user_id"], &event["actor_id"]), (&Value::Null, &Value::Null), "{event}");
    }

    let kid = run(&["key", "rotate"]);
    let event = only(&root, "key_rotated");
    assert_eq!(event["details"], json!({"by": "command line", "kid": kid.trim(), "algorithm": "EdDSA"}));

    let ada = server.sign_up("ada@example.com");
    run(&["user", "sign-out", "ada@example.com"]);
    let event = only(&root, "session_ended");
    expect_whose(&event, ada.id(), None, None, Some(session_id(&ada)));
    assert_eq!(event["details"], by_command);
}

#[test]
fn each_imported_account_is_recorded() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let hash = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em";
    let rows = ["ann@example.com,false,70", "ben@example.com,true,", "root@example.com,true,"];
    let rows: String = rows.iter().map(|row| format!("{hash},{row}\n")).collect();
    server.home.write("users.csv", &format!("password_hash,email,is_admin,id\n{rows}"));
    assert_eq!(server.home.run(&["user", "import", "users.csv"], "").code, Some(1), "one is refused");
    let imported: Vec<Value> =
        events(&root, "type=user_created").into_iter().filter(|event| event["details"]["imported"] == true).collect();
    let details: Vec<_> = imported.iter().map(|event| (&event["user_id"], &event["details"]["is_admin"])).collect();
    assert_eq!(details, [(&json!(70), &Value::Null), (&json!(71), &json!(true))]);
}

#[test]
fn a_key_that_the_service_replaces_is_recorded_and_the_first_is_not() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    assert_eq!(types(&root, "type=key_rotated"), Vec::<String>::new());
    let home = std::sync::Arc::clone(&server.home);
    home.database.execute("UPDATE signing_keys SET configured_algorithm = 'ES256'");
    drop(server);
    let server = Server::at(home);
    let root = server.log_in("root@example.com");
    until("the new key is recorded", PATIENCE, || !events(&root, "type=key_rotated").is_empty());
    assert_eq!(only(&root, "key_rotated")["details"]["by"], "service");
}
