//! Several processes start at once where there is nothing yet.

use std::sync::{Arc, Barrier};
use std::{fs, thread};

use crate::postgres::{service_url, start_postgres, text_at};
use crate::support::{Home, Server};

const ROUNDS: usize = 4;

/// Two processes, and two migrations beside them, all at the same time.
fn start_at_once(home: &Arc<Home>) -> Vec<Server> {
    let start = Barrier::new(4);
    thread::scope(|scope| {
        let (home, start) = (&home, &start);
        let servers = [0, 1].map(|_| {
            scope.spawn(|| {
                start.wait();
                Server::at(Arc::clone(home))
            })
        });
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                let run = home.run(&["migrate"], "");
                assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:?}");
            });
        }
        servers.map(|server| server.join().expect("it starts")).into()
    })
}

fn jwks(server: &Server) -> String {
    server.get("/.well-known/jwks.json").expect(200).text().to_owned()
}

#[test]
fn processes_that_start_at_once_on_an_empty_database_migrate_it_once_and_are_one_service() {
    let Some(postgres) = start_postgres() else { return };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
    let migrations =
        fs::read_dir(folder).expect("a folder").filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    for round in 0..ROUNDS {
        let name = format!("empty_{round}");
        postgres.create_database(&name);
        let url = service_url(&[&postgres], &name);
        let servers = start_at_once(&Arc::new(Home::with(&[("database.url", &url)])));
        assert_eq!(
            text_at(&url, "SELECT count(*)::text AS value FROM __diesel_schema_migrations"),
            migrations.to_string()
        );
        for (here, there) in [(0, 1), (1, 0)] {
            let actor = servers[here].sign_up(&format!("ada-{here}@example.com"));
            let url = actor.write_post("To be read there");
            let there = servers[there].with_token(&actor.token);
            there.get("/me").expect_json(200);
            there.get(&url).expect_json(200);
        }
        assert_eq!(jwks(&servers[0]), jwks(&servers[1]), "one set of keys");
        let keys = "SELECT count(*)::text AS value FROM signing_keys";
        assert_eq!(text_at(&url, keys), "1", "one key was made");
    }
}
