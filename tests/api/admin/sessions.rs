//! The sessions of an account.

use serde_json::json;

use super::path_of;
use crate::support::{Server, until};

#[test]
fn an_admin_sees_the_sessions_of_an_account_as_its_owner_does() {
    let server = Server::start();
    let (root, bob) = (server.admin("root@example.com"), server.sign_up("bob@example.com"));
    server.log_in("bob@example.com");
    let path = format!("{}/sessions", path_of(&bob));
    let as_owner = bob.get("/me/sessions").expect_json(200);
    let mut as_admin = root.get(&path).expect_json(200);
    assert!(as_admin["items"].as_array().unwrap().iter().all(|item| item["current"] == false), "{as_admin}");
    // What differs: whose request it is, and the time of the last use, which the requests themselves move on.
    for (shown, own) in as_admin["items"].as_array_mut().unwrap().iter_mut().zip(as_owner["items"].as_array().unwrap())
    {
        shown["current"] = own["current"].clone();
        shown["last_used_at"] = own["last_used_at"].clone();
    }
    assert_eq!(as_admin, as_owner);
    let page = root.get(&format!("{path}?limit=1")).expect_json(200);
    let next = root.get(&format!("{path}?limit=1&cursor={}", page["next_cursor"].as_str().unwrap())).expect_json(200);
    assert_eq!(
        (&page["items"][0]["id"], &next["items"][0]["id"]),
        (&as_owner["items"][0]["id"], &as_owner["items"][1]["id"])
    );
    assert!(next["next_cursor"].is_null(), "{next}");
    let own = root.get(&format!("{}/sessions", path_of(&root))).expect_json(200);
    assert_eq!(own["items"][0]["current"], true);
}

#[test]
fn an_admin_ends_all_sessions_of_an_account_at_every_process_and_no_others() {
    let server = Server::start();
    let second = server.second();
    let (root, bob) = (server.admin("root@example.com"), server.sign_up("bob@example.com"));
    let (other, eve) = (server.log_in("bob@example.com"), server.sign_up("eve@example.com"));
    root.delete(&format!("{}/sessions", path_of(&bob))).expect_empty(204);
    for session in [&bob, &other] {
        session.get("/me").expect_invalid_token();
        let there = second.with_token(&session.token);
        until("the other process knows", super::PATIENCE, || there.get("/me").status == 401);
        let refresh =
            [("grant_type", "refresh_token"), ("refresh_token", session.grant["refresh_token"].as_str().unwrap())];
        server.login(&refresh).expect_oauth_error(400, "invalid_grant");
    }
    eve.get("/me").expect(200);
    root.get("/me").expect(200);
    assert_eq!(root.get(&format!("{}/sessions", path_of(&bob))).expect_json(200)["items"], json!([]));
    root.delete(&format!("{}/sessions", path_of(&bob))).expect(204);
    server.log_in("bob@example.com").get("/me").expect(200);
}
