//! The outbox in the database.

use diesel::dsl::{count_star, min, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::db::schema::local_mail_outbox as mails;
use crate::db::{Conn, Id, StoreError, Timestamp, execute_on_either, query};

type Result<T> = std::result::Result<T, StoreError>;

/// Most rows to read or delete at once.
const BATCH: i64 = 500;

/// A mail to queue.
#[derive(Insertable)]
#[diesel(table_name = mails, treat_none_as_default_value = false)]
pub(super) struct NewRow {
    pub kind: &'static str,
    pub language: &'static str,
    pub user_id: Option<Id>,
    pub is_notice: bool,
    pub content: Option<String>,
    pub message_id: String,
    pub queued_at: Timestamp,
    pub waits_since: Timestamp,
    pub due_at: Timestamp,
    pub tries: i64,
    pub is_sent: bool,
}

/// A mail whose turn has come.
#[derive(Queryable, Selectable)]
#[diesel(table_name = mails)]
pub(super) struct DueRow {
    pub id: Id,
    pub kind: String,
    pub language: String,
    pub user_id: Option<Id>,
    pub content: Option<String>,
    pub message_id: String,
    pub queued_at: Timestamp,
    pub tries: i64,
    pub recipient: Option<Vec<u8>>,
    pub allowed_at: Option<Timestamp>,
}

/// A mail in the list of the command line.
#[derive(Queryable, Selectable)]
#[diesel(table_name = mails)]
pub(crate) struct MailRow {
    pub id: Id,
    pub kind: String,
    pub user_id: Option<Id>,
    pub queued_at: Timestamp,
    pub due_at: Timestamp,
    pub lease: Option<String>,
    pub tries: i64,
    pub ended_at: Option<Timestamp>,
    pub is_sent: bool,
    pub last_error: Option<String>,
}

/// How an attempt at a mail ended.
pub(super) enum End {
    Sent,
    GivenUp(String),
    /// Try again at that time.
    Later(Timestamp, String),
    /// Nothing was tried.
    Untouched,
}

pub(super) fn insert_mail(conn: &mut Conn, row: NewRow) -> Result<()> {
    execute_on_either(conn, diesel::insert_into(mails::table).values(row))?;
    Ok(())
}

/// Whether as many mails have waited since a time or less, without notices.
pub(super) fn has_waiting(conn: &mut Conn, count: i64, since: Timestamp) -> Result<bool> {
    let waiting = mails::table.filter(mails::ended_at.is_null().and(mails::waits_since.gt(since)));
    let waiting = waiting.filter(mails::is_notice.eq(false));
    Ok(query::find::<_, Id>(conn, waiting.select(mails::id).offset(count - 1).limit(1))?.is_some())
}

/// Whether a mail is due.
pub(super) fn has_due(conn: &mut Conn, is_notice: bool, now: Timestamp) -> Result<bool> {
    let due = mails::table.filter(mails::is_notice.eq(is_notice).and(mails::ended_at.is_null()));
    Ok(query::find::<_, Id>(conn, due.filter(mails::due_at.le(now)).order(mails::due_at).select(mails::id).limit(1))?
        .is_some())
}

/// Inside a write: the mail that has been due for longest, locked. Those that another process has locked are passed over.
pub(super) fn find_due(conn: &mut Conn, is_notice: bool, now: Timestamp) -> Result<Option<DueRow>> {
    let due = mails::table.filter(mails::is_notice.eq(is_notice).and(mails::ended_at.is_null()));
    let due = due.filter(mails::due_at.le(now)).order(mails::due_at).limit(1).select(query::columns_of::<DueRow>());
    Ok(match conn {
        Conn::Postgres(conn) => due.for_update().skip_locked().get_result(conn).optional()?,
        Conn::Sqlite(conn) => due.get_result(conn).optional()?,
    })
}

/// When mails to a recipient were allowed since a time, the newest first, and of which kind.
pub(super) fn list_allowed(
    conn: &mut Conn,
    recipient: &[u8],
    is_notice: bool,
    since: Timestamp,
) -> Result<Vec<(String, Timestamp)>> {
    let to_them = mails::table.filter(mails::recipient.eq(recipient).and(mails::is_notice.eq(is_notice)));
    let newest = to_them.filter(mails::allowed_at.gt(since)).order(mails::allowed_at.desc()).limit(BATCH);
    Ok(newest.select((mails::kind, mails::allowed_at.assume_not_null())).load(conn)?)
}

/// Leases a mail, which becomes due again when the lease is over.
pub(super) fn update_leased(
    conn: &mut Conn,
    row: &DueRow,
    lease: &str,
    until: Timestamp,
    (recipient, allowed_at): (&[u8], Timestamp),
) -> Result<()> {
    let change = (
        mails::lease.eq(lease),
        mails::due_at.eq(until),
        mails::tries.eq(row.tries + 1),
        mails::recipient.eq(recipient),
        mails::allowed_at.eq(allowed_at),
    );
    execute_on_either(conn, diesel::update(mails::table.find(row.id)).set(change))?;
    Ok(())
}

/// Puts a mail off without a lease.
pub(super) fn update_due(conn: &mut Conn, id: Id, due_at: Timestamp) -> Result<()> {
    execute_on_either(conn, diesel::update(mails::table.find(id)).set(mails::due_at.eq(due_at)))?;
    Ok(())
}

/// Notes how an attempt ended, unless its lease has gone to another one. Returns whether it was noted.
pub(super) fn update_ended(conn: &mut Conn, id: Id, lease: &str, end: &End, now: Timestamp) -> Result<bool> {
    let mail = mails::table.find(id).filter(mails::lease.eq(lease).and(mails::ended_at.is_null()));
    let free = mails::lease.eq(None::<String>);
    let wiped = (mails::content.eq(None::<String>), mails::ended_at.eq(now));
    let count = match end {
        End::Sent => {
            let change = (free, wiped, mails::is_sent.eq(true), mails::last_error.eq(None::<String>));
            execute_on_either(conn, diesel::update(mail).set(change))?
        }
        End::GivenUp(error) => {
            execute_on_either(conn, diesel::update(mail).set((free, wiped, mails::last_error.eq(error))))?
        }
        End::Later(due_at, error) => {
            let change = (free, mails::due_at.eq(due_at), mails::last_error.eq(error));
            execute_on_either(conn, diesel::update(mail).set(change))?
        }
        End::Untouched => {
            let change = (free, mails::due_at.eq(now), mails::tries.eq(mails::tries - 1));
            execute_on_either(conn, diesel::update(mail).set(change))?
        }
    };
    Ok(count > 0)
}

/// Gives up a mail that has no lease.
pub(super) fn update_given_up(conn: &mut Conn, id: Id, error: &str, now: Timestamp) -> Result<()> {
    let wiped = (mails::content.eq(None::<String>), mails::ended_at.eq(now), mails::last_error.eq(error));
    execute_on_either(conn, diesel::update(mails::table.find(id)).set(wiped))?;
    Ok(())
}

pub(super) fn delete_mail(conn: &mut Conn, id: Id) -> Result<()> {
    diesel::delete(mails::table.find(id)).execute(conn)?;
    Ok(())
}

/// How many mails have been sent since a time.
pub(super) fn count_sent(conn: &mut Conn, since: Timestamp) -> Result<i64> {
    let sent = mails::table.filter(mails::ended_at.gt(since).and(mails::is_sent.eq(true)));
    query::one(conn, sent.select(count_star()))
}

/// How many mails wait, and since when the oldest one does.
pub(crate) fn count_waiting(conn: &mut Conn) -> Result<(i64, Option<Timestamp>)> {
    let waiting = mails::table.filter(mails::ended_at.is_null());
    let count = query::one(conn, waiting.select(count_star()))?;
    Ok((count, query::one(conn, waiting.select(min(mails::waits_since)))?))
}

/// A batch of the mails that have waited since before a time, and are not being sent at the moment.
pub(super) fn list_too_old(conn: &mut Conn, before: Timestamp, now: Timestamp) -> Result<Vec<(Id, String)>> {
    let old = mails::table.filter(mails::ended_at.is_null().and(mails::waits_since.le(before)));
    let old = old.filter(mails::lease.is_null().or(mails::due_at.le(now))).order(mails::waits_since).limit(BATCH);
    Ok(old.select((mails::id, mails::kind)).load(conn)?)
}

/// Deletes a batch of the mails that ended before a time. Returns whether there may be more.
pub(super) fn delete_ended(conn: &mut Conn, before: Timestamp) -> Result<bool> {
    let ended = mails::table.filter(mails::ended_at.le(before)).order(mails::ended_at).limit(BATCH);
    let ids: Vec<Id> = ended.select(mails::id).load(conn)?;
    if !ids.is_empty() {
        diesel::delete(mails::table.filter(mails::id.eq_any(&ids))).execute(conn)?;
    }
    Ok(i64::try_from(ids.len()).is_ok_and(|count| count >= BATCH))
}

/// A batch of mails by id, the oldest first.
pub(crate) fn list_mails(conn: &mut Conn, after: i64) -> Result<Vec<MailRow>> {
    let next = mails::table.filter(mails::id.gt(after)).order(mails::id).limit(BATCH);
    Ok(next.select(query::columns_of::<MailRow>()).load(conn)?)
}

/// The mails to an account, newest first.
pub(crate) fn list_of_account(conn: &mut Conn, user_id: Id) -> Result<Vec<MailRow>> {
    let mails = mails::table.filter(mails::user_id.eq(user_id));
    // Not the index of the ids, in which an account's mails are far apart. Limits keep them few.
    let newest = mails.order(sql::<BigInt>("id + 0 DESC")).limit(BATCH);
    Ok(newest.select(query::columns_of::<MailRow>()).load(conn)?)
}

/// Inside a write: a mail, locked, so that no sender takes it meanwhile.
pub(crate) fn lock_mail(conn: &mut Conn, id: Id) -> Result<Option<MailRow>> {
    let mail = mails::table.find(id).select(query::columns_of::<MailRow>());
    Ok(match conn {
        Conn::Postgres(conn) => mail.for_update().get_result(conn).optional()?,
        Conn::Sqlite(conn) => mail.get_result(conn).optional()?,
    })
}

/// Makes a mail that is not being sent due at once, as if it had just been queued.
pub(crate) fn update_queued_again(conn: &mut Conn, id: Id, now: Timestamp) -> Result<()> {
    let change = (
        mails::waits_since.eq(now),
        mails::due_at.eq(now),
        mails::tries.eq(0),
        mails::lease.eq(None::<String>),
        mails::ended_at.eq(None::<Timestamp>),
    );
    execute_on_either(conn, diesel::update(mails::table.find(id)).set(change))?;
    Ok(())
}
