//! Contract, "Docs and operations": Redoc, wholly from the service.

use serde_json::json;

use crate::docs::{browse, references, resolve};
use crate::support::{Server, header_names};

const FILES: [&str; 3] = ["/redoc/redoc.standalone.js", "/redoc/redoc.css", "/redoc/redoc.standalone.js.LICENSE.txt"];

#[test]
fn redoc_is_a_page_under_a_content_security_policy() {
    let server = Server::start();
    let answer = server.get("/redoc").expect(200);
    assert!(answer.need("content-type").starts_with("text/html"), "{answer}");
    let policy = answer.need("content-security-policy");
    for directive in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.split(';').any(|part| part.trim() == directive), "{directive} in {policy}");
    }
    assert!(!policy.contains("unsafe-eval") && !policy.contains("http"), "{policy}");
    let head = server.head("/redoc").expect_empty(200);
    assert_eq!(head.header("content-length"), answer.header("content-length"), "{head}");
}

#[test]
fn redoc_with_a_slash_leads_to_the_page() {
    let server = Server::start();
    let answer = server.get("/redoc/").expect(307);
    assert_eq!(answer.need("location"), "../redoc", "relative, so that it also leads there behind a proxy's prefix");
}

#[test]
fn everything_that_redoc_loads_comes_from_the_service_itself() {
    let server = Server::start();
    let (page, answer) = browse(&server, "/redoc");
    let html = answer.text();
    assert!(html.contains(r#"spec-url="openapi.json""#), "{html}");
    let references = references(html);
    assert!(references.len() >= 3, "{references:?}");
    for reference in references {
        let (path, file) = browse(&server, &resolve(&page, &reference));
        assert!(!file.expect(200).body.is_empty(), "{path}");
    }
}

#[test]
fn the_script_of_redoc_asks_no_other_host_for_a_picture_or_a_map() {
    let server = Server::start();
    let answer = server.get("/redoc/redoc.standalone.js").expect(200);
    assert!(answer.need("content-type").starts_with("text/javascript"), "{}", answer.need("content-type"));
    let script = answer.text();
    assert!(script.contains("Redocly"), "this is not Redoc");
    for foreign in ["cdn.redoc.ly", "logo-mini", "fonts.googleapis", "redoc.standalone.js.map"] {
        assert!(!script.contains(foreign), "{foreign}");
    }
}

#[test]
fn the_licences_of_what_the_script_is_made_of_go_with_it() {
    let server = Server::start();
    let script = server.get("/redoc/redoc.standalone.js").expect(200);
    let named = "redoc.standalone.js.LICENSE.txt";
    assert!(script.text().starts_with(&format!("/*! For license information please see {named} */")));
    let licences = server.get(&format!("/redoc/{named}")).expect(200);
    assert!(licences.text().contains("DOMPurify"), "{licences}");
}

#[test]
fn the_files_of_redoc_take_get_and_head_only() {
    let server = Server::start();
    for path in FILES {
        let (get, head) = (server.get(path).expect(200), server.head(path).expect_empty(200));
        assert_eq!(head.header("content-length"), get.header("content-length"), "{head}");
        let answer = server.post(path, json!({}));
        assert_eq!(header_names(answer.need("allow")), ["GET", "HEAD"], "{answer}");
        answer.expect_error(405);
    }
    for path in ["/redoc/nothing.js", "/redoc/README.md", "/redoc/%2e%2e/config"] {
        server.get(path).expect_error(404);
    }
}
