//! Contract, "Docs and operations": what pages of other origins may do (CORS), and what no answer makes a browser keep or
//! send along.

use crate::support::{Answer, PASSWORD, Server, header_names};

const OURS: &str = "https://app.example.com";
/// Near misses, and what sandboxed pages and files send.
const OTHERS: [&str; 7] = [
    "https://evil.example",
    "https://app.example.com.evil.example",
    "https://APP.example.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com/",
    "null",
];

fn preflight(server: &Server, path: &str, method: &str, origin: &str) -> Answer {
    let request = server.request("OPTIONS", path).header("origin", origin);
    let request = request.header("access-control-request-method", method);
    request.header("access-control-request-headers", "authorization,content-type,if-match").send()
}

#[track_caller]
fn expect_closed(answer: &Answer) {
    for name in ["access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-headers"] {
        assert_eq!(answer.header(name), None, "{answer}");
    }
}

#[test]
fn no_page_of_another_origin_may_call_unless_it_is_allowed() {
    let server = Server::start();
    for origin in OTHERS.into_iter().chain([OURS]) {
        expect_closed(&server.request("GET", "/posts").header("origin", origin).send().expect(200));
        expect_closed(&preflight(&server, "/posts", "POST", origin));
    }
}

#[test]
fn a_page_of_an_allowed_origin_may_call_and_read_errors_too() {
    let server = Server::with(&[("server.cors_origins", OURS)]);
    for (path, method) in [("/login", "POST"), ("/me", "PATCH"), ("/posts/1", "DELETE"), ("/me/sessions", "GET")] {
        let answer = preflight(&server, path, method, OURS);
        assert!([200, 204].contains(&answer.status), "{answer}");
        assert_eq!(answer.need("access-control-allow-origin"), OURS);
        assert!(
            header_names(answer.need("access-control-allow-methods")).iter().any(|name| name == method),
            "{answer}"
        );
    }
    for (path, status) in [("/posts", 200), ("/me", 401), ("/posts/1", 404), ("/nothing", 404), ("/login", 405)] {
        let answer = server.request("GET", path).header("origin", OURS).send().expect(status);
        assert_eq!(answer.need("access-control-allow-origin"), OURS, "{answer}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer}");
        let exposed = header_names(&answer.need("access-control-expose-headers").to_lowercase());
        assert_eq!(exposed, ["etag", "location", "retry-after", "www-authenticate", "x-request-id"]);
        let vary = header_names(&answer.need("vary").to_lowercase());
        assert!(vary.iter().any(|name| name == "origin"), "no cache may mix the origins up: {answer}");
    }
}

#[test]
fn an_origin_is_allowed_exactly_or_not_at_all() {
    let server = Server::with(&[("server.cors_origins", OURS)]);
    for origin in OTHERS {
        expect_closed(&server.request("GET", "/posts").header("origin", origin).send().expect(200));
        expect_closed(&preflight(&server, "/posts", "POST", origin));
    }
}

#[test]
fn no_answer_sets_a_cookie_and_no_page_tells_where_one_came_from() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let login = |password: &str| server.login(&[("username", "bob@example.com"), ("password", password)]);
    for answer in [bob.get("/me"), server.get("/me"), server.get("/"), login(PASSWORD), login("a wrong one")] {
        assert_eq!(answer.header("set-cookie"), None, "{answer}");
    }
    for page in ["/docs", "/redoc"] {
        let answer = server.get(page).expect(200);
        assert_eq!(answer.header("set-cookie"), None, "{answer}");
        assert_eq!(answer.need("referrer-policy"), "no-referrer");
    }
}
