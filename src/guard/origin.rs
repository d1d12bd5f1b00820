//! The extractor of where a request comes from.

use std::convert::Infallible;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use crate::audit::Origin;
use crate::http::origin::{client_address, user_agent};
use crate::http::server::request_id;

impl FromRequest for Origin {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self { ip: client_address(req), user_agent: user_agent(req), request_id: request_id::find(req) }))
    }
}
