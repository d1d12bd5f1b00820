//! The account that a command acts on.

use crate::accounts::admins::LAST_ADMIN;
use crate::accounts::store::UserRow;
use crate::audit::Source;
use crate::cli::CommandError;
use crate::cli::account::{Account, parse_account};
use crate::db::{Db, StoreError, Timestamp};
use crate::sessions::acts::{Act, Done, act_on};

#[derive(clap::Args)]
pub(in crate::cli) struct Named {
    /// The e-mail address or id of the account
    #[arg(value_name = "EMAIL|ID", value_parser = parse_account)]
    pub account: Account,
}

/// Does something to an account that was found, as the operator.
pub(super) async fn act(db: &Db, user: &UserRow, act: Act) -> Result<Done, CommandError> {
    let (id, source, now) = (user.id, Source::command_line(), Timestamp::now());
    let refused = |fault: &str| CommandError::Refused(format!("{} {fault}", named(user)));
    match db.write(move |conn| act_on(conn, id, &act, &source, now)).await {
        Ok(done) => done.ok_or_else(|| refused("was deleted meanwhile")),
        Err(StoreError::Refused(LAST_ADMIN)) => Err(refused("is the last active admin: make another one first")),
        Err(error) => Err(error.into()),
    }
}

/// An account as commands write it.
pub(super) fn named(user: &UserRow) -> String {
    format!("account {} ({})", user.id, user.email)
}

/// What became of the sessions of an account, to follow what was done.
pub(super) fn and_sessions(done: &Done) -> String {
    match done.ended.len() {
        0 => String::new(),
        1 => " and ended its session".to_owned(),
        several => format!(" and ended its {several} sessions"),
    }
}
