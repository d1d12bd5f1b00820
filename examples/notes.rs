//! An application of its own that embeds Keyfob: `cargo run --example notes`.
//!
//! It adds notes, with a table and routes of its own: `POST /notes`, `GET /notes`, `GET /notes/{id}`,
//! `DELETE /notes/{id}`. The parameter `user: CurrentUser` closes a route to callers without a valid token, and every
//! query names the owner, so nobody reaches the notes of others. Accounts and login come from Keyfob: `/signup`,
//! `/login`, `/docs`.
//!
//! The address is `server.bind` of Keyfob's settings, for example `KEYFOB__SERVER__BIND=127.0.0.1:9000`.
#![allow(missing_docs, unreachable_pub, reason = "diesel generates public items without documentation")]

use std::sync::{Mutex, PoisonError};

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer, delete, get, post};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use keyfob::{
    ApiError, CurrentUser, Failure, Field, Fields, FromFields, Id, Json, Keyfob, PathId, Rejection, Settings,
};
use serde::Serialize;
use serde_json::{Value, json};

diesel::table! {
    notes (id) {
        id -> BigInt,
        owner_id -> BigInt,
        text -> Text,
    }
}

/// A note, as its owner sees it.
#[derive(Queryable, Selectable, Serialize)]
struct Note {
    id: i64,
    text: String,
}

/// The body of `POST /notes`: `{"text": "..."}`.
struct NewNote {
    text: NoteText,
}

impl FromFields for NewNote {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { text: fields.required("text")? })
    }
}

/// 1 to 1,000 characters.
struct NoteText(String);

impl Field for NoteText {
    fn parse_field(value: &Value) -> Result<Self, Rejection> {
        let text = value.as_str().ok_or_else(|| Rejection::new("string_type", "Input should be a string"))?;
        match text.chars().count() {
            1..=1000 => Ok(Self(text.to_owned())),
            _ => Err(Rejection::new("value_error", "A note should have 1 to 1000 characters")),
        }
    }
}

#[post("/notes")]
async fn create_note(user: CurrentUser, body: Json<NewNote>, db: Data<NoteDb>) -> Result<HttpResponse, ApiError> {
    let owner_id = user.id();
    let note = on_a_thread(move || db.insert_note(owner_id, body.0.text.0)).await?;
    Ok(HttpResponse::Created().json(note))
}

#[get("/notes")]
async fn list_notes(user: CurrentUser, db: Data<NoteDb>) -> Result<HttpResponse, ApiError> {
    let owner_id = user.id();
    let items = on_a_thread(move || db.list_notes(owner_id)).await?;
    Ok(HttpResponse::Ok().json(json!({ "items": items })))
}

/// The caller's own note, or 404. The answer does not show whether the note of another account exists.
#[get("/notes/{id}")]
async fn read_note(user: CurrentUser, PathId(id): PathId, db: Data<NoteDb>) -> Result<HttpResponse, ApiError> {
    let owner_id = user.id();
    let note = on_a_thread(move || db.find_note(id, owner_id)).await?.ok_or(ApiError::NotFound)?;
    Ok(HttpResponse::Ok().json(note))
}

#[delete("/notes/{id}")]
async fn delete_note(user: CurrentUser, PathId(id): PathId, db: Data<NoteDb>) -> Result<HttpResponse, ApiError> {
    let owner_id = user.id();
    match on_a_thread(move || db.delete_note(id, owner_id)).await? {
        0 => Err(ApiError::NotFound),
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}

/// Runs a query away from the threads that answer requests. If it fails, the client gets 500 and the log the cause.
async fn on_a_thread<T: Send + 'static>(
    query: impl FnOnce() -> QueryResult<T> + Send + 'static,
) -> Result<T, ApiError> {
    let found = web::block(query).await.map_err(|error| Failure::Internal(error.to_string()))?;
    found.map_err(|error| Failure::Internal(error.to_string()).into())
}

/// The application's own database. It is in memory, so the notes are gone when the program ends.
struct NoteDb(Mutex<SqliteConnection>);

impl NoteDb {
    fn open() -> Result<Self, Box<dyn std::error::Error>> {
        let mut conn = SqliteConnection::establish(":memory:")?;
        conn.batch_execute(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, owner_id INTEGER NOT NULL, text TEXT NOT NULL);
             CREATE INDEX notes_owner_id ON notes (owner_id, id);",
        )?;
        Ok(Self(Mutex::new(conn)))
    }

    fn with<T>(&self, query: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>) -> QueryResult<T> {
        query(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn insert_note(&self, owner_id: Id, text: String) -> QueryResult<Note> {
        let row = (notes::owner_id.eq(owner_id), notes::text.eq(text));
        self.with(|conn| diesel::insert_into(notes::table).values(row).returning(Note::as_select()).get_result(conn))
    }

    fn list_notes(&self, owner_id: Id) -> QueryResult<Vec<Note>> {
        let own = notes::table.filter(notes::owner_id.eq(owner_id)).order(notes::id.desc());
        self.with(|conn| own.select(Note::as_select()).load(conn))
    }

    fn find_note(&self, id: Id, owner_id: Id) -> QueryResult<Option<Note>> {
        let own = notes::table.filter(notes::id.eq(id).and(notes::owner_id.eq(owner_id)));
        self.with(|conn| own.select(Note::as_select()).first(conn).optional())
    }

    fn delete_note(&self, id: Id, owner_id: Id) -> QueryResult<usize> {
        let own = notes::table.filter(notes::id.eq(id).and(notes::owner_id.eq(owner_id)));
        self.with(|conn| diesel::delete(own).execute(conn))
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::load()?;
    let address = settings.server.bind;
    let keyfob = Keyfob::open(settings).await?;
    let db = Data::new(NoteDb::open()?);
    let app = move || {
        let app = App::new().configure(|cfg| keyfob.configure(cfg)).app_data(db.clone());
        app.service(create_note).service(list_notes).service(read_note).service(delete_note)
    };
    let server = HttpServer::new(app).bind(address)?;
    println!("listening on {}", server.addrs().first().unwrap_or(&address));
    Ok(server.run().await?)
}
