//! A body that is JSON from an app, or a form from the page at the same path.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde_json::{Map, Value};

use super::{Body, Json, media_type, read_all, refuse_announced_size, refuse_encoding};
use crate::fields::{Fault, Fields, FromFields};
use crate::http::error::ApiError;
use crate::http::shares::Share;

/// The fields that were posted. Which form they have decides how the answer looks.
#[derive(Debug)]
pub(crate) enum Posted<T> {
    Json(T),
    Form {
        /// The token, to be posted once more if another field was refused.
        token: String,
        fields: Result<T, Vec<Fault>>,
    },
}

impl<T: FromFields + 'static> FromRequest for Posted<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if media_type(req).as_deref() != Some("application/x-www-form-urlencoded") {
            let json = Json::from_request(req, payload);
            return Box::pin(async move { json.await.map(|Json(fields)| Self::Json(fields)) });
        }
        let encoding = refuse_encoding(req);
        let body = refuse_announced_size(req).map(|()| (Body::of(req, payload), Share::of(req)));
        Box::pin(async move {
            let (body, share) = body?;
            let (bytes, _share) = read_all(body, share).await?;
            encoding?;
            read_form(&bytes)
        })
    }
}

/// Reads the fields; an empty one counts as absent.
fn read_form<T: FromFields>(bytes: &[u8]) -> Result<Posted<T>, ApiError> {
    let mut values = Map::new();
    for (name, value) in form_urlencoded::parse(bytes).filter(|(_, value)| !value.is_empty()) {
        // The parser replaces what is not UTF-8, and a password must arrive unchanged.
        if value.contains(char::REPLACEMENT_CHARACTER) {
            return Err(ApiError::MalformedBody("The form is not in UTF-8.".into()));
        }
        values.insert(name.into_owned(), Value::String(value.into_owned()));
    }
    let token = values.get("token").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Posted::Form { token, fields: Fields::new("body", values).read() })
}
