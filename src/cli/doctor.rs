//! `keyfob doctor`

use super::{CommandError, print};
use crate::accounts::email_keys::{self, Shared};
use crate::clients::Grant;
use crate::clients::store::{self, ClientRow};
use crate::config::safety::{Finding, KEYS_AT_REST, PASSWORD_GRANT, UNIQUE_NAMES};
use crate::config::{DatabaseUrl, Settings};
use crate::db::Db;
use crate::tokens::keyring;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  KEYFOB_ENV=production keyfob doctor\n  keyfob doctor --first-party mobile-app --format json"
)]
pub(super) struct Doctor {
    /// A registered client that is an app of your own and may take passwords; repeatable
    #[arg(long = "first-party", value_name = "CLIENT_ID")]
    first_party: Vec<String>,
    /// The output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// What `doctor` reads from the database.
struct Kept {
    unsealed_keys: usize,
    clients: Vec<ClientRow>,
    shared: Vec<Shared>,
}

pub(super) async fn examine(doctor: &Doctor) -> Result<(), CommandError> {
    let (settings, mut findings) = Settings::examine()?;
    let looked = look_into_database(&settings).await;
    if let Ok(Some(kept)) = &looked {
        findings.extend(unsealed_keys(&settings, kept.unsealed_keys));
        findings.extend(kept.clients.iter().filter_map(|client| foreign_client(client, doctor)));
        findings.extend(kept.shared.iter().map(shared_address));
    }
    report(&findings, doctor.format)?;
    let kept = looked?;
    if kept.is_none() && matches!(doctor.format, Format::Text) {
        print(&format!("not checked: {} does not exist yet", settings.database.url))?;
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err(CommandError::Refused("1 finding".into())),
        count => Err(CommandError::Refused(format!("{count} findings"))),
    }
}

fn report(findings: &[Finding], format: Format) -> Result<(), CommandError> {
    if matches!(format, Format::Json) {
        return print(&serde_json::to_string_pretty(findings).map_err(std::io::Error::other)?);
    }
    for Finding { subject, fault, remedy, rule, is_refused_in_production } in findings {
        let refused = if *is_refused_in_production { " (production refuses to start)" } else { "" };
        print(&format!("{subject}: {fault}{refused}\n    remedy: {remedy}\n    rule: {rule}"))?;
    }
    if findings.is_empty() { print("no findings") } else { Ok(()) }
}

/// `None` if there is no database yet: looking must not create one.
async fn look_into_database(settings: &Settings) -> Result<Option<Kept>, CommandError> {
    if let DatabaseUrl::Sqlite(path) = &settings.database.url
        && !path.exists()
    {
        return Ok(None);
    }
    let db = Db::open_to_read(&settings.database)?;
    let look = |conn: &mut _| {
        let (unsealed_keys, clients) = (keyring::count_unsealed(conn)?, store::list_clients(conn)?);
        Ok(Kept { unsealed_keys, clients, shared: email_keys::list_shared(conn)? })
    };
    Ok(Some(db.read(look).await?))
}

/// Unencrypted keys that the settings alone do not reveal.
fn unsealed_keys(settings: &Settings, count: usize) -> Option<Finding> {
    let has_secret = settings.token.key_encryption_secret.is_some();
    if count == 0 || (!has_secret && !keyring::is_configured(&settings.token)) {
        return None;
    }
    let remedy = if has_secret {
        "start the service once: it encrypts them under token.key_encryption_secret"
    } else {
        "set token.key_encryption_secret: the key for refresh tokens is always in the database"
    };
    let fault = format!("{count} of its keys are not encrypted");
    Some(Finding::new(settings.database.url.to_string(), fault, remedy, KEYS_AT_REST))
}

/// A client, other than the built-in one, that may take passwords. Only the operator knows whose app it is.
fn foreign_client(client: &ClientRow, doctor: &Doctor) -> Option<Finding> {
    let takes_passwords = client.grants.split(' ').any(|grant| grant == Grant::Password.as_str());
    if !takes_passwords || doctor.first_party.contains(&client.id) {
        return None;
    }
    let fault = "may use the password grant, which is only for first-party apps";
    let remedy = format!(
        "if the app is yours, pass --first-party {0}; if not, run `keyfob client remove --id {0}`, since it sees passwords",
        client.id
    );
    Some(Finding::new(format!("client {}", client.id), fault, remedy, PASSWORD_GRANT))
}

/// An account from the time when one mailbox could have two accounts.
fn shared_address(Shared { id, holder }: &Shared) -> Finding {
    let fault =
        format!("has the same e-mail address as account {holder}, and a login with it reaches only that older one");
    let remedy = format!(
        "its owner can log in with the user name {id}:ADDRESS and delete one of the two accounts; after {holder} is \
         deleted, the next start gives the address to {id}"
    );
    Finding::new(format!("account {id}"), fault, remedy, UNIQUE_NAMES)
}
