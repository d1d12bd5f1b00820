//! The form that the OAuth endpoints accept: urlencoded, or multipart as JavaScript's `FormData` sends it.
//!
//! It is parsed as it arrives, and only the parameters that an endpoint uses are kept.

mod misnamed;
mod urlencoded;

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, ready};

use actix_multipart::Multipart;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::{LocalBoxFuture, poll_fn};
use futures_util::{StreamExt, stream};

use super::error::OAuthError;
use crate::http::body::{Body, media_type, refuse_announced_size, refuse_encoding};
use crate::http::error::ApiError;
use misnamed::{wrong_name, wrong_names};
use urlencoded::Urlencoded;

const EXPECTED: &str =
    "The body should be a form with Content-Type application/x-www-form-urlencoded (or multipart/form-data)";
const UNREADABLE: &str = "The body could not be read as a form in UTF-8";
/// The parameters that the endpoints use. All others are ignored (RFC 6749 §3.2).
pub(crate) const KNOWN: [&str; 8] =
    ["grant_type", "username", "password", "scope", "client_id", "client_secret", "refresh_token", "token"];
/// The maximum number of parameters, unknown ones included.
pub(crate) const MAX_PARAMETERS: usize = 64;
/// The longest value of a parameter: a token signed with RSA takes 1 KiB.
pub(crate) const MAX_VALUE_BYTES: usize = 8192;
/// Stands for a value that is too long to be right. No password, token, id or scope has a NUL, so it is treated as any
/// other wrong value is.
const OVERLONG: &str = "\0";

/// The known parameters of a form.
#[derive(Default)]
pub(crate) struct OAuthForm {
    parameters: Vec<Parameter>,
    /// Names that were sent by mistake instead of a known one.
    wrong_names: Vec<&'static str>,
}

/// A parameter with a value. An empty one counts as absent (RFC 6749 §3.2).
struct Parameter {
    name: &'static str,
    value: String,
    is_repeated: bool,
    has_other_value: bool,
}

impl OAuthForm {
    /// Takes the value of a parameter.
    ///
    /// # Errors
    /// `invalid_request` if it was sent more than once.
    pub(crate) fn take(&mut self, name: &str) -> Result<Option<String>, OAuthError> {
        match self.remove(name) {
            Some(Parameter { is_repeated: true, .. }) => {
                Err(OAuthError::InvalidRequest(format!("The parameter {name} was sent more than once")))
            }
            found => Ok(found.map(|parameter| parameter.value)),
        }
    }

    /// Like [`take`](Self::take), but allows equal repetitions: some clients send their id in every possible place.
    pub(crate) fn take_equal(&mut self, name: &str) -> Result<Option<String>, OAuthError> {
        match self.remove(name) {
            Some(Parameter { has_other_value: true, .. }) => {
                Err(OAuthError::InvalidRequest(format!("The parameter {name} was sent with two values")))
            }
            found => Ok(found.map(|parameter| parameter.value)),
        }
    }

    /// The value of a parameter, without taking it.
    pub(crate) fn peek(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|parameter| parameter.name == name).map(|parameter| parameter.value.as_str())
    }

    /// Takes the value of a required parameter.
    pub(crate) fn require(&mut self, name: &str) -> Result<String, OAuthError> {
        self.take(name)?.ok_or_else(|| self.missing(name))
    }

    /// The wrong name under which a missing parameter seems to have been sent.
    pub(super) fn other_name(&self, name: &str) -> Option<&'static str> {
        let mut others = wrong_names(name).iter();
        others.find(|other| self.peek(other).is_some() || self.wrong_names.contains(other)).copied()
    }

    /// The error for a missing parameter: it names what was sent in its place.
    pub(super) fn missing(&self, name: &str) -> OAuthError {
        match self.other_name(name) {
            Some(other) => {
                OAuthError::InvalidRequest(format!("The parameter {name} is missing: {other} was sent in its place"))
            }
            None => OAuthError::InvalidRequest(format!("The parameter {name} is missing")),
        }
    }

    fn remove(&mut self, name: &str) -> Option<Parameter> {
        let at = self.parameters.iter().position(|parameter| parameter.name == name)?;
        Some(self.parameters.swap_remove(at))
    }
}

/// Collects the parameters of a form of either type.
#[derive(Default)]
struct Reader {
    form: OAuthForm,
    parameters: usize,
}

impl Reader {
    /// Counts a parameter, known or not.
    fn count(&mut self) -> Result<(), OAuthError> {
        self.parameters += 1;
        if self.parameters > MAX_PARAMETERS {
            let text = format!("The form has too many parameters: at most {MAX_PARAMETERS} are allowed");
            return Err(OAuthError::InvalidRequest(text));
        }
        Ok(())
    }

    /// The name of a parameter, if it is known. Remembers a common mistake, for the error.
    fn known(&mut self, name: &str) -> Option<&'static str> {
        let known = KNOWN.into_iter().find(|known| *known == name);
        if known.is_none()
            && let Some(wrong) = wrong_name(name)
            && !self.form.wrong_names.contains(&wrong)
        {
            self.form.wrong_names.push(wrong);
        }
        known
    }

    fn keep(&mut self, name: &'static str, value: String) {
        let value = if value.len() > MAX_VALUE_BYTES { OVERLONG.to_owned() } else { value };
        let kept = &mut self.form.parameters;
        match kept.iter_mut().find(|parameter| parameter.name == name) {
            _ if value.is_empty() => {}
            Some(parameter) => {
                parameter.is_repeated = true;
                parameter.has_other_value |= parameter.value != value;
            }
            None => kept.push(Parameter { name, value, is_repeated: false, has_other_value: false }),
        }
    }
}

impl FromRequest for OAuthForm {
    type Error = OAuthError;
    type Future = LocalBoxFuture<'static, Result<Self, OAuthError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = refuse_announced_size(req).and_then(|()| refuse_encoding(req));
        let media_type = media_type(req);
        let is_multipart = media_type.as_deref() == Some("multipart/form-data");
        let headers = if is_multipart { req.headers().clone() } else { HeaderMap::new() };
        let body = Rc::new(RefCell::new(Body::of(req, payload)));
        Box::pin(async move {
            checked?;
            let read = match media_type.as_deref() {
                Some("application/x-www-form-urlencoded") => read_urlencoded(&body).await,
                Some("multipart/form-data") => read_multipart(&headers, &body).await,
                _ => Err(OAuthError::InvalidRequest(EXPECTED.into())),
            };
            // A body that is too large is reported before faults in its content, so read it to the end.
            while next(&body).await?.is_some() {}
            read
        })
    }
}

async fn next(body: &RefCell<Body>) -> Result<Option<Bytes>, ApiError> {
    poll_fn(|cx| body.borrow_mut().poll_next(cx)).await
}

async fn read_urlencoded(body: &RefCell<Body>) -> Result<OAuthForm, OAuthError> {
    let mut form = Urlencoded::default();
    while let Some(bytes) = next(body).await? {
        form.read(&bytes)?;
    }
    form.finish()
}

async fn read_multipart(headers: &HeaderMap, body: &Rc<RefCell<Body>>) -> Result<OAuthForm, OAuthError> {
    let (body, fault) = (Rc::clone(body), Rc::new(RefCell::new(None)));
    let left = Rc::clone(&fault);
    let stream = stream::poll_fn(move |cx| match ready!(body.borrow_mut().poll_next(cx)) {
        Ok(bytes) => Poll::Ready(bytes.map(Ok)),
        Err(error) => {
            *left.borrow_mut() = Some(error);
            Poll::Ready(Some(Err(PayloadError::Incomplete(None))))
        }
    });
    let mut parts = Multipart::new(headers, Box::pin(stream));
    let read = read_parts(&mut parts).await;
    // `fault` says why the body ended early; the multipart parser only knows that it did.
    match fault.take() {
        Some(fault) => Err(OAuthError::from(fault)),
        None => read,
    }
}

async fn read_parts(parts: &mut Multipart) -> Result<OAuthForm, OAuthError> {
    let mut reader = Reader::default();
    while let Some(part) = parts.next().await {
        let mut part = part.map_err(|_| unreadable())?;
        reader.count()?;
        let name = part.name().and_then(|name| reader.known(name));
        let mut value = Vec::new();
        while let Some(bytes) = part.next().await {
            let bytes = bytes.map_err(|_| unreadable())?;
            if name.is_none() {
                continue;
            }
            // One byte more than is taken shows that the value is too long.
            let room = (MAX_VALUE_BYTES + 1).saturating_sub(value.len());
            value.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        }
        if let Some(name) = name {
            reader.keep(name, text(value)?);
        }
    }
    Ok(reader.form)
}

/// Parses a complete form.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse_urlencoded(body: &[u8]) -> Result<OAuthForm, OAuthError> {
    let mut form = Urlencoded::default();
    form.read(body)?;
    form.finish()
}

/// The text of a value. One that is too long may have been cut anywhere.
fn text(value: Vec<u8>) -> Result<String, OAuthError> {
    if value.len() > MAX_VALUE_BYTES { Ok(OVERLONG.into()) } else { String::from_utf8(value).map_err(|_| unreadable()) }
}

fn unreadable() -> OAuthError {
    OAuthError::InvalidRequest(UNREADABLE.into())
}

#[cfg(test)]
mod tests;
