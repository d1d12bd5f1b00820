//! `If-Match` and `If-None-Match` (RFC 9110 §13.1), for this service's entity tags, which hold no comma.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use utoipa::IntoParams;

/// The versions that the client has; `None`: it does not say.
#[derive(Clone, Debug, IntoParams)]
#[into_params(names("If-None-Match"), parameter_in = Header)]
pub(crate) struct IfNoneMatch(
    /// The `ETag` of the version that you have. The response is 304 while that version is current.
    #[param(value_type = Option<String>)]
    Option<Vec<String>>,
);

impl IfNoneMatch {
    pub(crate) fn of(req: &HttpRequest) -> Self {
        Self(tags(req, &IF_NONE_MATCH))
    }

    /// Whether the client has exactly this version (weak comparison, RFC 9110 §13.1.2).
    pub(crate) fn has(&self, etag: &str) -> bool {
        let is_same = |tag: &String| tag.strip_prefix("W/").unwrap_or(tag) == etag;
        self.0.as_ref().is_some_and(|tags| is_any(tags) || tags.iter().any(is_same))
    }
}

/// The versions that a change applies to; `None`: any.
#[derive(Clone, Debug, IntoParams)]
#[into_params(names("If-Match"), parameter_in = Header)]
pub(crate) struct IfMatch(
    /// The `ETag` of the version that this applies to. Without it, the request applies to any version.
    #[param(value_type = Option<String>)]
    Option<Vec<String>>,
);

impl IfMatch {
    pub(crate) fn of(req: &HttpRequest) -> Self {
        Self(tags(req, &IF_MATCH))
    }

    /// Whether the change applies to this version (strong comparison, RFC 9110 §13.1.1).
    pub(crate) fn allows(&self, etag: &str) -> bool {
        self.0.as_ref().is_none_or(|tags| is_any(tags) || tags.iter().any(|tag| tag == etag))
    }
}

/// Whether the header is `*` alone.
fn is_any(tags: &[String]) -> bool {
    matches!(tags, [tag] if tag == "*")
}

/// The tags of a header, which may have several lines; `None` without the header.
fn tags(req: &HttpRequest, name: &HeaderName) -> Option<Vec<String>> {
    let mut lines = req.headers().get_all(name).peekable();
    lines.peek()?;
    // Other servers' tags may have bytes that are not UTF-8 (obs-text, RFC 9110 §8.8.3). Still read the tags beside
    // them.
    let tags = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    Some(tags.map(|tag| String::from_utf8_lossy(tag.trim_ascii()).into_owned()).collect())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    const OURS: &str = "\"41-2\"";

    fn request(name: &HeaderName, lines: &[Vec<u8>]) -> HttpRequest {
        let values = lines.iter().map(|line| HeaderValue::from_bytes(line).expect("a header value"));
        values
            .fold(TestRequest::default(), |request, value| request.append_header((name.clone(), value)))
            .to_http_request()
    }

    fn is_known(lines: &[Vec<u8>]) -> bool {
        IfNoneMatch::of(&request(&IF_NONE_MATCH, lines)).has(OURS)
    }

    fn is_allowed(lines: &[Vec<u8>]) -> bool {
        IfMatch::of(&request(&IF_MATCH, lines)).allows(OURS)
    }

    /// An entity tag by RFC 9110 §8.8.3: any visible character except the quote, and obs-text.
    fn tag() -> impl Strategy<Value = Vec<u8>> {
        let opaque = prop::collection::vec(prop_oneof![Just(0x21_u8), 0x23..=0x7e_u8, 0x80..=0xff_u8], 0..6);
        let whole = (prop::sample::select(vec!["", "W/"]), opaque)
            .prop_map(|(weak, opaque)| [weak.as_bytes(), b"\"", &opaque, b"\""].concat());
        prop_oneof![4 => whole, 1 => Just(OURS.into()), 1 => Just(format!("W/{OURS}").into())]
    }

    /// Tags in lists (RFC 9110 §5.6.1), spread over lines.
    fn lists() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
        prop::collection::vec(prop::collection::vec(tag(), 1..4), 1..4)
    }

    proptest! {
        #![proptest_config(crate::testing::properties::config())]

        #[test]
        fn a_tag_is_found_in_every_list_that_has_it_and_in_no_other(
            lists in lists(), comma in prop::sample::select(vec![",", ", ", " ,\t", ", ,"]),
        ) {
            let lines: Vec<Vec<u8>> = lists.iter().map(|tags| tags.join(comma.as_bytes())).collect();
            let has = |wanted: &[u8]| lists.iter().flatten().any(|tag| tag == wanted);
            prop_assert_eq!(is_allowed(&lines), has(OURS.as_bytes()), "strong comparison");
            prop_assert_eq!(is_known(&lines), has(OURS.as_bytes()) || has(format!("W/{OURS}").as_bytes()), "weak one");
        }

        #[test]
        fn whatever_is_sent_is_no_tag_of_ours_without_its_text(
            lines in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(9_u8), 32..=126_u8, 128..=255_u8], 0..20), 1..3,
            ),
        ) {
            let star = lines.len() == 1 && lines[0].trim_ascii() == b"*";
            let is_there = star || lines.iter().any(|line| line.windows(OURS.len()).any(|part| part == OURS.as_bytes()));
            prop_assert!(is_there || !is_known(&lines) && !is_allowed(&lines));
        }
    }

    #[test]
    fn without_the_header_any_version_is_meant_and_none_is_known() {
        assert!(is_allowed(&[]) && !is_known(&[]));
        assert!(is_allowed(&[b"*".to_vec()]) && is_known(&[b" * ".to_vec()]));
        assert!(!is_allowed(&[Vec::new()]) && !is_known(&[Vec::new()]));
    }
}
