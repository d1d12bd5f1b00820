//! `keyfob seed`: a database as large as a service may have, for the development of Keyfob.

use std::sync::Arc;

use fastrand::Rng;
use indicatif::ProgressBar;

use super::user::{hash, read_new_password};
use super::{CommandError, print, progress};
use crate::accounts::store::{self as accounts, ImportedUser};
use crate::config::{Environment, Settings};
use crate::db::{Conn, Db, Id, StoreError, Timestamp};
use crate::posts::store::{self as posts, PostRow};

/// Rows per transaction.
const BATCH: usize = 1000;
/// The seed of the random numbers, so that the same command makes the same rows.
const RANDOM_SEED: u64 = 1;
/// Creation time of the first row, 2025-01-01T00:00:00Z, and the interval to the next one, in milliseconds.
const START_MILLIS: i64 = 1_735_689_600_000;
const STEP_MILLIS: i64 = 100;

const TITLE_WORDS: std::ops::RangeInclusive<usize> = 2..=8;
const CONTENT_WORDS: std::ops::RangeInclusive<usize> = 10..=60;
const WORDS: [&str; 24] = [
    "lantern", "quartz", "otter", "violet", "kettle", "harbour", "meadow", "copper", "thistle", "engine", "velvet",
    "anchor", "and", "under", "beside", "the", "a", "over", "slow", "bright", "seven", "turns", "waits", "sings",
];

#[derive(clap::Args)]
#[command(after_long_help = "\
The accounts are user000001@example.com and so on. They share one password, which is read from standard input, so that
no seeded database has a password that others know. The lower an account's number, the more posts it has; many of the
last ones have none. The same numbers give the same rows, except for the password hash.
A database that has, or ever had, an account is refused, and so is KEYFOB_ENV=production.")]
pub(super) struct Seed {
    /// Number of accounts
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=1_000_000_000))]
    users: i64,
    /// Number of posts
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=1_000_000_000))]
    posts: i64,
}

pub(super) async fn seed(seed: &Seed, settings: &Settings) -> Result<(), CommandError> {
    let refused = |message: &str| CommandError::Refused(message.to_owned());
    if settings.environment == Environment::Production {
        return Err(refused("seed creates accounts that share a password, so it refuses KEYFOB_ENV=production"));
    }
    // One password for all of them, which the first stands for.
    let first = (email(1), full_name(1));
    let password_hash = hash(read_new_password(&first.0, Some(&first.1))?, settings).await?;
    let db = Db::open(&settings.database)?;
    let (last_user, last_post) = (id(seed.users)?, id(seed.posts)?);
    if !db.write(move |conn| claim(conn, last_user, last_post)).await? {
        return Err(refused("the database has or had accounts: seed needs an empty one"));
    }
    let bar = progress(u64::try_from(seed.users + seed.posts).unwrap_or_default());
    keep(seed.users, &bar, &db, |number| user(number, &password_hash), insert_users).await?;
    let mut rng = Rng::with_seed(RANDOM_SEED);
    keep(seed.posts, &bar, &db, |number| post(number, seed.users, &mut rng), posts::insert_posts).await?;
    bar.finish_and_clear();
    print(&format!("created {} accounts, user000001@example.com and so on, and {} posts", seed.users, seed.posts))
}

/// Reserves the ids of the rows; `false` if the database has, or ever had, accounts.
fn claim(conn: &mut Conn, last_user: Id, last_post: Id) -> Result<bool, StoreError> {
    conn.wait_for_turn()?;
    if accounts::has_had_users(conn)? {
        return Ok(false);
    }
    accounts::update_next_id(conn, last_user)?;
    posts::update_next_id(conn, last_post)?;
    Ok(true)
}

/// Makes `count` rows and inserts them, batch by batch.
async fn keep<R: Send + Sync + 'static>(
    count: i64,
    bar: &ProgressBar,
    db: &Db,
    mut make: impl FnMut(i64) -> Result<R, StoreError>,
    insert: fn(&mut Conn, &[R]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for first in (1..=count).step_by(BATCH) {
        let rows: Vec<R> = (first..=count).take(BATCH).map(&mut make).collect::<Result<_, _>>()?;
        let (done, rows) = (rows.len(), Arc::new(rows));
        db.write(move |conn| insert(conn, &rows)).await?;
        bar.inc(u64::try_from(done).unwrap_or_default());
    }
    Ok(())
}

fn insert_users(conn: &mut Conn, users: &[ImportedUser]) -> Result<(), StoreError> {
    accounts::insert_imported(conn, users.iter().collect())
}

fn user(number: i64, password_hash: &str) -> Result<ImportedUser, StoreError> {
    let email = email(number);
    Ok(ImportedUser {
        id: Some(id(number)?),
        email_key: email.clone(),
        email,
        password_hash: password_hash.to_owned(),
        full_name: Some(full_name(number)),
        is_active: true,
        is_admin: false,
        email_verified: false,
        created_at: made_at(number),
        updated_at: made_at(number),
    })
}

fn email(number: i64) -> String {
    format!("user{number:06}@example.com")
}

fn full_name(number: i64) -> String {
    format!("User {number}")
}

fn post(number: i64, users: i64, rng: &mut Rng) -> Result<PostRow, StoreError> {
    // Picks from all accounts, their first half, their first quarter and so on, each with the same probability: as in
    // life, a few write much and many write little.
    let among = users >> rng.u32(0..=users.ilog2());
    Ok(PostRow {
        id: id(number)?,
        author_id: id(rng.i64(1..=among))?,
        title: words(rng, TITLE_WORDS),
        content: words(rng, CONTENT_WORDS),
        revision: 1,
        created_at: made_at(number),
        updated_at: made_at(number),
    })
}

fn words(rng: &mut Rng, count: std::ops::RangeInclusive<usize>) -> String {
    let count = rng.usize(count);
    let words: Vec<&str> = std::iter::repeat_with(|| rng.choice(WORDS)).take(count).flatten().collect();
    words.join(" ")
}

fn made_at(number: i64) -> Timestamp {
    Timestamp::from_millis(START_MILLIS + number * STEP_MILLIS)
}

fn id(number: i64) -> Result<Id, StoreError> {
    Id::from_number(number).ok_or_else(|| StoreError::Internal("a number that is no id".into()))
}
