//! How a client authenticates: HTTP Basic, or parameters of the form (RFC 6749 §2.3).

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

use super::error::OAuthError;
use super::form::OAuthForm;
use crate::attempts::{Attempt, Attempts};
use crate::clients::{BUILTIN_CLIENT, Client};
use crate::config::TokenSettings;
use crate::db::{Db, Timestamp};

/// The client credentials of a request.
#[derive(Default)]
pub(crate) struct ClientCredentials {
    pub(crate) id: Option<String>,
    pub(crate) secret: Option<SecretString>,
    /// The id and secret of HTTP Basic after form-decoding (RFC 6749 §2.3.1), if they can be decoded.
    pub(crate) decoded: Option<(String, SecretString)>,
}

impl ClientCredentials {
    /// Reads HTTP Basic and the form. Another scheme, such as a stale bearer token, is ignored.
    pub(crate) fn read(req: &HttpRequest, form: &mut OAuthForm) -> Result<Self, OAuthError> {
        let basic = basic_credentials(req)?.unwrap_or_default();
        let (id, secret) = (form.take_equal("client_id")?, form.take("client_secret")?.map(SecretString::from));
        let Some(basic_id) = &basic.id else {
            if basic.secret.is_some() {
                return Err(OAuthError::InvalidClient);
            }
            return Ok(Self { id, secret, decoded: None });
        };
        let is_same = |id: &String| id == basic_id || basic.decoded.as_ref().is_some_and(|(decoded, _)| id == decoded);
        if id.as_ref().is_some_and(|id| !is_same(id)) {
            return Err(OAuthError::InvalidRequest(
                "The client_id differs from the one in the Authorization header".into(),
            ));
        }
        match secret {
            None => Ok(basic),
            Some(secret) if basic.secret.is_none() => Ok(Self { secret: Some(secret), ..basic }),
            Some(_) => {
                let twice = "The client_secret was sent both in the Authorization header and in the body";
                Err(OAuthError::InvalidRequest(twice.into()))
            }
        }
    }

    /// Finds the client of these credentials. Wrong secrets count as failures; without a secret nothing is guessed.
    pub(crate) async fn authenticate(
        self,
        db: &Db,
        settings: &TokenSettings,
        attempts: &Attempts,
        address: IpAddr,
    ) -> Result<Client, OAuthError> {
        let Some(secret) = &self.secret else { return self.find_client(db, settings).await };
        let decoded_id = self.decoded.as_ref().map(|(id, _)| id);
        let id = decoded_id.or(self.id.as_ref()).map_or("", String::as_str);
        let attempt = Attempt::on_client(id, secret.expose_secret(), address);
        let begun = attempts.begin(&attempt, Timestamp::now()).await?;
        let found = self.find_client(db, settings).await;
        match &found {
            Ok(_) => begun.succeeded(Timestamp::now()).await,
            Err(OAuthError::InvalidClient) => begun.failed(Timestamp::now()).await,
            Err(_) => drop(begun),
        }
        found
    }

    async fn find_client(&self, db: &Db, settings: &TokenSettings) -> Result<Client, OAuthError> {
        let id = match (&self.id, &self.secret) {
            (None, Some(_)) => return Err(OAuthError::InvalidClient),
            (None, None) => BUILTIN_CLIENT.to_owned(),
            (Some(id), _) => id.clone(),
        };
        if let Some(client) = Client::find(&id, self.secret.as_ref(), db, settings).await? {
            return Ok(client);
        }
        if let Some((id, secret)) = &self.decoded {
            let secret = Some(secret).filter(|secret| !secret.expose_secret().is_empty());
            if let Some(client) = Client::find(id, secret, db, settings).await? {
                return Ok(client);
            }
        }
        Err(OAuthError::InvalidClient)
    }
}

/// HTTP Basic (RFC 7617): `None` without it. Some clients always send it, so an empty id or secret counts as absent.
fn basic_credentials(req: &HttpRequest) -> Result<Option<ClientCredentials>, OAuthError> {
    let Some(header) = req.headers().get(AUTHORIZATION) else { return Ok(None) };
    let mut halves = header.as_bytes().splitn(2, |byte| *byte == b' ');
    let (Some(scheme), Some(encoded)) = (halves.next(), halves.next()) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Ok(None);
    }
    let decoded = STANDARD.decode(encoded.trim_ascii()).map_err(|_| OAuthError::InvalidClient)?;
    let text = String::from_utf8(decoded).map_err(|_| OAuthError::InvalidClient)?;
    let (id, secret) = text.split_once(':').ok_or(OAuthError::InvalidClient)?;
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Ok(Some(ClientCredentials {
        id: given(id),
        secret: given(secret).map(SecretString::from),
        decoded: form_decoded(id).zip(form_decoded(secret)).map(|(id, secret)| (id, secret.into())),
    }))
}

fn form_decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;
    use crate::clients::is_client_text;

    fn read(header: &[u8]) -> Result<Option<ClientCredentials>, OAuthError> {
        let header = HeaderValue::from_bytes(header).expect("a header value");
        basic_credentials(&TestRequest::post().insert_header((AUTHORIZATION, header)).to_http_request())
    }

    fn read_pair(id: &str, secret: &str) -> ClientCredentials {
        let header = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        read(header.as_bytes()).expect("readable").expect("Basic")
    }

    fn raw(read: &ClientCredentials) -> (&str, &str) {
        let secret = read.secret.as_ref().map_or("", |secret| secret.expose_secret());
        (read.id.as_deref().unwrap_or_default(), secret)
    }

    fn decoded(read: &ClientCredentials) -> Option<(&str, &str)> {
        read.decoded.as_ref().map(|(id, secret)| (id.as_str(), secret.expose_secret()))
    }

    fn form_encoded(text: &str) -> String {
        form_urlencoded::byte_serialize(text.as_bytes()).collect()
    }

    fn percent_encoded(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02x}")).collect()
    }

    /// The bytes that a header may contain (RFC 9110 §5.5).
    fn header_bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8], 0..40)
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn any_id_and_secret_are_read_raw_and_form_decoded(
            id in prop_oneof!["[^:]{0,12}", "[%+a-f0-9 ]{0,12}"],
            secret in prop_oneof![any::<String>(), "[%+:a-f0-9 ]{0,12}"],
        ) {
            let plain = read_pair(&id, &secret);
            prop_assert_eq!(raw(&plain), (id.as_str(), secret.as_str()));
            for encode in [form_encoded, percent_encoded] {
                let encoded = read_pair(&encode(&id), &encode(&secret));
                prop_assert_eq!(decoded(&encoded), Some((id.as_str(), secret.as_str())));
            }
        }

        #[test]
        fn a_colon_in_an_id_is_read_where_it_is_encoded(id in "[a-z:]{1,12}", secret in any::<String>()) {
            let encoded = read_pair(&form_encoded(&id), &form_encoded(&secret));
            prop_assert_eq!(decoded(&encoded), Some((id.as_str(), secret.as_str())));
        }

        #[test]
        fn whatever_stands_after_basic_is_read_or_refused_and_never_left_out(
            scheme in "[Bb][Aa][Ss][Ii][Cc] {1,3}",
            given in prop_oneof![
                header_bytes(),
                "[A-Za-z0-9+/=]{0,24}".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..24).prop_map(|bytes| STANDARD.encode(bytes).into_bytes()),
            ],
        ) {
            match read(&[scheme.as_bytes(), given.as_slice()].concat()) {
                Ok(read) => {
                    let read = read.expect("what was sent counts");
                    let text = STANDARD.decode(given.trim_ascii()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                    let (id, secret) = raw(&read);
                    prop_assert_eq!(text, Some(format!("{id}:{secret}")));
                }
                Err(refused) => prop_assert!(matches!(refused, OAuthError::InvalidClient)),
            }
        }

        #[test]
        fn another_scheme_is_left_out(header in header_bytes()) {
            prop_assume!(!header.to_ascii_lowercase().starts_with(b"basic "));
            prop_assert!(read(&header).is_ok_and(|read| read.is_none()));
        }

        #[test]
        fn the_text_of_a_client_id_is_the_same_in_every_encoding(
            id in prop_oneof!["[A-Za-z0-9._~-]{1,128}", any::<String>()],
        ) {
            prop_assert!(!is_client_text(&id) || form_decoded(&id).as_ref() == Some(&id));
            prop_assert!(!is_client_text(&id) || form_encoded(&id).replace("%7E", "~") == id);
        }
    }
}
