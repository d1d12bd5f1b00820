//! The last active admin stays, whoever acts and however many at once.

use std::thread;

use serde_json::json;

use super::{WAYS, active_admins, path_of, send};
use crate::support::{Actor, PASSWORD, Server};

#[test]
fn the_last_active_admin_can_be_neither_demoted_nor_disabled_nor_deleted() {
    let server = Server::start();
    let root = server.admin("root@example.com");
    // One that is disabled does not count.
    server.admin("eve@example.com");
    server.home.database.execute("UPDATE users SET is_active = FALSE WHERE email = 'eve@example.com'");
    let before = root.get(&path_of(&root)).expect_json(200);
    for way in WAYS {
        let problem = send(&root, way, &path_of(&root)).expect_error(409);
        assert!(problem["detail"].as_str().unwrap().contains("last active admin"), "{problem}");
    }
    let both = json!({"is_active": false, "is_admin": false, "full_name": "Root"});
    root.patch(&path_of(&root), both).expect_error(409);
    root.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().expect_error(409);
    assert_eq!(root.get(&path_of(&root)).expect_json(200), before, "nothing of it was kept");
    let events = root.get(&format!("/audit?user_id={}", root.id())).expect_json(200);
    let types: Vec<&str> = events["items"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["log_in", "user_created"]);
}

#[test]
fn with_another_admin_there_each_of_them_can_go() {
    for way in WAYS {
        let server = Server::start();
        let (root, eve) = (server.admin("root@example.com"), server.admin("eve@example.com"));
        let path = path_of(&root);
        assert!(send(&root, way, &path).status < 300);
        root.get("/users").expect_invalid_token();
        send(&eve, way, &path_of(&eve)).expect_error(409);
        assert_eq!(active_admins(&server), "1");
    }
}

#[test]
fn a_disabled_admin_can_be_demoted_and_deleted_by_the_only_active_one() {
    let server = Server::start();
    let (root, eve) = (server.admin("root@example.com"), server.admin("eve@example.com"));
    let path = path_of(&eve);
    root.patch(&path, json!({"is_active": false})).expect(200);
    root.patch(&path, json!({"is_admin": false})).expect(200);
    root.patch(&path, json!({"is_admin": true})).expect(200);
    root.delete(&path).expect(204);
}

/// Both requests are sent at the same moment, at two processes.
fn at_once(one: &(dyn Fn() -> u16 + Sync), other: &(dyn Fn() -> u16 + Sync)) -> [u16; 2] {
    thread::scope(|scope| {
        let (one, other) = (scope.spawn(one), scope.spawn(other));
        [one.join().expect("an answer"), other.join().expect("an answer")]
    })
}

#[test]
fn of_two_admins_who_take_each_other_s_rights_at_once_one_stays() {
    let server = Server::start();
    let second = server.second();
    server.admin("root@example.com");
    server.admin("eve@example.com");
    for round in 0..12 {
        let (way, other) = (WAYS[round % 2], WAYS[(round / 2) % 2]);
        let (root, eve) = (server.log_in("root@example.com"), second.log_in("eve@example.com"));
        let statuses =
            at_once(&|| send(&root, way, &path_of(&eve)).status, &|| send(&eve, other, &path_of(&root)).status);
        assert_eq!(active_admins(&server), "1", "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 401].contains(status)), "{statuses:?}");
        server.home.database.execute("UPDATE users SET is_admin = TRUE, is_active = TRUE");
    }
}

#[test]
fn of_two_admins_who_delete_themselves_at_once_one_stays() {
    let server = Server::start();
    let second = server.second();
    server.admin("root@example.com");
    let delete = |admin: &Actor| admin.request("DELETE", "/me").json(&json!({"password": PASSWORD})).send().status;
    for round in 0..8 {
        let email = format!("eve{round}@example.com");
        let eve = second.admin(&email);
        let left = server.home.database.text(
            "SELECT email AS value FROM users WHERE is_admin AND id = (SELECT MIN(id) FROM users WHERE is_admin)",
        );
        let root = server.log_in(&left);
        let mut statuses = at_once(&|| delete(&root), &|| delete(&eve));
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
        assert_eq!(active_admins(&server), "1");
    }
}
