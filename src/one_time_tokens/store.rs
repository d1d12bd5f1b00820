//! One-time tokens in the database.

use diesel::prelude::*;

use crate::db::schema::one_time_tokens;
use crate::db::{Conn, Id, StoreError, Timestamp, query};

type Result<T> = std::result::Result<T, StoreError>;

/// Whom a token belongs to.
#[derive(Clone, Copy)]
pub(super) enum Holder {
    /// An account, in the state that has this number.
    Account { user_id: Id, epoch: i64 },
    /// The owner of an address who has no account yet.
    Invited,
}

/// A token that has not been used.
#[derive(Queryable, Selectable)]
#[diesel(table_name = one_time_tokens)]
pub(super) struct TokenRow {
    pub id: Id,
    pub purpose: String,
    pub user_id: Option<Id>,
    pub email: String,
    pub credential_epoch: i64,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub pending_signup_id: Option<Id>,
}

impl TokenRow {
    pub(super) fn holder(&self) -> Holder {
        let epoch = self.credential_epoch;
        self.user_id.map_or(Holder::Invited, |user_id| Holder::Account { user_id, epoch })
    }
}

/// A token to insert.
#[derive(Insertable)]
#[diesel(table_name = one_time_tokens)]
pub(super) struct NewToken {
    purpose: &'static str,
    user_id: Option<Id>,
    hash: Vec<u8>,
    email: String,
    credential_epoch: i64,
    created_at: Timestamp,
    expires_at: Timestamp,
    pending_signup_id: Option<Id>,
}

impl NewToken {
    pub(super) fn new(
        purpose: &'static str,
        hash: Vec<u8>,
        holder: Holder,
        email: String,
        (created_at, expires_at): (Timestamp, Timestamp),
    ) -> Self {
        let (user_id, credential_epoch) = match holder {
            Holder::Account { user_id, epoch } => (Some(user_id), epoch),
            Holder::Invited => (None, 0),
        };
        let pending_signup_id = None;
        Self { purpose, user_id, hash, email, credential_epoch, created_at, expires_at, pending_signup_id }
    }

    /// A token that proves the address of a sign-up.
    pub(super) fn of_sign_up(
        purpose: &'static str,
        hash: Vec<u8>,
        id: Id,
        email: String,
        life: (Timestamp, Timestamp),
    ) -> Self {
        Self { pending_signup_id: Some(id), ..Self::new(purpose, hash, Holder::Invited, email, life) }
    }
}

pub(super) fn find_token(conn: &mut Conn, hash: &[u8]) -> Result<Option<TokenRow>> {
    let token = one_time_tokens::table.filter(one_time_tokens::hash.eq(hash));
    query::find(conn, token.select(query::columns_of::<TokenRow>()))
}

/// The tokens of an account, or the invitations of an address, newest first.
pub(super) fn list_tokens(conn: &mut Conn, holder: Holder, email: &str, purpose: &str) -> Result<Vec<Id>> {
    let newest_first = one_time_tokens::table.order(one_time_tokens::id.desc()).select(one_time_tokens::id);
    let of_purpose = one_time_tokens::purpose.eq(purpose);
    Ok(match holder {
        Holder::Account { user_id, .. } => {
            newest_first.filter(one_time_tokens::user_id.eq(user_id).and(of_purpose)).load(conn)?
        }
        Holder::Invited => {
            let invited = one_time_tokens::user_id.is_null().and(one_time_tokens::email.eq(email));
            newest_first.filter(invited.and(of_purpose)).load(conn)?
        }
    })
}

/// The purposes and times of an account's tokens.
pub(super) fn list_purposes_of_account(conn: &mut Conn, user_id: Id) -> Result<Vec<(String, Timestamp, Timestamp)>> {
    let columns = (one_time_tokens::purpose, one_time_tokens::created_at, one_time_tokens::expires_at);
    let of_account = one_time_tokens::table.filter(one_time_tokens::user_id.eq(user_id));
    Ok(of_account.order((one_time_tokens::purpose, one_time_tokens::id)).select(columns).load(conn)?)
}

/// The tokens of an account.
pub(super) fn list_of_account(conn: &mut Conn, user_id: Id, purpose: &str) -> Result<Vec<TokenRow>> {
    let of_account = one_time_tokens::user_id.eq(user_id).and(one_time_tokens::purpose.eq(purpose));
    query::load(conn, one_time_tokens::table.filter(of_account).select(query::columns_of::<TokenRow>()))
}

pub(super) fn insert_token(conn: &mut Conn, token: &NewToken) -> Result<()> {
    diesel::insert_into(one_time_tokens::table).values(token).execute(conn)?;
    Ok(())
}

/// Deletes tokens and returns how many of them there still were.
pub(super) fn delete_tokens(conn: &mut Conn, ids: &[Id]) -> Result<usize> {
    if ids.is_empty() {
        return Ok(0);
    }
    Ok(diesel::delete(one_time_tokens::table.filter(one_time_tokens::id.eq_any(ids))).execute(conn)?)
}

/// Deletes a batch of expired tokens. Returns whether there may be more.
pub(super) fn delete_expired(conn: &mut Conn, now: Timestamp) -> Result<bool> {
    const BATCH: i64 = 500;
    let expired: Vec<Id> = one_time_tokens::table
        .filter(one_time_tokens::expires_at.le(now))
        .order(one_time_tokens::expires_at)
        .select(one_time_tokens::id)
        .limit(BATCH)
        .load(conn)?;
    delete_tokens(conn, &expired)?;
    Ok(i64::try_from(expired.len()).is_ok_and(|found| found >= BATCH))
}
