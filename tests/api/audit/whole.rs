//! An event is there exactly if its change is, and holds no secret.

use serde_json::{Value, json};

use super::{PATIENCE, events, types};
use crate::support::{Client, PASSWORD, Server, until};

const NEW_PASSWORD: &str = "orange-Kettle 99";

#[test]
fn what_is_refused_or_changes_nothing_leaves_no_event() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let (ada, bob) = (server.sign_up("ada@example.com"), server.sign_up("bob@example.com"));
    server.home.run(&["client", "add", "--id", "shop"], "").expect_success();
    let before = types(&root, "");

    let account = json!({"email": "ADA@example.com", "password": PASSWORD});
    server.post("/signup", account).expect_error(409);
    server.post("/signup", json!({"email": "eve@example.com", "password": "short"})).expect_error(422);
    ada.post("/me/password", json!({"current_password": PASSWORD, "new_password": "short"})).expect_error(422);
    ada.delete(&format!("/me/sessions/{}", super::session_id(&bob))).expect_error(404);
    ada.delete("/me/sessions").expect(204);
    server.request("POST", "/revoke").form(&[("token", "no token of ours")]).send().expect(200);
    server.home.run(&["client", "add", "--id", "shop"], "").expect_failure();
    server.home.run(&["client", "remove", "--id", "ghost"], "").expect_failure();
    assert_eq!(types(&root, ""), before);
}

/// Takes the table of events away while something is done.
pub(crate) fn without_events(server: &Server, act: impl FnOnce()) {
    server.home.database.execute("ALTER TABLE events RENAME TO mislaid");
    act();
    server.home.database.execute("ALTER TABLE mislaid RENAME TO events");
}

#[test]
fn what_cannot_be_recorded_does_not_happen() {
    let server = Server::start();
    let ada = server.sign_up("ada@example.com");
    let other = server.log_in("ada@example.com");
    let new = json!({"email": "new@example.com", "password": PASSWORD});
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let login = [("username", "ada@example.com"), ("password", PASSWORD)];
    without_events(&server, || {
        server.post("/signup", new.clone()).expect_error(500);
        server.login(&login).expect_oauth_error(500, "server_error");
        ada.post("/me/password", change).expect_error(500);
        ada.delete(&format!("/me/sessions/{}", super::session_id(&other))).expect_error(500);
        ada.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect_error(500);
        assert_eq!(server.home.run(&["client", "add", "--id", "shop"], "").code, Some(1));
        assert_eq!(server.home.run(&["key", "rotate"], "").code, Some(1));
    });
    server.post("/signup", new).expect(201);
    server.login(&login).expect_json(200);
    other.get("/me").expect_json(200);
    let sessions = ada.get("/me/sessions").expect_json(200);
    assert_eq!(sessions["items"].as_array().map(Vec::len), Some(3), "{sessions}");
    server.home.run(&["client", "add", "--id", "shop"], "").expect_success();
    assert_eq!(server.home.run(&["key", "list"], "").expect_success().lines().count(), 1);
}

/// Everything in the table, whoever may see it.
fn stored(server: &Server) -> String {
    let join = if server.home.database.url().starts_with("postgres") { "string_agg" } else { "group_concat" };
    let columns = ["kind", "ip", "user_agent", "client_id", "request_id", "details"];
    let columns = columns.map(|column| format!("COALESCE({column}, '')")).join(" || ' ' || ");
    server.home.database.text(&format!("SELECT {join}({columns}, ' ') AS value FROM events"))
}

/// All hashes and keys in the database.
fn kept_secrets(server: &Server) -> Vec<String> {
    let join = if server.home.database.url().starts_with("postgres") { "string_agg" } else { "group_concat" };
    let columns = [("password_hash", "users"), ("private_key", "signing_keys"), ("value", "server_secrets")];
    let list =
        |(column, table)| server.home.database.text(&format!("SELECT {join}({column}, ' ') AS value FROM {table}"));
    columns.map(list).iter().flat_map(|list| list.split(' ')).map(str::to_owned).collect()
}

/// The tokens of a grant.
fn tokens(grant: &Value) -> [String; 2] {
    ["access_token", "refresh_token"].map(|name| grant[name].as_str().expect("a token").to_owned())
}

fn refresh(client: &Client, token: &str) -> crate::support::Answer {
    client.login(&[("grant_type", "refresh_token"), ("refresh_token", token)])
}

#[test]
fn no_event_holds_a_password_a_token_or_a_hash() {
    const TYPED_AS_NAME: &str = "password-in-the-wrong-field 7";
    const GUESS: &str = "guess-Kettle 1";
    let server = Server::start();
    let root = server.admin("root@example.com");
    let ada = server.sign_up("ada@example.com");
    let mut secrets = [PASSWORD, NEW_PASSWORD, GUESS, TYPED_AS_NAME].map(str::to_owned).to_vec();
    secrets.extend(tokens(&ada.grant).into_iter().chain(tokens(&root.grant)));
    server.login(&[("username", "ada@example.com"), ("password", GUESS)]).expect(400);
    server.login(&[("username", TYPED_AS_NAME), ("password", PASSWORD)]).expect(400);
    let next = refresh(&server, ada.grant["refresh_token"].as_str().expect("a token")).expect_json(200);
    let last = refresh(&server, next["refresh_token"].as_str().expect("a token")).expect_json(200);
    refresh(&server, ada.grant["refresh_token"].as_str().expect("a token")).expect(400);
    secrets.extend(tokens(&next).into_iter().chain(tokens(&last)));
    let ada = server.log_in("ada@example.com");
    secrets.extend(tokens(&ada.grant));
    ada.post("/me/password", json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD})).expect(204);
    let other = server.log_in("root@example.com");
    server.request("POST", "/revoke").form(&[("token", other.token.as_str())]).send().expect(200);
    secrets.extend(tokens(&other.grant));
    let added = server.home.run(&["client", "add", "--id", "shop"], "").expect_success();
    let added: Value = serde_json::from_str(&added).expect("JSON");
    secrets.push(added["client_secret"].as_str().expect("a secret").to_owned());
    server.home.run(&["client", "remove", "--id", "shop"], "").expect_success();
    server.home.run(&["key", "rotate"], "").expect_success();
    secrets.extend(kept_secrets(&server));
    ada.request("DELETE", "/me").json(&json!({"password": GUESS})).send().expect(403);
    until("the refused password is recorded", PATIENCE, || !events(&root, "type=password_refused").is_empty());
    until("both refused logins are recorded", PATIENCE, || events(&root, "type=log_in_refused").len() >= 2);
    // The deletion clears some of it.
    let before = stored(&server);
    ada.request("DELETE", "/me").json(&json!({"password": NEW_PASSWORD})).send().expect(204);

    let mut there = types(&root, "");
    there.sort();
    there.dedup();
    let acts = [
        "client_added",
        "client_removed",
        "key_rotated",
        "log_in",
        "log_in_refused",
        "log_out",
        "password_changed",
        "password_refused",
        "refresh_reused",
        "signed_up",
        "user_created",
        "user_deleted",
    ];
    assert_eq!(there, acts);
    let text = before + &stored(&server);
    for secret in &secrets {
        assert!(!text.contains(secret.as_str()), "{secret} in {text}");
        // The signature of a token, the digits of a hash.
        let end = secret.rsplit(if secret.starts_with('$') { '$' } else { '.' }).next().expect("a part");
        assert!(!text.contains(end), "{end} in {text}");
    }
    assert!(secrets.len() > 15 && !text.contains("@example.com"), "{text}");
}
