//! Contract, "Conventions": whatever refuses a request before a handler sees it, a layer or the lack of a route, answers in the
//! form of the path's errors. What no HTTP/1.1 parser can read is answered by actix-http, with an empty body (`hygiene.rs`).

use crate::support::{Answer, Request, Server};

const ORIGIN: &str = "https://app.example.com";
/// A path that nobody has, public and protected ones, and a file of a page.
const PATHS: [&str; 6] = ["/nothing", "/posts", "/posts/1", "/me", "/docs/docs.js", "/healthz"];
/// With one of them percent-encoded, which is the same path (RFC 3986 §6.2.2.2).
const OAUTH_PATHS: [&str; 4] = ["/login", "/revoke", "/introspect", "/%6cogin"];

type Refusal = (&'static str, fn(&Server, &str) -> Answer);

fn preflight<'a>(server: &'a Server, path: &str, method: &str) -> Request<'a> {
    let request = server.request("OPTIONS", path).header("origin", ORIGIN);
    request.header("access-control-request-method", method)
}

/// Preflights that are refused whatever the path.
const PREFLIGHTS: [Refusal; 5] = [
    ("method", |server, path| preflight(server, path, "PROPFIND").send()),
    ("header", |server, path| ask_for_headers(server, path, "authorization, x-secret")),
    ("no list", |server, path| ask_for_headers(server, path, "authorization;content-type")),
    ("no text", |server, path| ask_for_headers(server, path, "é")),
    ("empty line before", |server, path| {
        let request = preflight(server, path, "POST").header("access-control-request-headers", "");
        request.header("access-control-request-headers", "x-secret").send()
    }),
];

fn ask_for_headers(server: &Server, path: &str, names: &str) -> Answer {
    preflight(server, path, "POST").header("access-control-request-headers", names).send()
}

#[test]
fn a_refused_preflight_is_answered_in_the_form_of_the_path_and_opens_nothing() {
    for root_path in ["", "/auth"] {
        let server = Server::with(&[("server.cors_origins", ORIGIN), ("server.root_path", root_path)]);
        for (what, refused) in PREFLIGHTS {
            for path in PATHS.into_iter().chain(OAUTH_PATHS) {
                let answer = refused(&server, &format!("{root_path}{path}"));
                assert_eq!(answer.header("access-control-allow-origin"), None, "{what}: {answer}");
                if OAUTH_PATHS.contains(&path) {
                    answer.expect_oauth_error(400, "invalid_request");
                } else {
                    answer.expect_error(400);
                }
            }
        }
    }
}

#[test]
fn a_preflight_that_asks_for_no_header_is_allowed_however_that_is_written() {
    let server = Server::with(&[("server.cors_origins", ORIGIN)]);
    for path in ["/posts", "/login"] {
        for names in ["", " ", ",", " , ,", "authorization,,content-type", ", if-match ,"] {
            let answer = ask_for_headers(&server, path, names).expect(200);
            assert_eq!(answer.need("access-control-allow-origin"), ORIGIN, "{names:?}: {answer}");
        }
        assert_eq!(preflight(&server, path, "POST").send().expect(200).need("access-control-allow-origin"), ORIGIN);
    }
}

#[test]
fn every_other_early_refusal_has_the_error_form_of_its_path() {
    let (with, without) = (Server::with(&[("server.cors_origins", ORIGIN)]), Server::start());
    let long = "a".repeat(70_000);
    for server in [&with, &without] {
        for path in OAUTH_PATHS {
            for method in ["GET", "PUT", "PROPFIND", "OPTIONS"] {
                server.request(method, path).send().expect_oauth_error(405, "invalid_request");
            }
            let request = || server.request("POST", path).header("origin", ORIGIN);
            request().header("x-filler", &long).send().expect_oauth_error(431, "invalid_request");
            request().body("text/plain", "x").send().expect_oauth_error(400, "invalid_request");
            request().body("application/json", vec![b' '; 300_000]).send().expect_oauth_error(413, "invalid_request");
        }
        for path in PATHS {
            server.request("GET", path).header("x-filler", &long).send().expect_error(431);
            server.request("PROPFIND", path).send().expect_error(if path == "/nothing" { 404 } else { 405 });
        }
        for path in ["/", "//", "/%ff", "/docs/%ff", "/docs/nothing", "/posts/", "/me/", "/%6de/"] {
            let answer = server.request("POST", path).header("origin", ORIGIN).send();
            let status = answer.status;
            assert!([404, 405].contains(&status), "{answer}");
            answer.expect_error(status);
        }
        server.request("GET", "/docs/%ff").send().expect_error(404);
        server.request("GET", "/posts/%ff").send().expect_error(422);
        server.request("GET", "/%6de").send().expect_no_credentials();
        server.request("GET", "/profile/1").header("authorization", "Bearer x y").send().expect_invalid_token();
        server.request("POST", "/posts").body("application/json", vec![b' '; 300_000]).send().expect_error(413);
    }
}
