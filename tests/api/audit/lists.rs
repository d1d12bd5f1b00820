//! `GET /me/activity` and `GET /audit`: who sees which events, page by page.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{events, types};
use crate::support::{Actor, Client, Server};

fn ids(page: &Value) -> Vec<i64> {
    page["items"].as_array().expect("items").iter().map(|event| event["id"].as_i64().expect("an id")).collect()
}

/// The ids on all pages, in their order.
fn walk(client: &Client, first: &str, mut between: impl FnMut()) -> Vec<i64> {
    let (mut found, mut path) = (Vec::new(), first.to_owned());
    loop {
        let page = client.get(&path).expect_json(200);
        found.extend(ids(&page));
        let Some(next) = page["next_cursor"].as_str() else { return found };
        path = format!("{first}&cursor={next}");
        between();
    }
}

/// A server with an admin, and two accounts with some logins.
fn lived_in() -> (Server, Actor, [Actor; 2]) {
    let server = Server::start();
    let root = server.admin("root@example.com");
    let actors = ["ada@example.com", "bob@example.com"].map(|email| server.sign_up(email));
    for _ in 0..4 {
        server.log_in("ada@example.com");
    }
    server.log_in("bob@example.com");
    (server, root, actors)
}

#[test]
fn a_user_sees_the_own_events_and_no_others() {
    let (server, _, actors) = lived_in();
    for (actor, number) in actors.iter().zip([6, 3]) {
        let page = actor.get("/me/activity").expect_json(200);
        let items = page["items"].as_array().expect("items");
        assert_eq!(items.len(), number, "{page}");
        assert!(items.iter().all(|event| event["user_id"] == actor.id()), "{page}");
    }
    // A filter that is no parameter of this route changes nothing.
    let page = actors[0].get(&format!("/me/activity?user_id={}", actors[1].id())).expect_json(200);
    assert!(page["items"].as_array().expect("items").iter().all(|event| event["user_id"] == actors[0].id()), "{page}");
    server.get("/me/activity").expect_no_credentials();
    server.log_in_for("ada@example.com", "posts").get("/me/activity").expect_insufficient_scope("profile");
}

#[test]
fn a_user_does_not_see_where_an_admin_acts_from() {
    let (server, root, [ada, _]) = lived_in();
    server.home.database.execute(&format!(
        "INSERT INTO events (at, kind, user_id, actor_id, ip, user_agent, client_id, session_id, request_id, details) \
         VALUES (1795294680000, 'email_verified', {}, {}, '192.0.2.7', 'Office', 'shop', 1, 'secret-1', '{{}}')",
        ada.id(),
        root.id()
    ));
    let page = ada.get("/me/activity?limit=1").expect_json(200);
    let event = &page["items"][0];
    assert_eq!((&event["type"], &event["actor_id"]), (&"email_verified".into(), &root.id().into()), "{event}");
    for name in ["ip", "user_agent", "client_id", "session_id", "request_id"] {
        assert_eq!(event[name], Value::Null, "{name} in {event}");
    }
    assert_eq!(root.get("/audit?type=email_verified").expect_json(200)["items"][0]["ip"], "192.0.2.7");
}

#[test]
fn only_admins_read_the_audit_trail() {
    let (server, root, [ada, _]) = lived_in();
    server.get("/audit").expect_no_credentials();
    ada.get("/audit").expect_insufficient_scope("admin");
    server.log_in_for("root@example.com", "profile").get("/audit").expect_insufficient_scope("admin");
    assert_eq!(root.get("/audit").expect(200).need("cache-control"), "no-store");
    assert_eq!(ada.get("/me/activity").expect(200).need("cache-control"), "no-store");
}

#[test]
fn every_event_is_on_one_page_exactly_newest_first_while_others_are_recorded() {
    let (server, root, [ada, _]) = lived_in();
    for (client, path) in [(&root, "/audit?limit=2"), (&ada, "/me/activity?limit=2")] {
        let before: BTreeSet<i64> = walk(client, path, || {}).into_iter().collect();
        let found = walk(client, path, || drop(server.log_in("ada@example.com")));
        assert!(found.is_sorted_by(|one, next| one > next), "{found:?}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), before, "{path}");
    }
}

#[test]
fn events_are_found_by_account_type_and_time() {
    let (server, root, [ada, bob]) = lived_in();
    let of_ada = format!("user_id={}", ada.id());
    assert_eq!(types(&root, &format!("user_id={}", bob.id())), ["signed_up", "log_in", "log_in"]);
    assert_eq!(types(&root, "type=signed_up").len(), 2);
    assert_eq!(types(&root, &format!("{of_ada}&type=log_in")).len(), 5);
    assert_eq!(types(&root, &format!("{of_ada}&type=log_out")), Vec::<String>::new());
    assert_eq!(types(&root, "user_id=9007199254740991"), Vec::<String>::new());

    let all = events(&root, &of_ada);
    server.home.database.execute(&format!("UPDATE events SET at = at - 7200000 WHERE id <= {}", all[3]["id"]));
    let since = |event: &Value| event["at"].as_str().expect("a time").to_owned();
    let found = events(&root, &format!("{of_ada}&since={}", since(&all[4])));
    assert_eq!(found, all[4..], "that time itself is included");
    assert_eq!(events(&root, &format!("{of_ada}&type=log_in&since={}", since(&all[4]))), all[4..]);
    assert_eq!(types(&root, "since=2999-01-01T00:00:00Z"), Vec::<String>::new());
    assert_eq!(events(&root, "since=1970-01-01T01:00:00%2B01:00"), events(&root, ""), "any time zone");
    assert_eq!(walk(&root, &format!("/audit?limit=1&{of_ada}&type=log_in"), || {}).len(), 5);
}

#[test]
fn a_query_that_cannot_be_read_is_422_and_names_every_fault() {
    let (_server, root, [ada, _]) = lived_in();
    for wrong in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor="] {
        let name = wrong.split('=').next().expect("a name");
        root.get(&format!("/audit?{wrong}")).expect_faults(&[&["query", name]]);
        ada.get(&format!("/me/activity?{wrong}")).expect_faults(&[&["query", name]]);
    }
    for wrong in ["user_id=0", "user_id=x", "type=nothing", "type=", "since=yesterday", "since=2026-01-01"] {
        let name = wrong.split('=').next().expect("a name");
        root.get(&format!("/audit?{wrong}")).expect_faults(&[&["query", name]]);
    }
    let all = "/audit?limit=0&cursor=x&user_id=x&type=x&since=x";
    let places = ["limit", "cursor", "user_id", "type", "since"].map(|name| ["query", name]);
    root.get(all).expect_faults(&places.each_ref().map(|place| place.as_slice()));
}
