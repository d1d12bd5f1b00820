//! Pages that people reach by a link: small, self-contained and without a script. They need no cookie and no session, so
//! a link works in any browser.

pub(crate) mod link_page;

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    VARY,
};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::language::Language;

const STYLE: &str = include_str!("style.css");
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");

/// Allows the one style sheet, and a form that posts to this service: no script, no image, no frame around the page.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});

/// A page: its title, which is also its heading, and the HTML below that.
pub(crate) struct Page {
    pub language: Language,
    pub title: &'static str,
    pub content: String,
}

impl Page {
    /// A page with one paragraph of text.
    pub(crate) fn message(language: Language, title: &'static str, text: &str) -> Self {
        Self { language, title, content: format!("<p>{}</p>", escape(text)) }
    }

    pub(crate) fn respond(&self, status: StatusCode) -> HttpResponse {
        self.put_in(HttpResponse::new(status))
    }

    /// Replaces the body of a response, and keeps its status and its other headers.
    pub(crate) fn put_in(&self, mut response: HttpResponse) -> HttpResponse {
        let headers = response.headers_mut();
        for (name, value) in [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            // A copy of the page holds the token, and so would the address of the page in a Referer.
            (CACHE_CONTROL, "no-store"),
            (REFERRER_POLICY, "no-referrer"),
            (ROBOTS, "noindex, nofollow"),
            (VARY, "accept-language"),
            (CONTENT_LANGUAGE, self.language.code()),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Ok(policy) = HeaderValue::from_str(&POLICY) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        response.set_body(self.html()).map_into_boxed_body()
    }

    fn html(&self) -> String {
        let (language, title, content) = (self.language.code(), escape(self.title), &self.content);
        format!(
            "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{content}\n</main>\n</body>\n</html>\n"
        )
    }
}

/// Text as it stands in HTML, in an attribute with double quotes as well.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_leave_its_place_in_the_page() {
        assert_eq!(escape("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    }
}
