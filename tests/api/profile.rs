//! Contract, "Accounts": `GET /profile/{id}`, `GET /me` and `PATCH /me`.

use serde_json::json;

use crate::support::Server;

#[test]
fn the_own_profile_is_200_and_the_same_as_me() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let user = bob.get("/me").expect_json(200);
    assert_eq!(user["email"], "bob@example.com");
    assert_eq!(user["id"], bob.id());
    assert_eq!(bob.get(&bob.profile_url()).expect_json(200), user);
}

#[test]
fn a_user_is_never_shown_with_a_hash() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    for answer in [bob.get("/me"), bob.get(&bob.profile_url()), bob.patch("/me", json!({}))] {
        let text = answer.text().to_owned();
        assert!(!text.contains("hash") && !text.contains("$2") && !text.contains("password"), "{text}");
    }
}

#[test]
fn any_other_profile_is_403_whether_it_exists_or_not() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let eve = server.sign_up("eve@example.com");
    let existing = eve.get(&bob.profile_url());
    let missing = eve.get("/profile/9007199254740991");
    let without_id = |answer: &crate::support::Answer, id: i64| answer.text().replace(&id.to_string(), "{id}");
    assert_eq!(without_id(&existing, bob.id()), without_id(&missing, 9_007_199_254_740_991));
    existing.expect_error(403);
    missing.expect_error(403);
}

#[test]
fn an_admin_may_read_any_profile() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let admin = server.admin("admin@example.com");
    assert_eq!(admin.get(&bob.profile_url()).expect_json(200), bob.get("/me").expect_json(200));
    assert_eq!(admin.get(&admin.profile_url()).expect_json(200)["is_admin"], true);
    admin.get("/profile/9007199254740991").expect_error(404);
}

#[test]
fn a_profile_needs_a_token() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    server.get(&bob.profile_url()).expect_no_credentials();
    server.get("/profile/9007199254740991").expect_no_credentials();
}

#[test]
fn the_full_name_can_be_set_changed_and_cleared() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    for name in [json!("Bob"), json!("Bob Ünlü 🦀"), json!(null), json!("x".repeat(200)), json!("ü".repeat(200))] {
        let user = bob.patch("/me", json!({"full_name": name})).expect_json(200);
        assert_eq!(user["full_name"], name);
        assert_eq!(bob.get("/me").expect_json(200), user);
    }
}

#[test]
fn a_change_without_the_full_name_leaves_it() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    bob.patch("/me", json!({"full_name": "Bob"})).expect_json(200);
    for body in
        [json!({}), json!({"email": "x@example.com"}), json!({"password": "another password", "is_admin": true})]
    {
        let user = bob.patch("/me", body).expect_json(200);
        assert_eq!(
            (&user["full_name"], &user["email"], &user["is_admin"]),
            (&json!("Bob"), &json!("bob@example.com"), &json!(false))
        );
    }
    server.log_in("bob@example.com");
}

#[test]
fn a_full_name_that_is_too_long_or_no_text_is_422_and_changes_nothing() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    bob.patch("/me", json!({"full_name": "Bob"})).expect_json(200);
    for name in [json!("x".repeat(201)), json!("ü".repeat(201)), json!(1), json!(false), json!([]), json!({})] {
        bob.patch("/me", json!({"full_name": name})).expect_faults(&[&["body", "full_name"]]);
    }
    assert_eq!(bob.get("/me").expect_json(200)["full_name"], "Bob");
}

#[test]
fn a_change_moves_updated_at_and_not_created_at() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let before = bob.get("/me").expect_json(200);
    let after = bob.patch("/me", json!({"full_name": "Bob"})).expect_json(200);
    assert_eq!(after["created_at"], before["created_at"]);
    assert_ne!(after["updated_at"], before["updated_at"]);
}

#[test]
fn one_s_change_leaves_the_others_alone() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let eve = server.sign_up("eve@example.com");
    let before = eve.get("/me").expect_json(200);
    bob.patch("/me", json!({"full_name": "Bob"})).expect_json(200);
    assert_eq!(eve.get("/me").expect_json(200), before);
}
