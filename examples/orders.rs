//! A small shop that has nothing to do with Keyfob, and has added it: `cargo run --example orders`.
//!
//! The shop has its own table and its own route, `GET /order?id=`. One parameter, `user: CurrentUser`, closes the route;
//! whose order it is, is part of the query. Accounts and log-in come from Keyfob: `/signup`, `/login`, `/docs`.
//!
//! The address is `server.bind` of Keyfob's settings, for example `KEYFOB__SERVER__BIND=127.0.0.1:9000`.
#![allow(missing_docs, unreachable_pub, reason = "what diesel generates from a table has none, and is public")]

use std::sync::Mutex;

use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer, get};
use diesel::prelude::*;
use keyfob::{ApiError, CurrentUser, Failure, Field, Fields, FromFields, Id, Keyfob, Query, Rejection, Settings};
use serde::Serialize;

diesel::table! {
    orders (id) {
        id -> BigInt,
        owner_id -> BigInt,
        item -> Text,
    }
}

/// What is shown of an order.
#[derive(Queryable, Serialize)]
struct Order {
    id: i64,
    item: String,
}

/// `?id=`
struct OrderQuery {
    id: Id,
}

impl FromFields for OrderQuery {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let OrderId(id) = fields.required("id")?;
        Some(Self { id })
    }
}

struct OrderId(Id);

impl Field for OrderId {
    fn parse_field(value: &serde_json::Value) -> Result<Self, Rejection> {
        let id = value.as_str().and_then(Id::parse);
        id.map(Self).ok_or_else(|| Rejection::new("int_parsing", "Input should be a positive integer"))
    }
}

/// The caller's own order, or 404: whether there is somebody else's is nobody's business.
#[get("/order")]
async fn read_order(user: CurrentUser, query: Query<OrderQuery>, shop: Data<Shop>) -> Result<HttpResponse, ApiError> {
    let (order_id, owner_id) = (query.0.id, user.id());
    let found = web::block(move || shop.find_order(order_id, owner_id)).await;
    let order = found
        .map_err(|error| Failure::Internal(error.to_string()))?
        .map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(HttpResponse::Ok().json(order.ok_or(ApiError::NotFound)?))
}

/// The shop's own database, in memory: what is sold today is gone tomorrow.
struct Shop(Mutex<SqliteConnection>);

impl Shop {
    /// Three orders: two of account 1, one of account 2.
    fn open() -> Result<Self, Box<dyn std::error::Error>> {
        let mut conn = SqliteConnection::establish(":memory:")?;
        diesel::connection::SimpleConnection::batch_execute(
            &mut conn,
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, owner_id INTEGER NOT NULL, item TEXT NOT NULL);
             INSERT INTO orders VALUES (1, 1, 'a difference engine'), (2, 2, 'a loom'), (3, 1, 'punched cards');",
        )?;
        Ok(Self(Mutex::new(conn)))
    }

    fn find_order(&self, id: Id, owner_id: Id) -> QueryResult<Option<Order>> {
        let mut conn = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        orders::table
            .filter(orders::id.eq(id).and(orders::owner_id.eq(owner_id)))
            .select((orders::id, orders::item))
            .first(&mut *conn)
            .optional()
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::load()?;
    let address = settings.server.bind;
    let keyfob = Keyfob::open(settings).await?;
    let shop = Data::new(Shop::open()?);
    let server = HttpServer::new(move || {
        App::new().configure(|cfg| keyfob.configure(cfg)).app_data(shop.clone()).service(read_order)
    })
    .bind(address)?;
    println!("listening on {}", server.addrs().first().unwrap_or(&address));
    Ok(server.run().await?)
}
