//! Keeps SQLite's journal (`-wal`) small.
//!
//! From time to time SQLite copies the journal to the database, and restarts it when no connection reads from it. Where
//! reads follow each other without a pause (`snapshot.rs`) one always does. So when the journal is large, the writer
//! waits a moment for its present readers; reads that begin meanwhile no longer need it.

use std::path::PathBuf;

use diesel::connection::SimpleConnection;

use super::open::SQLITE_PATIENCE;
use crate::config::DatabaseUrl;
use crate::db::connection::Conn;

/// Four times the size at which SQLite copies.
const LARGE: u64 = 16 * 1024 * 1024;
/// Longest wait for present reads, in milliseconds: some do not end soon, such as a backup or a shell.
const SHORT_PATIENCE: &str = "PRAGMA busy_timeout = 50";

pub(in crate::db) struct Journal {
    path: PathBuf,
    /// Size at which to checkpoint, and by how much to raise it after a failed attempt.
    limit: u64,
    step: u64,
}

impl Journal {
    /// The journal of a SQLite database.
    pub(in crate::db) fn of(url: &DatabaseUrl) -> Option<Self> {
        let DatabaseUrl::Sqlite(database) = url else { return None };
        let mut path = database.clone().into_os_string();
        path.push("-wal");
        Some(Self { path: path.into(), limit: LARGE, step: LARGE })
    }

    /// Restarts the journal if it is large; the writer calls this outside a transaction.
    pub(in crate::db) fn keep_small(&mut self, conn: &mut Conn) {
        if self.bytes() <= self.limit {
            return;
        }
        // A failure is retried when the journal has grown further; until then it safely holds everything.
        for statement in [SHORT_PATIENCE, "PRAGMA wal_checkpoint(TRUNCATE)", SQLITE_PATIENCE] {
            let _ = conn.batch_execute(statement);
        }
        self.limit = self.bytes() + self.step;
    }

    fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DatabaseSettings;
    use crate::db::manager::Manager;
    use crate::db::migrate;

    const WRITE: &str = "INSERT INTO things VALUES (randomblob(100000))";
    const READ: &str = "BEGIN; SELECT * FROM things LIMIT 1";

    #[test]
    fn it_begins_anew_when_those_have_ended_who_read_from_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = DatabaseUrl::Sqlite(folder.path().join("keyfob.db"));
        let settings = DatabaseSettings { url: url.clone(), read_url: None, pool_size: 1, pool_wait_seconds: 5 };
        let manager = Manager::new(&settings);
        migrate::run(&manager).expect("a database");
        let [mut writer, mut early, mut late] = [(); 3].map(|()| manager.open().expect("a connection"));
        let mut journal = Journal { limit: 0, step: 250_000, ..Journal::of(&url).expect("SQLite") };
        let mut write = |journal: &mut Journal, times: u32| {
            for _ in 0..times {
                writer.batch_execute(WRITE).expect("written");
                journal.keep_small(&mut writer);
            }
        };
        early.batch_execute("CREATE TABLE things (thing BLOB)").expect("a table");

        write(&mut journal, 1);
        assert_eq!((journal.bytes(), journal.limit), (0, 250_000), "nobody reads");
        write(&mut journal, 2);
        assert!(journal.bytes() >= 200_000, "it is not large");
        early.batch_execute(READ).expect("a read that goes on");
        write(&mut journal, 2);
        assert!(journal.bytes() > 400_000, "somebody reads from it");
        assert!(journal.limit > 500_000, "it is not tried again at once");

        // One read begins before the previous one ends, as under constant load.
        late.batch_execute(READ).expect("a read that goes on");
        let ends = std::thread::spawn(move || {
            early.batch_execute("COMMIT").expect("the end");
            late.batch_execute("COMMIT").expect("the end");
        });
        write(&mut journal, 2);
        ends.join().expect("no panic");
        write(&mut journal, 5);
        assert!(journal.bytes() < 600_000, "{} bytes", journal.bytes());
    }
}
