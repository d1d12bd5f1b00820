//! Shares one connection and one snapshot of SQLite among reads that arrive together.
//!
//! Beginning and ending a read costs SQLite two system calls, under a lock that all connections of a process share:
//! more than a look-up (docs/performance.md). A worker that polls its sockets finds many requests at a time. Their
//! reads share one transaction, which ends before the worker polls again, just as writes that wait together share one
//! commit.
//!
//! No read misses a write that was acknowledged: after each commit of this process the next read takes a new snapshot.
//! Another process's commits are visible at most 10 ms later.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::db::batch::execute_on_either;
use crate::db::connection::Conn;
use crate::db::error::StoreError;
use crate::db::pool::{Connections, Lent};
use crate::db::postgres::call::Limits;

/// Greatest age of a snapshot that may serve reads.
const MAX_AGE: Duration = Duration::from_millis(10);

thread_local! {
    /// This thread's snapshot, until the thread has finished its present tasks.
    static OPEN: RefCell<Option<Snapshot>> = const { RefCell::new(None) };
}

/// Counts this process's commits to a database.
#[derive(Clone, Debug, Default)]
pub(in crate::db) struct Commits(Arc<AtomicU64>);

impl Commits {
    /// Counts a commit, before any caller learns of it.
    pub(in crate::db) fn add(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// A connection kept for the reads of one turn of the event loop.
struct Snapshot {
    lent: Lent,
    taken_at: Instant,
    /// The commits of the database that is read.
    commits: Commits,
    /// The number of commits that the snapshot includes.
    seen: u64,
}

impl Snapshot {
    fn take(
        connections: &Connections,
        commits: &Commits,
        limits: Limits,
        runtime: &Handle,
    ) -> Result<Self, StoreError> {
        let mut lent = connections.lend(&limits.begin())?;
        let (taken_at, seen) = (Instant::now(), commits.count());
        lent.run(|conn| execute_on_either(conn, Statement("BEGIN")))?;
        // Runs after this thread's present tasks.
        let end = EndOfTurn;
        runtime.spawn(async move { drop(end) });
        Ok(Self { lent, taken_at, commits: commits.clone(), seen })
    }

    /// Whether the snapshot is of that database, recent, and includes every commit of this process.
    fn is_current(&self, commits: &Commits) -> bool {
        let is_same = Arc::ptr_eq(&self.commits.0, &commits.0);
        is_same && self.seen == commits.count() && self.taken_at.elapsed() < MAX_AGE
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if self.lent.run(|conn| execute_on_either(conn, Statement("COMMIT"))).is_err() {
            self.lent.give_up();
        }
    }
}

/// A parameterless statement that stays prepared; diesel 2.3 does not keep its own ones that begin or end a
/// transaction.
struct Statement(&'static str);

impl QueryId for Statement {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: Backend> QueryFragment<DB> for Statement {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(self.0);
        Ok(())
    }
}

/// Ends its thread's snapshot, whether or not the task that owns it runs.
struct EndOfTurn;

impl Drop for EndOfTurn {
    fn drop(&mut self) {
        // An ending thread has already dropped its snapshot.
        let _ = OPEN.try_with(|open| open.try_borrow_mut().map(|mut open| open.take()));
    }
}

/// Runs a read on this thread's snapshot, or on its own connection if nothing would end a snapshot.
pub(in crate::db) fn read<T>(
    connections: &Connections,
    commits: &Commits,
    limits: Limits,
    work: impl Fn(&mut Conn) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    OPEN.with_borrow_mut(|open| {
        let mut snapshot = match open.take().filter(|snapshot| snapshot.is_current(commits)) {
            Some(snapshot) => snapshot,
            None => match runtime_of_this_thread() {
                Some(runtime) => Snapshot::take(connections, commits, limits, &runtime)?,
                None => return connections.run(&limits.begin(), work),
            },
        };
        let found = snapshot.lent.run(work)?;
        *open = Some(snapshot);
        Ok(found)
    })
}

/// The runtime, if it runs all its tasks on this thread.
fn runtime_of_this_thread() -> Option<Handle> {
    Handle::try_current().ok().filter(|handle| handle.runtime_flavor() == RuntimeFlavor::CurrentThread)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use actix_web::rt::System;
    use diesel::RunQueryDsl;
    use diesel::connection::SimpleConnection;
    use diesel::sql_types::BigInt;
    use tokio::task::yield_now;

    use super::*;
    use crate::config::{DatabaseSettings, DatabaseUrl};
    use crate::db::Db;
    use crate::db::manager::Manager;

    const ADD_ONE: &str = "INSERT INTO things DEFAULT VALUES";

    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }

    /// A database with an empty table, and a connection like that of another process.
    struct Setup {
        db: Db,
        elsewhere: Conn,
        _folder: tempfile::TempDir,
    }

    fn setup() -> Setup {
        let folder = tempfile::tempdir().expect("a folder");
        let url = DatabaseUrl::Sqlite(folder.path().join("keyfob.db"));
        let settings = DatabaseSettings { url, read_url: None, pool_size: 2, pool_wait_seconds: 5 };
        let db = Db::open(&settings).expect("a database");
        let mut elsewhere = Manager::new(&settings).open().expect("a connection");
        let begin = "PRAGMA synchronous = OFF; CREATE TABLE things (id INTEGER PRIMARY KEY)";
        elsewhere.batch_execute(begin).expect("a table");
        Setup { db, elsewhere, _folder: folder }
    }

    fn count(conn: &mut Conn) -> Result<i64, StoreError> {
        let query = diesel::sql_query("SELECT count(*) AS count FROM things");
        Ok(query.get_result::<Count>(conn)?.count)
    }

    async fn counted(db: &Db) -> i64 {
        db.read(count).await.expect("a number")
    }

    fn used(db: &Db) -> u32 {
        db.connections().0
    }

    #[actix_web::test]
    async fn reads_of_a_turn_share_a_state_and_the_next_turn_has_a_new_one() {
        let Setup { db, mut elsewhere, _folder } = setup();
        let mut have_shared = false;
        // Repeat: a snapshot also ends with its age, and a slow machine can make any too old.
        for written in 0..200 {
            let before = counted(&db).await;
            assert_eq!(before, written);
            elsewhere.batch_execute(ADD_ONE).expect("a thing");
            have_shared |= counted(&db).await == before;
            yield_now().await;
        }
        assert!(have_shared);
    }

    #[actix_web::test]
    async fn what_another_process_wrote_is_seen_in_the_same_turn_when_the_snapshot_is_old() {
        let Setup { db, mut elsewhere, _folder } = setup();
        counted(&db).await;
        elsewhere.batch_execute(ADD_ONE).expect("a thing");
        // Simulate a slow turn of the event loop: awaiting would end it.
        let old = Instant::now() + MAX_AGE;
        while Instant::now() < old {
            std::hint::spin_loop();
        }
        assert_eq!(counted(&db).await, 1);
    }

    #[actix_web::test]
    async fn a_write_that_was_answered_is_seen_in_the_same_turn() {
        let Setup { db, _folder, .. } = setup();
        counted(&db).await;
        let shown = || OPEN.with_borrow(|open| open.as_ref().map(|snapshot| (snapshot.seen, snapshot.commits.count())));
        assert_eq!(shown(), Some((0, 0)));
        let writing = db.clone();
        let write = async move { writing.write(|conn| Ok(conn.batch_execute(ADD_ONE)?)).await };
        std::thread::spawn(move || System::new().block_on(write)).join().expect("no panic").expect("written");
        assert_eq!(shown(), Some((0, 1)), "however old it is, it is not read from again");
        assert_eq!(counted(&db).await, 1);
    }

    #[actix_web::test]
    async fn after_its_turn_it_keeps_neither_a_connection_nor_the_journal() {
        #[derive(diesel::QueryableByName)]
        struct Checkpoint {
            #[diesel(sql_type = diesel::sql_types::Integer)]
            busy: i32,
        }
        let Setup { db, mut elsewhere, _folder } = setup();
        counted(&db).await;
        assert_eq!(used(&db), 1);
        yield_now().await;
        assert_eq!(used(&db), 0);
        elsewhere.batch_execute(ADD_ONE).expect("a thing");
        let checkpoint = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result::<Checkpoint>(&mut elsewhere);
        assert_eq!(checkpoint.expect("an answer").busy, 0);
    }

    #[actix_web::test]
    async fn a_read_that_fails_takes_the_snapshot_with_it() {
        let Setup { db, mut elsewhere, _folder } = setup();
        counted(&db).await;
        let failed = db.read(|_| Err::<(), _>(StoreError::Internal("a fault".into()))).await;
        assert!(failed.is_err());
        assert_eq!(used(&db), 0);
        elsewhere.batch_execute(ADD_ONE).expect("a thing");
        assert_eq!(counted(&db).await, 1);
    }

    #[actix_web::test]
    async fn two_databases_on_one_thread_are_told_apart() {
        let (mut one, two) = (setup(), setup());
        one.elsewhere.batch_execute(ADD_ONE).expect("a thing");
        for _ in 0..2 {
            assert_eq!(counted(&one.db).await, 1);
            assert_eq!(counted(&two.db).await, 0);
        }
    }

    #[test]
    fn without_a_turn_that_ends_nothing_is_kept() {
        let Setup { db, _folder, .. } = setup();
        let read = pin!(db.read(count)).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(read, Poll::Ready(Ok(0))), "outside of a runtime");
        assert_eq!(used(&db), 0);
        let system = System::new();
        system.block_on(async { assert_eq!(counted(&db).await, 0) });
        drop(system);
        assert_eq!(used(&db), 0, "a runtime that ended before the turn did");
    }
}
