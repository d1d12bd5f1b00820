//! The only PostgreSQL is restarted.

use crate::load::{Load, POOL_WAIT_SECONDS};
use crate::postgres::{Stop, service_url, start_postgres};
use crate::support::Server;

#[test]
fn when_postgresql_is_restarted_the_service_recovers_by_itself() {
    let Some(mut postgres) = start_postgres() else { return };
    let url = service_url(&[&postgres], "keyfob");
    let first = Server::with(&[("database.url", &url), ("database.pool_wait_seconds", POOL_WAIT_SECONDS)]);
    let second = first.second();
    let load = Load::new([&first, &second]);
    load.during(|load| {
        postgres.stop(Stop::Fast);
        load.wait_until_all_is_away();
        postgres.start();
        load.wait_until_all_is_done(&[0, 1]);
        // At once, so that requests also meet a server that is starting or recovering.
        for how in [Stop::Immediate, Stop::Fast] {
            postgres.stop(how);
            postgres.start();
            load.wait_until_all_is_done(&[0, 1]);
        }
    });
    load.verify(&first, &second);
}
