//! Rows that many requests look up by id. On PostgreSQL, lookups that wait at the same time are sent as one statement:
//! sending one costs much more processor time than finding a row (docs/performance.md).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::{Sender, channel};
use tokio::time::timeout_at;

use super::connection::Conn;
use super::error::StoreError;
use super::id::Id;
use super::pool::Connections;
use super::postgres::call::{Call, late};
use super::postgres::replica::Freshness;
use super::{Db, Writing};

/// The most lookups in one statement.
const MAX_TOGETHER: usize = 64;
/// The share of the connections that lookups may use at a time, and at least this many of them: with fewer, more lookups
/// wait together; with one alone, a connection that hangs would stop all.
const SHARE: usize = 4;
const MIN_RUNNERS: usize = 2;

/// Finds one row.
type Find<T> = fn(&mut Conn, Id) -> Result<Option<T>, StoreError>;
/// Finds those rows of several that exist.
type List<T> = fn(&mut Conn, &[Id]) -> Result<Vec<(Id, T)>, StoreError>;

/// Looks up the rows of a table by id.
pub(crate) struct Lookup<T> {
    db: Db,
    find: Find<T>,
    list: List<T>,
    queue: Arc<Mutex<Queue<T>>>,
}

/// The lookups that wait, and the threads that work on them.
struct Queue<T> {
    waiting: VecDeque<Waiting<T>>,
    runners: usize,
}

struct Waiting<T> {
    id: Id,
    call: Call,
    answer: Sender<Result<Option<T>, StoreError>>,
}

impl<T: Clone + Send + 'static> Lookup<T> {
    /// `find` and `list` are the same lookup, of one row and of several.
    pub(crate) fn new(db: &Db, find: Find<T>, list: List<T>) -> Self {
        let queue = Queue { waiting: VecDeque::new(), runners: 0 };
        Self { db: db.clone(), find, list, queue: Arc::new(Mutex::new(queue)) }
    }

    /// The row with that id, if it exists.
    ///
    /// # Errors
    /// Those of [`Db::read`].
    pub(crate) async fn find(&self, id: Id) -> Result<Option<T>, StoreError> {
        // On SQLite a lookup takes some microseconds, and waits for nothing.
        if matches!(self.db.writing, Writing::Alone(_)) {
            let find = self.find;
            return self.db.read(move |conn| find(conn, id)).await;
        }
        let call = self.db.limits.begin();
        let (end, (answer, answered)) = (call.end, channel());
        self.add(Waiting { id, call, answer });
        let answered = match end {
            Some(end) => timeout_at(end.into(), answered).await.map_err(|_| late())?,
            None => answered.await,
        };
        answered.map_err(|_| StoreError::Unavailable("the service is stopping".into()))?
    }

    /// Like [`Lookup::find`], but asks the replica, if there is one, where the row may lag.
    ///
    /// # Errors
    /// Those of [`Db::read`].
    pub(crate) async fn find_as(&self, freshness: Freshness, id: Id) -> Result<Option<T>, StoreError> {
        if self.db.replica.is_none() || freshness == Freshness::Newest {
            return self.find(id).await;
        }
        let find = self.find;
        self.db.read_as(freshness, move |conn| find(conn, id)).await
    }

    /// Adds a lookup, and starts a thread for it unless there are enough.
    fn add(&self, lookup: Waiting<T>) {
        let connections = &self.db.connections;
        let max_runners = usize::try_from(connections.count().2).unwrap_or(1).div_ceil(SHARE).max(MIN_RUNNERS);
        let mut queue = lock(&self.queue);
        queue.waiting.push_back(lookup);
        if queue.runners < max_runners {
            queue.runners += 1;
            drop(queue);
            let runner = Runner {
                queue: Arc::clone(&self.queue),
                connections: connections.clone(),
                list: self.list,
                has_left: false,
            };
            // While the service ends no thread takes the runner, and dropping it drops the lookups.
            let _detached = self.db.threads.run(move || runner.run());
        }
    }
}

/// A thread's work: takes what waits until nothing does.
struct Runner<T> {
    queue: Arc<Mutex<Queue<T>>>,
    connections: Connections,
    list: List<T>,
    has_left: bool,
}

impl<T: Clone> Runner<T> {
    fn run(mut self) {
        while let Some((first, further)) = self.take() {
            self.answer(first, further);
        }
    }

    /// The next lookups to send together, oldest first. `None`: nothing waits, and a new lookup needs a new runner.
    fn take(&mut self) -> Option<(Waiting<T>, Vec<Waiting<T>>)> {
        let mut queue = lock(&self.queue);
        let many = queue.waiting.len().min(MAX_TOGETHER);
        // Not for callers that have gone away.
        let mut taken = queue.waiting.drain(..many).filter(|lookup| !lookup.answer.is_closed());
        let first = taken.next();
        let further: Vec<_> = taken.collect();
        match first {
            Some(first) => Some((first, further)),
            None if queue.waiting.is_empty() => {
                queue.runners -= 1;
                self.has_left = true;
                None
            }
            None => {
                drop(queue);
                self.take()
            }
        }
    }

    fn answer(&self, first: Waiting<T>, further: Vec<Waiting<T>>) {
        let mut ids: Vec<Id> = further.iter().map(|lookup| lookup.id).chain([first.id]).collect();
        ids.sort_unstable();
        ids.dedup();
        let load = || self.connections.run(&first.call, |conn| (self.list)(conn, &ids));
        let found = match load() {
            // Retry on another connection: this one may have died while idle.
            Err(StoreError::Unavailable(_)) => load(),
            result => result,
        };
        match found {
            Ok(rows) => {
                let rows: HashMap<Id, T> = rows.into_iter().collect();
                for Waiting { id, answer, .. } in further.into_iter().chain([first]) {
                    let _has_gone = answer.send(Ok(rows.get(&id).cloned()));
                }
            }
            Err(error) => {
                for Waiting { answer, .. } in further {
                    let _has_gone = answer.send(Err(error.of_neighbour()));
                }
                let _has_gone = first.answer.send(Err(error));
            }
        }
    }
}

impl<T> Drop for Runner<T> {
    /// After a panic, or if no thread took it: the lookups that nobody works on any more end with an error.
    fn drop(&mut self) {
        if !self.has_left {
            let mut queue = lock(&self.queue);
            queue.runners -= 1;
            if queue.runners == 0 {
                queue.waiting.clear();
            }
        }
    }
}

fn lock<T>(queue: &Mutex<Queue<T>>) -> MutexGuard<'_, Queue<T>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
