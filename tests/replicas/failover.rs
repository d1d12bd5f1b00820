//! The primary dies, the standby takes over.

use crate::load::{Load, POOL_WAIT_SECONDS};
use crate::postgres::{service_url, start_postgres};
use crate::support::Server;

#[test]
fn when_the_primary_dies_and_the_standby_takes_over_nothing_acknowledged_is_lost() {
    let Some(mut primary) = start_postgres() else { return };
    let standby = primary.stand_by();
    let url = service_url(&[&primary, &standby], "keyfob");
    let first = Server::with(&[("database.url", &url), ("database.pool_wait_seconds", POOL_WAIT_SECONDS)]);
    let second = first.second();
    let load = Load::new([&first, &second]);
    load.during(|load| {
        primary.kill();
        load.wait_until_all_is_away();
        standby.promote();
        load.wait_until_all_is_done(&[0, 1]);
    });
    load.verify(&first, &second);
}
