//! The form that the OAuth endpoints take: urlencoded, or multipart as JavaScript's `FormData` sends it.

use actix_multipart::Multipart;
use actix_web::dev::Payload;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::{LocalBoxFuture, ok};
use futures_util::stream::once;
use futures_util::{StreamExt, TryStreamExt};
use percent_encoding::percent_decode;

use super::error::OAuthError;
use super::misnamed::missing;
use crate::http::body::{media_type, read_bytes, refuse_announced_size, refuse_encoding};

const EXPECTED: &str =
    "The body should be a form with Content-Type application/x-www-form-urlencoded (or multipart/form-data)";
const UNREADABLE: &str = "The body could not be read as a form in UTF-8";

/// The parameters of a form, as they came.
pub(crate) struct OAuthForm(Vec<(String, String)>);

impl OAuthForm {
    /// The value of a parameter. One without a value counts as absent (RFC 6749 §3.2).
    ///
    /// # Errors
    /// `invalid_request` when it was sent more than once.
    pub(crate) fn take(&mut self, name: &str) -> Result<Option<String>, OAuthError> {
        let repeated = || OAuthError::InvalidRequest(format!("The parameter {name} was sent more than once"));
        let mut values = self.values(name);
        let value = values.pop();
        if values.is_empty() { Ok(value) } else { Err(repeated()) }
    }

    /// As [`take`](Self::take), but equal repetitions are fine: clients put their id wherever they can.
    pub(crate) fn take_equal(&mut self, name: &str) -> Result<Option<String>, OAuthError> {
        let different = || OAuthError::InvalidRequest(format!("The parameter {name} was sent with two values"));
        let mut values = self.values(name);
        values.dedup();
        let value = values.pop();
        if values.is_empty() { Ok(value) } else { Err(different()) }
    }

    /// The value of a parameter, which stays where it is.
    pub(crate) fn peek(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must be there.
    pub(crate) fn require(&mut self, name: &str) -> Result<String, OAuthError> {
        self.take(name)?.ok_or_else(|| missing(self, name))
    }

    fn values(&mut self, name: &str) -> Vec<String> {
        let named = self.0.extract_if(.., |(key, _)| key == name);
        named.map(|(_, value)| value).filter(|value| !value.is_empty()).collect()
    }
}

impl FromRequest for OAuthForm {
    type Error = OAuthError;
    type Future = LocalBoxFuture<'static, Result<Self, OAuthError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = refuse_announced_size(req).and_then(|()| refuse_encoding(req));
        let media_type = media_type(req);
        let headers = req.headers().clone();
        let bytes = read_bytes(req, payload);
        Box::pin(async move {
            checked?;
            let bytes = bytes.await?;
            match media_type.as_deref() {
                Some("application/x-www-form-urlencoded") => parse_urlencoded(&bytes),
                Some("multipart/form-data") => {
                    let stream = once(ok::<Bytes, actix_web::error::PayloadError>(bytes));
                    parse_multipart(Multipart::new(&headers, Box::pin(stream))).await
                }
                _ => Err(OAuthError::InvalidRequest(EXPECTED.into())),
            }
        })
    }
}

/// Strict where the usual parsers replace what they cannot read: a password must not change on its way.
pub(crate) fn parse_urlencoded(body: &[u8]) -> Result<OAuthForm, OAuthError> {
    let decode = |part: &[u8]| {
        let spaced: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&spaced).decode_utf8().map(String::from).map_err(|_| unreadable())
    };
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let parsed = pairs.map(|pair| {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let (name, value) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
        Ok((decode(name)?, decode(value)?))
    });
    parsed.collect::<Result<_, _>>().map(OAuthForm)
}

async fn parse_multipart(mut parts: Multipart) -> Result<OAuthForm, OAuthError> {
    let mut pairs = Vec::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| unreadable())?;
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.try_fold(Vec::new(), async |mut all, chunk| {
            all.extend_from_slice(&chunk);
            Ok(all)
        });
        let value = String::from_utf8(bytes.await.map_err(|_| unreadable())?).map_err(|_| unreadable())?;
        pairs.push((name, value));
    }
    Ok(OAuthForm(pairs))
}

fn unreadable() -> OAuthError {
    OAuthError::InvalidRequest(UNREADABLE.into())
}

#[cfg(test)]
mod tests {
    use actix_web::rt::Runtime;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    fn form(body: &str) -> OAuthForm {
        parse_urlencoded(body.as_bytes()).unwrap_or_else(|error| panic!("{body:?}: {error}"))
    }

    #[test]
    fn values_are_form_decoded_and_never_trimmed() {
        let mut form = form("password=+p%40ss+w%2Brd%26%C3%A9+&x=1");
        assert_eq!(form.take("password").expect("once").as_deref(), Some(" p@ss w+rd&é "));
    }

    #[test]
    fn a_parameter_without_a_value_is_absent() {
        let mut form = form("scope=&client_id&username=a&username=");
        assert_eq!(form.take("scope").expect("absent"), None);
        assert_eq!(form.take("client_id").expect("absent"), None);
        assert_eq!(form.take("username").expect("once").as_deref(), Some("a"));
    }

    #[test]
    fn a_repeated_parameter_is_named() {
        let error = form("username=a&username=a").take("username").expect_err("repeated");
        assert!(error.to_string().contains("username"));
        assert_eq!(form("client_id=a&client_id=a").take_equal("client_id").expect("equal").as_deref(), Some("a"));
        assert!(form("client_id=a&client_id=b").take_equal("client_id").is_err());
    }

    #[test]
    fn what_is_not_utf_8_is_refused() {
        assert!(parse_urlencoded(b"password=%ff%fe").is_err());
        assert!(parse_urlencoded(b"password=\xff").is_err());
    }

    /// Names and values as clients may send them; few names, so that some come twice.
    fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
        let name = prop_oneof!["[ab]", any::<String>()];
        let value = prop_oneof![Just(String::new()), any::<String>()];
        prop::collection::vec((name, value), 0..6)
    }

    /// Bytes that are no form, and bytes that nearly are one.
    fn body() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![prop::collection::vec(any::<u8>(), 0..80), "[ab=&+%0-9a-fA-F;é]{0,40}".prop_map(String::into_bytes),]
    }

    fn percent_encoded(text: &str) -> String {
        text.bytes().map(|byte| format!("%{byte:02x}")).collect()
    }

    async fn read(content_type: &str, body: Vec<u8>) -> Result<OAuthForm, OAuthError> {
        let request = TestRequest::post().insert_header(("content-type", content_type)).set_payload(body);
        let (request, mut payload) = request.to_http_parts();
        OAuthForm::from_request(&request, &mut payload).await
    }

    fn multipart(pairs: &[(String, String)]) -> Vec<u8> {
        let part = |(name, value): &(String, String)| {
            format!("--limit\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        format!("{}--limit--\r\n", pairs.iter().map(part).collect::<String>()).into_bytes()
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn whatever_is_sent_is_read_as_others_read_it_or_refused(body in body()) {
            let others: Vec<_> =
                form_urlencoded::parse(&body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
            match parse_urlencoded(&body) {
                Ok(form) => prop_assert_eq!(form.0, others),
                Err(_) => {
                    let is_lossy = |text: &String| text.contains(char::REPLACEMENT_CHARACTER);
                    prop_assert!(others.iter().any(|(name, value)| is_lossy(name) || is_lossy(value)));
                }
            }
        }

        #[test]
        fn what_was_encoded_comes_back(pairs in pairs()) {
            let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            prop_assert_eq!(&form(&encoded).0, &pairs);
            let each = |(name, value): &(String, String)| format!("{}={}", percent_encoded(name), percent_encoded(value));
            let encoded = pairs.iter().map(each).collect::<Vec<_>>().join("&");
            prop_assert_eq!(&form(&encoded).0, &pairs);
        }

        #[test]
        fn a_parameter_is_taken_only_where_it_has_one_value(pairs in pairs(), other in any::<String>()) {
            for name in ["a", "b", &other] {
                let named = pairs.iter().filter(|(key, value)| key == name && !value.is_empty());
                let given: Vec<&String> = named.map(|(_, value)| value).collect();
                let form = || OAuthForm(pairs.clone());
                let untouched = form();
                prop_assert_eq!(untouched.peek(name), given.first().map(|first| first.as_str()));
                let (once, equal) = (form().take(name), form().take_equal(name));
                prop_assert_eq!(once.is_err(), given.len() > 1);
                prop_assert_eq!(equal.is_err(), given.iter().any(|value| value != &given[0]));
                for value in once.into_iter().chain(equal) {
                    prop_assert_eq!(value.as_ref(), given.first().copied());
                }
            }
        }
    }

    #[test]
    fn a_multipart_form_comes_back_and_any_bytes_are_read_or_refused() {
        let runtime = Runtime::new().expect("a runtime");
        let kind = "multipart/form-data; boundary=limit";
        proptest!(crate::testing::properties::config(), |(pairs in prop::collection::vec(("[a-z_]{1,8}", any::<String>()), 1..5))| {
            let read = runtime.block_on(read(kind, multipart(&pairs))).map(|form| form.0);
            prop_assert_eq!(read.expect("a form"), pairs);
        });
        let torn = ("[a-z]{0,3}", any::<String>(), any::<prop::sample::Index>(), any::<u8>());
        proptest!(crate::testing::properties::config(), |((name, value, at, byte) in torn, cut in any::<bool>())| {
            let mut body = multipart(&[(name, value)]);
            let at = at.index(body.len());
            if cut { body.truncate(at) } else { body[at] = byte }
            let _read_or_refused = runtime.block_on(read(kind, body));
        });
    }
}
