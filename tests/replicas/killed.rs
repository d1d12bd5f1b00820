//! `kill -9` of one process of the service, under load.

use crate::load::Load;
use crate::postgres::{service_url, start_postgres};
use crate::support::Server;

#[track_caller]
fn one_is_killed_and_the_other_goes_on(url: &str) {
    let mut first = Server::with(&[("database.url", url)]);
    let second = first.second();
    let load = Load::new([&first, &second]);
    load.during(|load| {
        load.doom(0);
        first.kill();
        load.wait_until_all_is_done(&[1]);
    });
    let counts = load.ledger().counts.clone();
    assert_eq!(load.ledger().away(1), 0, "the other is not disturbed: {counts:?}");
    load.verify(&second, &second.second());
}

#[test]
fn when_one_process_is_killed_the_other_goes_on_and_nothing_acknowledged_is_lost_on_postgresql() {
    let Some(postgres) = start_postgres() else { return };
    one_is_killed_and_the_other_goes_on(&service_url(&[&postgres], "keyfob"));
}

#[test]
fn when_one_process_is_killed_the_other_goes_on_and_nothing_acknowledged_is_lost_on_sqlite() {
    one_is_killed_and_the_other_goes_on("sqlite://shared.db");
}
