//! `keyfob client`

use serde_json::json;

use super::table::print_table;
use super::{CommandError, print};
use crate::app::SCOPES;
use crate::audit::{EventType, NewEvent, Source, insert_event};
use crate::clients::store::{self, ClientRow};
use crate::clients::{BUILTIN_CLIENT, Grant, is_client_text, new_secret};
use crate::config::Settings;
use crate::db::{Db, StoreError, Timestamp};
use crate::tokens::{ScopeSet, scope::UnknownScope};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Register a client; prints its id and, once, its secret
    Add(Add),
    /// List the clients
    #[command(after_help = "Example:\n  keyfob client list")]
    List,
    /// Remove a client and end its sessions
    #[command(after_help = "Example:\n  keyfob client remove --id reports")]
    Remove {
        /// The client's id
        #[arg(long)]
        id: String,
    },
}

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  keyfob client add --id reports
  keyfob client add --id ios-app --public --refresh-ttl-seconds 7776000
  keyfob client add --id importer --grant password --scope 'posts profile'")]
pub(super) struct Add {
    /// The client's id: letters, digits and . _ ~ -
    #[arg(long, value_parser = parse_id)]
    id: String,
    /// Register without a secret an app that cannot keep one, such as a mobile app
    #[arg(long)]
    public: bool,
    /// A grant that the client may use: password or refresh_token; repeatable; both if absent
    #[arg(long = "grant", value_parser = parse_grant)]
    grants: Vec<Grant>,
    /// The scopes that the client may have, space-separated; all if absent
    #[arg(long, value_parser = parse_scope)]
    scope: Option<ScopeSet>,
    /// Lifetime of its access tokens, in seconds; at most token.access_ttl_seconds
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=86400))]
    access_ttl_seconds: Option<i64>,
    /// Lifetime of its refresh tokens, in seconds
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=31_536_000))]
    refresh_ttl_seconds: Option<i64>,
}

pub(super) async fn run(command: Command, settings: &Settings) -> Result<(), CommandError> {
    match command {
        Command::Add(client) => add(&Db::open(&settings.database)?, client).await,
        Command::List => {
            let db = Db::open_to_read(&settings.database)?;
            let rows = db.read(store::list_clients).await?.into_iter().map(|client| {
                let kind = if client.secret_hash.is_some() { "confidential" } else { "public" };
                [client.id, kind.to_owned(), client.grants, client.scopes.unwrap_or_else(|| "-".to_owned())]
            });
            print_table(["ID", "TYPE", "GRANTS", "SCOPES"], &rows.collect::<Vec<_>>())
        }
        Command::Remove { id } => remove(&Db::open(&settings.database)?, id).await,
    }
}

async fn add(db: &Db, client: Add) -> Result<(), CommandError> {
    let taken = || CommandError::Refused(format!("a client with the id {} already exists", client.id));
    if client.id == BUILTIN_CLIENT {
        return Err(taken());
    }
    let (secret, hash) =
        if client.public { (None, None) } else { new_secret().map(|(secret, hash)| (Some(secret), Some(hash)))? };
    let grants = if client.grants.is_empty() { Grant::ALL.to_vec() } else { client.grants };
    let row = ClientRow {
        id: client.id.clone(),
        secret_hash: hash,
        grants: grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>().join(" "),
        scopes: client.scope.map(|scope| scope.as_str().to_owned()),
        access_ttl_seconds: client.access_ttl_seconds,
        refresh_ttl_seconds: client.refresh_ttl_seconds,
        created_at: Timestamp::now(),
    };
    let event = event(EventType::ClientAdded, &row.id, row.created_at);
    let inserted = db.write(move |conn| {
        store::insert_client(conn, &row)?;
        insert_event(conn, &event)
    });
    inserted.await.map_err(|error| match error {
        StoreError::Taken => taken(),
        other => other.into(),
    })?;
    let mut printed = json!({ "client_id": client.id });
    if let (Some(secret), Some(object)) = (secret, printed.as_object_mut()) {
        object.insert("client_secret".into(), secret.into());
    }
    print(&printed.to_string())
}

async fn remove(db: &Db, id: String) -> Result<(), CommandError> {
    let (gone, event) = (id.clone(), event(EventType::ClientRemoved, &id, Timestamp::now()));
    let removed = db.write(move |conn| {
        let is_removed = store::delete_client(conn, &id)?;
        if is_removed {
            insert_event(conn, &event)?;
        }
        Ok(is_removed)
    });
    let is_removed = removed.await?;
    if is_removed { Ok(()) } else { Err(CommandError::Refused(format!("no client has the id {gone}"))) }
}

fn event(kind: EventType, client_id: &str, now: Timestamp) -> NewEvent {
    NewEvent::new(kind, &Source { client_id: Some(client_id.to_owned()), ..Source::command_line() }, now)
}

fn parse_id(text: &str) -> Result<String, String> {
    let fits = is_client_text(text);
    fits.then(|| text.to_owned()).ok_or_else(|| "expected 1 to 128 letters, digits or . _ ~ -".to_owned())
}

fn parse_grant(text: &str) -> Result<Grant, String> {
    Grant::parse(text).ok_or_else(|| "expected password or refresh_token".to_owned())
}

fn parse_scope(text: &str) -> Result<ScopeSet, UnknownScope> {
    SCOPES.parse(text)
}
