//! The first admin, made from the settings at startup: for machines that nobody logs in to.

use std::net::Ipv4Addr;
use std::path::Path;

use super::StartError;
use crate::accounts::Email;
use crate::accounts::admins::store::{claim_first_admin, has_had_admin};
use crate::accounts::store::{NewUser, find_id_by_email_key};
use crate::audit::Source;
use crate::config::BootstrapSettings;
use crate::db::{Conn, Db, StoreError, Timestamp};
use crate::passwords::{ChosenPassword, NewPassword, Passwords};
use crate::sessions::acts::create_user;

/// What became of it.
enum Outcome {
    Made,
    /// There is an admin, or was one.
    NotNeeded,
    /// Somebody has an account with the address. Whoever signed up first must not become an admin by that.
    Occupied(i64),
}

/// Makes the first admin, once: if there is none and never was one. Of several processes that start at once, one does.
///
/// # Errors
/// [`StartError`] names the setting that cannot be used, and why.
pub(super) async fn make_first_admin(
    settings: &BootstrapSettings,
    db: &Db,
    passwords: &Passwords,
    now: Timestamp,
) -> Result<(), StartError> {
    let (Some(email), Some(file)) = (&settings.admin_email, &settings.admin_password_file) else { return Ok(()) };
    if db.read(has_had_admin).await.map_err(std::io::Error::other)? {
        return Ok(());
    }
    let email: Email = email.parse().map_err(|fault| wrong("admin_email", fault))?;
    let user = new_admin(&email, read_password(&email, file)?, passwords, now).await?;
    match db.write(move |conn| make(conn, &user, now)).await {
        Ok(Outcome::Made) => tracing::info!("the first admin was created, from bootstrap.admin_email"),
        Ok(Outcome::Occupied(account)) => {
            let remedy = "if the account is yours, run `keyfob user make-admin`";
            tracing::warn!(
                account,
                remedy,
                "bootstrap.admin_email has an account already, which was not made an admin"
            );
        }
        // In the second case another process created an account with the address a moment ago: the next start looks again.
        Ok(Outcome::NotNeeded) | Err(StoreError::Taken) => {}
        Err(error) => return Err(std::io::Error::other(error).into()),
    }
    Ok(())
}

fn make(conn: &mut Conn, user: &NewUser, now: Timestamp) -> Result<Outcome, StoreError> {
    if let Some(id) = find_id_by_email_key(conn, &user.email_key)? {
        return Ok(if has_had_admin(conn)? { Outcome::NotNeeded } else { Outcome::Occupied(id.get()) });
    }
    // The second of two processes waits here for the first.
    if has_had_admin(conn)? || !claim_first_admin(conn, now)? {
        return Ok(Outcome::NotNeeded);
    }
    create_user(conn, user, &Source::service(), now).map(|_| Outcome::Made)
}

async fn new_admin(
    email: &Email,
    password: ChosenPassword,
    passwords: &Passwords,
    now: Timestamp,
) -> Result<NewUser, StartError> {
    let hashed = passwords.hash(password, Ipv4Addr::LOCALHOST.into()).await;
    Ok(NewUser {
        email_key: email.key(),
        email: email.as_str().to_owned(),
        password_hash: hashed.map_err(|fault| wrong("admin_password_file", fault))?,
        full_name: None,
        is_active: true,
        is_admin: true,
        // The operator vouches for it.
        email_verified: true,
        created_at: now,
        updated_at: now,
    })
}

/// The first line of the file, checked like every new password.
fn read_password(email: &Email, file: &Path) -> Result<ChosenPassword, StartError> {
    let wrong = |fault: String| wrong("admin_password_file", format!("{}: {fault}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not valid UTF-8".to_owned()))?;
    let line = text.strip_prefix('\u{feff}').unwrap_or(&text).lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(wrong("its first line is empty; expected a password there".to_owned()));
    }
    let chosen = NewPassword::parse(line).and_then(|new| ChosenPassword::of(email.as_str(), None, new));
    chosen.map_err(|rejection| wrong(rejection.message))
}

fn wrong(key: &str, fault: impl std::fmt::Display) -> StartError {
    StartError::Bootstrap(format!("bootstrap.{key}: {fault}"))
}
