//! The work of a log-in, counted by the service itself: it tells nothing about whose account that is, nor from where.

use std::time::Duration;

use serde_json::json;

use crate::metrics::{address, sample, samples};
use crate::support::{Client, PASSWORD, Server, until};

/// Of `correct-Horse 7`: bcrypt at cost 6, PBKDF2 of 1,500 iterations, Argon2id once through 64 KiB.
const IMPORTED: &str = "\
    email,password_hash\n\
    bcrypt@example.com,$2b$06$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em\n\
    pbkdf2@example.com,pbkdf2_sha256$1500$6MjShHtA0Nv5jiexbwXmsU$//juOlZxZ35AzG+rojMVPctLqsembMnMC+kaIMdBle4=\n\
    argon2@example.com,\"$argon2id$v=19$m=64,t=1,p=1$Q2lUT25RSXBpOE9CYndjSFJ2dGVxVg$XprucpRR/8rr08MetiV5kCuc8DN2l/sGaDNHPN2GVXI\"\n";
const EVERYBODY: [&str; 7] = [
    "nobody@example.com",
    "own@example.com",
    "disabled@example.com",
    "unset@example.com",
    "bcrypt@example.com",
    "pbkdf2@example.com",
    "argon2@example.com",
];
/// Well over the 10 s in which a process hears of what others have imported.
const HEARD: Duration = Duration::from_secs(60);

/// Rounds of bcrypt, iterations of PBKDF2, KiB times passes of Argon2.
type Work = [f64; 3];

struct Measured {
    server: Server,
    metrics: Client,
}

impl Measured {
    /// A server that knows three accounts of its own: one is disabled, one has no password yet.
    fn start() -> Self {
        let server = Server::with(&[("server.metrics_bind", "127.0.0.1:0")]);
        let metrics = Client::new(&address(&server));
        server.sign_up("own@example.com");
        let disabled = server.sign_up("disabled@example.com");
        let disable = format!("UPDATE users SET is_active = FALSE WHERE id = {}", disabled.id());
        server.home.database.execute(&disable);
        server.admin("own-admin@example.com").post("/users", json!({"email": "unset@example.com"})).expect(201);
        Self { server, metrics }
    }

    fn so_far(&self) -> Work {
        let samples = samples(&self.metrics);
        ["bcrypt", "pbkdf2", "argon2"]
            .map(|algorithm| sample(&samples, &format!("keyfob_password_work_total{{algorithm=\"{algorithm}\"}}")))
    }

    /// What a log-in takes that is refused.
    #[track_caller]
    fn refused(&self, username: &str, password: &str) -> Work {
        let before = self.so_far();
        self.server.login(&[("username", username), ("password", password)]).expect_oauth_error(400, "invalid_grant");
        let after = self.so_far();
        [after[0] - before[0], after[1] - before[1], after[2] - before[2]]
    }

    fn import(&self) {
        self.server.home.write("users.csv", IMPORTED);
        self.server.home.run(&["user", "import", "users.csv"], "").expect_success();
    }
}

#[test]
fn a_refused_login_takes_the_same_work_for_every_kind_of_hash_and_for_unknown_accounts() {
    let measured = Measured::start();
    let cheap = [16.0, 0.0, 0.0];
    assert_eq!(measured.refused("nobody@example.com", "a wrong one"), cheap);
    measured.import();
    let costliest = [64.0, 1500.0, 64.0];
    until("the running process knows what was imported", HEARD, || {
        measured.refused("nobody@example.com", "a wrong one") == costliest
    });
    for username in EVERYBODY {
        assert_eq!(measured.refused(username, "a wrong one"), costliest, "{username}");
    }
    assert_eq!(measured.refused("disabled@example.com", PASSWORD), costliest, "a right password of a disabled account");
    let restarted = measured.server.second();
    let restarted = Measured { metrics: Client::new(&address(&restarted)), server: restarted };
    assert_eq!(restarted.refused("nobody@example.com", "a wrong one"), costliest, "at the start too");
    measured.server.home.database.execute("DELETE FROM users WHERE email LIKE 'bcrypt%' OR email LIKE 'argon2%'");
    until("what is gone costs nothing any more", HEARD, || {
        measured.refused("nobody@example.com", "a wrong one") == [16.0, 1500.0, 0.0]
    });
}

#[test]
fn a_login_that_meets_a_costlier_hash_raises_the_work_of_all() {
    let measured = Measured::start();
    measured.server.home.database.execute(
        "UPDATE users SET password_hash = '$2b$07$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em' \
         WHERE email = 'own@example.com'",
    );
    for username in ["own@example.com", "nobody@example.com"] {
        assert_eq!(measured.refused(username, "a wrong one"), [128.0, 0.0, 0.0], "{username}");
    }
}

#[test]
fn a_password_that_is_not_in_nfc_takes_twice_the_work_for_every_account() {
    let measured = Measured::start();
    measured.import();
    let server = measured.server.second();
    let measured = Measured { metrics: Client::new(&address(&server)), server };
    for username in EVERYBODY {
        let work = measured.refused(username, "man\u{303}ana-o\u{308}l");
        assert_eq!(work, [128.0, 3000.0, 128.0], "{username}");
    }
}

#[test]
fn a_right_password_takes_the_work_of_its_own_hash_and_of_its_renewal_only() {
    let measured = Measured::start();
    measured.import();
    let before = measured.so_far();
    let login = [("username", "pbkdf2@example.com"), ("password", "correct-Horse 7")];
    measured.server.login(&login).expect_json(200);
    let after = measured.so_far();
    assert_eq!([after[0] - before[0], after[1] - before[1], after[2] - before[2]], [16.0, 1500.0, 0.0]);
    let account = json!({"email": "new@example.com", "password": PASSWORD});
    measured.server.post("/signup", account).expect(201);
    assert_eq!(measured.so_far()[0] - after[0], 16.0);
}
