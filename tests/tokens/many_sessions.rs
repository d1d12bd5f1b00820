//! How many sessions an account may have, and how they are listed and ended when they are many.

use serde_json::Value;

use crate::steps::{expect_refused, refresh_token, renew, session_id, time_until_refused};
use crate::support::{Actor, Client, Home, PASSWORD, Server};

const BOB: &str = "bob@example.com";

fn limited(max: &str) -> Server {
    Server::with(&[("sessions.max_per_account", max)])
}

#[track_caller]
fn page(actor: &Client, query: &str) -> (Vec<i64>, Option<String>) {
    let page = actor.get(&format!("/me/sessions{query}")).expect_json(200);
    let ids = page["items"].as_array().expect("items").iter().map(|item| item["id"].as_i64().expect("an id")).collect();
    let next = &page["next_cursor"];
    assert!(next.is_null() || next.is_string(), "{page}");
    (ids, next.as_str().map(str::to_owned))
}

fn ids_of(actors: &[Actor]) -> Vec<i64> {
    actors.iter().rev().map(|actor| session_id(&actor.token)).collect()
}

#[test]
fn a_log_in_beyond_the_limit_ends_the_oldest_sessions_at_every_process_and_no_others() {
    let server = limited("3");
    let second = server.second();
    let eve = server.sign_up("eve@example.com");
    server.sign_up(BOB);
    let actors: Vec<Actor> = (0..5).map(|_| server.log_in(BOB)).collect();
    let (ended, alive) = actors.split_at(2);
    for process in [&server, &second] {
        for actor in ended {
            time_until_refused(process, &actor.token);
            expect_refused(process, refresh_token(&actor.grant));
        }
        for actor in alive {
            process.with_token(&actor.token).get("/me").expect_json(200);
        }
        process.with_token(&eve.token).get("/me").expect_json(200);
    }
    assert_eq!(page(&alive[0], ""), (ids_of(alive), None));
    for actor in alive {
        renew(&server, refresh_token(&actor.grant));
    }
}

#[test]
fn a_limit_of_one_leaves_the_newest_session_alone() {
    let server = limited("1");
    let (first, second) = (server.sign_up(BOB), server.log_in(BOB));
    time_until_refused(&server, &first.token);
    assert_eq!(page(&second, ""), (vec![session_id(&second.token)], None));
}

#[test]
fn expired_sessions_do_not_count_towards_the_limit() {
    let server = limited("2");
    let (phone, tablet) = (server.sign_up(BOB), server.log_in(BOB));
    let month = 31 * 86_400_000_i64;
    let tablet = session_id(&tablet.token);
    server
        .home
        .database
        .execute(&format!("UPDATE sessions SET refreshed_at = refreshed_at - {month} WHERE id = {tablet}"));
    let laptop = server.log_in(BOB);
    assert_eq!(page(&laptop, "").0, ids_of(&[phone.clone(), laptop.clone()]));
    renew(&server, refresh_token(&phone.grant));
}

#[test]
fn sessions_beyond_a_limit_that_was_lowered_end_at_the_next_log_in() {
    let server = Server::start();
    let first = server.sign_up(BOB);
    let others: Vec<Actor> = (0..4).map(|_| server.log_in(BOB)).collect();
    let server = crate::steps::restart_with(server, &[("sessions.max_per_account", "2")]);
    server.with_token(&first.token).get("/me").expect_json(200);
    let last = server.log_in(BOB);
    assert_eq!(page(&last, "").0, ids_of(&[others[3].clone(), last.clone()]));
    time_until_refused(&server, &first.token);
}

#[test]
fn a_wrong_password_ends_no_session() {
    let server = limited("1");
    let bob = server.sign_up(BOB);
    server.login(&[("username", BOB), ("password", "a wrong one")]).expect_oauth_error(400, "invalid_grant");
    let none_left = [("username", BOB), ("password", PASSWORD), ("scope", "admin")];
    server.login(&none_left).expect_oauth_error(400, "invalid_scope");
    bob.get("/me").expect_json(200);
}

#[test]
fn the_limit_is_a_number_from_1_to_10000() {
    for wrong in ["0", "10001", "many"] {
        let line = Home::with(&[("sessions.max_per_account", wrong)]).run(&[], "").expect_failure();
        assert!(line.contains("sessions.max_per_account") && line.contains("10000"), "{line}");
    }
    let shown = Home::new().run(&["config"], "").expect_success();
    assert!(shown.contains("[sessions]\nmax_per_account = 200\n"), "{shown}");
}

#[test]
fn sessions_are_listed_in_pages_newest_first() {
    let server = Server::start();
    let actors: Vec<Actor> = std::iter::once(server.sign_up(BOB)).chain((0..4).map(|_| server.log_in(BOB))).collect();
    let bob = &actors[0];
    let all = ids_of(&actors);
    assert_eq!(page(bob, ""), (all.clone(), None));
    assert_eq!(page(bob, "?limit=5"), (all.clone(), None));
    let (first, next) = page(bob, "?limit=2");
    assert_eq!(first, all[..2]);
    // What begins or ends meanwhile moves nothing.
    server.log_in(BOB);
    bob.delete(&format!("/me/sessions/{}", all[1])).expect_empty(204);
    let (second, next) = page(bob, &format!("?limit=2&cursor={}", next.expect("more")));
    assert_eq!(second, all[2..4]);
    assert_eq!(page(bob, &format!("?limit=2&cursor={}", next.expect("more"))), (all[4..].to_vec(), None));
}

#[test]
fn an_invalid_limit_or_cursor_of_sessions_is_422() {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    for limit in ["0", "101", "-1", "x", ""] {
        bob.get(&format!("/me/sessions?limit={limit}")).expect_faults(&[&["query", "limit"]]);
    }
    for cursor in ["!", "MA", ""] {
        bob.get(&format!("/me/sessions?cursor={cursor}")).expect_faults(&[&["query", "cursor"]]);
    }
}

#[test]
fn personal_data_in_sessions_is_deleted_with_the_account() {
    let server = Server::start();
    let kept = server.sign_up("eve@example.com");
    for way in ["by the route", "by hand"] {
        let bob = server.sign_up(BOB);
        // One that has ended before tells as much.
        server.log_in(BOB).delete("/me/sessions").expect_empty(204);
        match way {
            "by hand" => server.home.database.execute(&format!("DELETE FROM users WHERE id = {}", bob.id())),
            _ => {
                let deletion = serde_json::json!({"password": PASSWORD});
                let last = server.log_in(BOB);
                last.request("DELETE", "/me").json(&deletion).send().expect_empty(204);
            }
        }
        let told = "SELECT CAST(COUNT(*) AS TEXT) AS value FROM sessions \
                    WHERE (ip IS NOT NULL OR user_agent IS NOT NULL) AND user_id = ";
        assert_eq!(server.home.database.text(&format!("{told}{}", bob.id())), "0", "{way}");
        assert_eq!(server.home.database.text(&format!("{told}{}", kept.id())), "1", "another's stays");
    }
    let session: Value = kept.get("/me/sessions").expect_json(200)["items"][0].clone();
    assert_eq!(session["ip"], "127.0.0.1");
}
