use std::pin::pin;

use futures_util::FutureExt;
use tempfile::TempDir;

use super::*;
use crate::config::{DatabaseSettings, DatabaseUrl};

const HERE: &str = "192.0.2.1";
const ELSEWHERE: &str = "192.0.2.2";

/// A database and settings that replicas share.
struct Shared {
    _folder: TempDir,
    db: Db,
    settings: RateLimitSettings,
}

impl Shared {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = DatabaseUrl::Sqlite(folder.path().join("keyfob.db"));
        let db = Db::open(&DatabaseSettings { url, read_url: None, pool_size: 2, pool_wait_seconds: 5 })
            .expect("a database");
        let settings = RateLimitSettings {
            enabled: true,
            account_failures: 3,
            account_total_failures: 6,
            address_failures: 5,
            address_signups: 2,
            window_seconds: 60,
        };
        Self { _folder: folder, db, settings }
    }

    async fn replica(&self, now: Timestamp) -> Attempts {
        Attempts::load(&self.settings, &self.db, b"a key", now).await.expect("the rows")
    }
}

fn guess<'a>(account: &'a str, password: &'a str, address: &str) -> Attempt<'a> {
    Attempt::on_account(account, password, address.parse().expect("address"))
}

/// Makes an attempt that fails if it is admitted.
async fn fails(attempts: &Attempts, attempt: &Attempt<'_>, now: Timestamp) -> Result<(), TooMany> {
    attempts.begin(attempt, now).await?.failed(now).await;
    Ok(())
}

/// Fails with another password each time; returns how many attempts were admitted.
async fn fail_often(attempts: &Attempts, account: &str, address: &str, times: usize, now: Timestamp) -> usize {
    let mut count = 0;
    for number in 0..times {
        count += usize::from(fails(attempts, &guess(account, &format!("{number}"), address), now).await.is_ok());
    }
    count
}

#[actix_web::test]
async fn an_account_is_closed_to_the_address_that_guesses_and_open_to_others() {
    let now = Timestamp::now();
    let attempts = Shared::new().replica(now).await;
    assert_eq!(fail_often(&attempts, "ada", HERE, 5, now).await, 3);
    let after = now.plus_seconds(20);
    let told = fails(&attempts, &guess("ada", "d", HERE), after).await;
    assert_eq!(told, Err(TooMany { retry_after_seconds: 40 }));
    assert_eq!(fails(&attempts, &guess("ada", "d", ELSEWHERE), after).await, Ok(()));
    assert_eq!(fails(&attempts, &guess("bob", "d", HERE), after).await, Ok(()));
    assert!(fails(&attempts, &guess("ada", "d", HERE), now.plus_seconds(59)).await.is_err());
    assert_eq!(fails(&attempts, &guess("ada", "d", HERE), after.plus_seconds(40)).await, Ok(()));
}

#[actix_web::test]
async fn an_address_that_walks_through_accounts_is_closed() {
    let now = Timestamp::now();
    let attempts = Shared::new().replica(now).await;
    for account in ["a", "b", "c", "d", "e"] {
        assert_eq!(fails(&attempts, &guess(account, "password", HERE), now).await, Ok(()));
    }
    assert!(fails(&attempts, &guess("f", "password", HERE), now).await.is_err());
    assert!(attempts.begin(&Attempt::to_sign_up(HERE.parse().expect("address")), now).await.is_err());
}

/// How many of five more failures an account admits from an address.
async fn left(attempts: &Attempts, account: &str, address: &str, now: Timestamp) -> usize {
    fail_often(attempts, account, address, 5, now).await
}

#[actix_web::test]
async fn the_same_wrong_password_again_within_seconds_is_free_twice_and_counts_then() {
    let now = Timestamp::now();
    let attempts = Shared::new().replica(now).await;
    for _ in 0..3 {
        assert_eq!(fails(&attempts, &guess("ada", "a", HERE), now).await, Ok(()));
    }
    assert_eq!(left(&attempts, "ada", HERE, now).await, 2, "one of three counted");
    let attempts = Shared::new().replica(now).await;
    for _ in 0..5 {
        assert_eq!(fails(&attempts, &guess("ada", "a", HERE), now).await, Ok(()));
    }
    assert!(
        fails(&attempts, &guess("ada", "a", HERE), now).await.is_err(),
        "the first, the fourth and the fifth count"
    );
}

#[actix_web::test]
async fn a_repeat_does_not_renew_the_seconds_in_which_it_is_free() {
    let now = Timestamp::now();
    let attempts = Shared::new().replica(now).await;
    for seconds in [0, 4, 8] {
        assert_eq!(fails(&attempts, &guess("ada", "a", HERE), now.plus_seconds(seconds)).await, Ok(()));
    }
    assert_eq!(
        left(&attempts, "ada", HERE, now.plus_seconds(8)).await,
        1,
        "the second repeat is no repeat of the first"
    );
}

#[actix_web::test]
async fn the_same_wrong_password_in_another_form_is_the_same() {
    let now = Timestamp::now();
    let attempts = Shared::new().replica(now).await;
    for password in ["mañana-öl", "man\u{303}ana-o\u{308}l"] {
        assert_eq!(fails(&attempts, &guess("ada", password, HERE), now).await, Ok(()));
    }
    assert_eq!(left(&attempts, "ada", HERE, now).await, 2);
}

#[actix_web::test]
async fn the_same_wrong_password_some_seconds_later_counts() {
    let now = Timestamp::now();
    let attempts = Shared::new().replica(now).await;
    for seconds in [0, 10, 20] {
        assert_eq!(fails(&attempts, &guess("ada", "a", HERE), now.plus_seconds(seconds)).await, Ok(()));
    }
    assert!(fails(&attempts, &guess("ada", "a", HERE), now.plus_seconds(30)).await.is_err());
}

#[actix_web::test]
async fn what_is_under_way_from_one_address_holds_up_no_other() {
    let now = Timestamp::now();
    let attempts = Shared::new().replica(now).await;
    let mut begun = Vec::new();
    for password in ["a", "b", "c"] {
        begun.push(attempts.begin(&guess("ada", password, HERE), now).await.expect("let through"));
    }
    let late_guess = guess("ada", "d", HERE);
    let mut late = pin!(attempts.begin(&late_guess, now));
    assert!(late.as_mut().now_or_never().is_none(), "the next one from there waits");
    for (account, address) in [("ada", ELSEWHERE), ("bob", HERE)] {
        let at_once = guess(account, "d", address);
        assert!(attempts.begin(&at_once, now).now_or_never().is_some(), "{account} {address}");
    }
    begun.clear();
    assert!(late.await.is_ok());
}

#[actix_web::test]
async fn a_good_log_in_resets_the_account_and_does_not_count() {
    let (shared, now) = (Shared::new(), Timestamp::now());
    let (attempts, other) = (shared.replica(now).await, shared.replica(now).await);
    assert_eq!(fail_often(&attempts, "ada", HERE, 2, now).await, 2);
    other.poll(now).await.expect("the rows");
    attempts.begin(&guess("ada", "right", HERE), now).await.expect("let through").succeeded(now).await;
    attempts.poll(now).await.expect("the rows");
    other.poll(now).await.expect("the rows");
    assert_eq!(fail_often(&other, "ada", HERE, 4, now).await, 3, "here and at the other replica");
    assert!(fails(&other, &guess("bob", "f", HERE), now).await.is_err(), "five have failed from there");
}

#[actix_web::test]
async fn many_at_once_are_no_way_around_the_limit() {
    let now = Timestamp::now();
    let attempts = Shared::new().replica(now).await;
    let mut begun = Vec::new();
    for password in ["a", "b", "c"] {
        begun.push(attempts.begin(&guess("ada", password, HERE), now).await.expect("let through"));
    }
    let late_guess = guess("ada", "d", HERE);
    let mut late = pin!(attempts.begin(&late_guess, now));
    assert!(timeout(Duration::from_millis(20), late.as_mut()).await.is_err(), "the next one waits");
    drop(begun.pop());
    assert!(timeout(Duration::from_secs(1), late).await.expect("one was not decided").is_ok());
    for begun in begun {
        begun.failed(now).await;
    }
    assert_eq!(fail_often(&attempts, "ada", HERE, 5, now).await, 1);
}

#[actix_web::test]
async fn an_ipv6_subscriber_is_one_address() {
    let now = Timestamp::now();
    let attempts = Shared::new().replica(now).await;
    assert_eq!(fail_often(&attempts, "ada", "2001:db8::1", 3, now).await, 3);
    assert!(fails(&attempts, &guess("ada", "d", "2001:db8::ffff:2"), now).await.is_err());
    assert!(fails(&attempts, &guess("ada", "d", "2001:db8:0:1::1"), now).await.is_ok());
}

#[actix_web::test]
async fn replicas_add_up_and_a_restart_forgets_nothing() {
    let (shared, now) = (Shared::new(), Timestamp::now());
    let (one, two) = (shared.replica(now).await, shared.replica(now).await);
    assert_eq!(fail_often(&one, "ada", HERE, 2, now).await, 2);
    assert_eq!(
        fails(&two, &guess("ada", "x", HERE), now).await,
        Ok(()),
        "not heard of yet, but counted with the others"
    );
    assert!(fails(&two, &guess("ada", "y", HERE), now).await.is_err());
    one.poll(now).await.expect("the rows");
    assert!(fails(&one, &guess("ada", "z", HERE), now).await.is_err());
    let restarted = shared.replica(now.plus_seconds(59)).await;
    let told = fails(&restarted, &guess("ada", "z", HERE), now.plus_seconds(59)).await;
    assert_eq!(told, Err(TooMany { retry_after_seconds: 1 }));
}

#[actix_web::test]
async fn an_account_guessed_at_from_everywhere_has_one_attempt_for_each_strange_address() {
    let now = Timestamp::now();
    let attempts = Shared::new().replica(now).await;
    assert_eq!(fail_often(&attempts, "ada", HERE, 3, now).await, 3);
    assert_eq!(fail_often(&attempts, "ada", ELSEWHERE, 3, now).await, 3);
    assert_eq!(fail_often(&attempts, "ada", "192.0.2.3", 3, now).await, 1);
    assert_eq!(fail_often(&attempts, "bob", "192.0.2.3", 3, now).await, 3);
}

#[actix_web::test]
async fn a_clock_that_is_set_back_keeps_nobody_out_for_longer_and_limits_go_on() {
    let (shared, now) = (Shared::new(), Timestamp::now());
    let attempts = shared.replica(now).await;
    assert_eq!(fail_often(&attempts, "ada", HERE, 5, now).await, 3);
    // Within the clock difference allowed between replicas.
    assert!(fails(&attempts, &guess("ada", "x", HERE), now.minus_seconds(10)).await.is_err());
    let earlier = now.minus_seconds(3600);
    assert_eq!(fail_often(&attempts, "ada", HERE, 5, earlier).await, 3, "a window that begins anew");
    let told = fails(&attempts, &guess("ada", "x", HERE), earlier.plus_seconds(20)).await;
    assert_eq!(told, Err(TooMany { retry_after_seconds: 40 }));
    let restarted = shared.replica(earlier.plus_seconds(20)).await;
    assert!(fails(&restarted, &guess("ada", "x", HERE), earlier.plus_seconds(20)).await.is_err());
    assert_eq!(fails(&attempts, &guess("ada", "x", HERE), earlier.plus_seconds(60)).await, Ok(()));
}

#[actix_web::test]
async fn what_is_long_over_is_deleted() {
    let (shared, now) = (Shared::new(), Timestamp::now());
    let attempts = shared.replica(now).await;
    assert_eq!(fail_often(&attempts, "ada", HERE, 1, now).await, 1);
    let rows = async || {
        let start = now.minus_seconds(1000);
        shared.db.read(move |conn| store::list_changed(conn, start)).await.expect("the rows").len()
    };
    attempts.delete_expired(now.plus_seconds(100)).await.expect("deleted");
    assert_eq!(rows().await, 3, "the account there, the account, the address");
    attempts.delete_expired(now.plus_seconds(60 + 2 * KEEP_SECONDS + 1)).await.expect("deleted");
    assert_eq!(rows().await, 0);
}
