//! Contract, "Conventions": what holds on every route that is no OAuth endpoint.

use serde_json::{Value, json};

use crate::support::{Actor, Answer, Client, PASSWORD, Server, Wire, header_names, is_request_id};

/// The default of `server.max_body_bytes`.
const MAX_BODY_BYTES: usize = 262_144;

/// Every route but `/login`, with its methods as `Allow` lists them.
const ROUTES: [(&str, &str); 10] = [
    ("/", "GET, HEAD"),
    ("/docs", "GET, HEAD"),
    ("/openapi.json", "GET, HEAD"),
    ("/healthz", "GET, HEAD"),
    ("/readyz", "GET, HEAD"),
    ("/signup", "POST"),
    ("/profile/1", "GET, HEAD"),
    ("/me", "DELETE, GET, HEAD, PATCH"),
    ("/posts", "GET, HEAD, POST"),
    ("/posts/1", "DELETE, GET, HEAD, PATCH, PUT"),
];

/// Every route that takes a JSON body.
const BODY_ROUTES: [(&str, &str); 5] =
    [("POST", "/signup"), ("PATCH", "/me"), ("POST", "/posts"), ("PUT", "/posts/{own}"), ("PATCH", "/posts/{own}")];

/// Every method and path with an id in it.
const ID_ROUTES: [(&str, &str); 5] =
    [("GET", "/posts/"), ("PUT", "/posts/"), ("PATCH", "/posts/"), ("DELETE", "/posts/"), ("GET", "/profile/")];

const WRONG_IDS: [&str; 14] = [
    "0",
    "-1",
    "abc",
    "1.5",
    "1.0",
    "1e3",
    "9007199254740992",
    "9223372036854775808",
    "99999999999999999999999999",
    "1%20",
    "%00",
    "0x1",
    "null",
    "%C3%A9",
];

/// Someone who has written one post, and its path for `{own}`.
fn author(server: &Server) -> (Actor, String) {
    let bob = server.sign_up("bob@example.com");
    let own = bob.write_post("mine");
    (bob, own)
}

#[test]
fn an_unknown_path_is_404_whatever_the_method_and_the_credentials() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        for path in ["/nothing", "/posts/1/comments", "/login/now", "/me/nothing", "/.env", "/signup/1"] {
            server.request(method, path).send().expect_error(404);
            bob.request(method, path).send().expect_error(404);
        }
    }
}

#[test]
fn a_known_path_with_a_wrong_method_is_405_and_allow_names_the_right_ones() {
    let server = Server::start();
    for (path, methods) in ROUTES {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            if methods.split(", ").any(|known| known == method) {
                continue;
            }
            let answer = server.request(method, path).send();
            let allow = answer.need("allow").to_owned();
            assert_eq!(header_names(&allow).join(", "), methods, "{answer}");
            if method == "HEAD" {
                answer.expect_empty(405);
            } else {
                answer.expect_error(405);
            }
        }
    }
}

#[test]
fn a_method_that_nobody_knows_is_405_too() {
    let server = Server::start();
    for path in ["/posts", "/me", "/healthz"] {
        server.request("PROPFIND", path).send().expect_error(405);
    }
}

#[test]
fn a_body_over_the_limit_is_413_whether_its_length_is_declared_or_not() {
    let server = Server::start();
    let (bob, own) = author(&server);
    for (method, path) in BODY_ROUTES {
        let path = path.replace("/posts/{own}", &own);
        for framing in [Framing::Length, Framing::Chunked] {
            let body = padded("{}", MAX_BODY_BYTES + 1);
            upload(&server, &format!("{method} {path}"), &json_with(&bob.token), &body, framing).expect_error(413);
        }
    }
}

#[test]
fn a_body_at_the_limit_is_read() {
    let server = Server::start();
    let token = server.sign_up("bob@example.com").token;
    for framing in [Framing::Length, Framing::Chunked] {
        let body = padded(r#"{"title":"padded","content":"text"}"#, MAX_BODY_BYTES);
        upload(&server, "POST /posts", &json_with(&token), &body, framing).expect_json(201);
    }
}

#[test]
fn the_body_limit_is_a_setting() {
    let server = Server::with(&[("server.max_body_bytes", "2000")]);
    let token = server.sign_up("bob@example.com").token;
    for (bytes, status) in [(2000, 201), (2001, 413)] {
        let body = padded(r#"{"title":"padded","content":"text"}"#, bytes);
        let answer = upload(&server, "POST /posts", &json_with(&token), &body, Framing::Length);
        assert_eq!(answer.status, status, "{bytes} bytes: {answer}");
    }
}

#[test]
fn a_wrong_content_type_is_415() {
    let server = Server::start();
    let (bob, own) = author(&server);
    for (method, path) in BODY_ROUTES {
        let path = path.replace("/posts/{own}", &own);
        for content_type in
            ["text/plain", "text/json", "application/x-www-form-urlencoded", "application/jsonp", "application", "*/*"]
        {
            bob.request(method, &path).body(content_type, "{}").send().expect_error(415);
        }
        bob.request(method, &path).bytes("{}").send().expect_error(415);
    }
}

#[test]
fn case_and_parameters_of_the_content_type_do_not_matter() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let body = json!({"title": "t", "content": "c"}).to_string();
    for content_type in [
        "application/json",
        "APPLICATION/JSON",
        "Application/Json;Charset=UTF-8",
        "application/json; charset=utf-8",
        "application/json;charset=\"utf-8\"",
        "application/json; charset=iso-8859-1",
        "application/json; profile=x",
        "application/json ; charset=utf-8",
    ] {
        bob.request("POST", "/posts").body(content_type, body.as_str()).send().expect_json(201);
    }
}

#[test]
fn head_answers_as_get_does_but_without_a_body() {
    let server = Server::start();
    let (bob, own) = author(&server);
    let profile = bob.profile_url();
    let paths = [
        "/",
        "/docs",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/posts",
        "/posts?limit=0",
        "/posts/abc",
        "/posts/999",
        "/me",
    ];
    for path in paths.into_iter().chain([own.as_str(), profile.as_str(), "/profile/999", "/nothing"]) {
        for client in [&bob as &Client, &server] {
            let (get, head) = (client.get(path), client.head(path));
            assert_eq!(head.status, get.status, "{head}");
            assert!(head.body.is_empty(), "{head}");
            assert_eq!(comparable(&head), comparable(&get), "{path}");
        }
    }
    assert_eq!(bob.head("/me").expect(200).need("content-length"), bob.get("/me").body.len().to_string());
}

#[test]
fn malformed_json_is_400() {
    let server = Server::start();
    let (bob, own) = author(&server);
    let bodies: [&[u8]; 12] = [
        b"{",
        b"{\"title\":}",
        b"nul",
        b"{'title': 'x'}",
        b"{\"title\": \"x\"} x",
        b"{\"title\": \"x\",}",
        b"title=x&content=y",
        b"{\"title\": \"\xff\"}",
        b"\xff\xfe",
        b"{\"title\": \"a\nb\"}",
        b"{\"title\" \"x\"}",
        b"<title/>",
    ];
    for (method, path) in BODY_ROUTES {
        let path = path.replace("/posts/{own}", &own);
        for body in bodies {
            bob.request(method, &path).body("application/json", body).send().expect_error(400);
        }
    }
}

#[test]
fn an_empty_body_is_400() {
    let server = Server::start();
    let (bob, own) = author(&server);
    for (method, path) in BODY_ROUTES {
        let path = path.replace("/posts/{own}", &own);
        for body in ["", " ", "\r\n\t "] {
            bob.request(method, &path).body("application/json", body).send().expect_error(400);
        }
    }
}

#[test]
fn a_body_that_is_no_object_is_422() {
    let server = Server::start();
    let (bob, own) = author(&server);
    for (method, path) in BODY_ROUTES {
        let path = path.replace("/posts/{own}", &own);
        for body in ["[]", "\"text\"", "1", "null", "true", "[{\"title\":\"x\",\"content\":\"y\"}]"] {
            bob.request(method, &path).body("application/json", body).send().expect_faults(&[&["body"]]);
        }
    }
}

#[test]
fn json_at_its_extremes_is_refused_politely() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let deep_field = format!("{{\"title\":{deep},\"content\":\"c\"}}");
    let lone_surrogate = r#"{"title":"\ud800","content":"c"}"#.to_owned();
    let huge_number = r#"{"title":1e999,"content":"c"}"#.to_owned();
    for body in [deep, deep_field, lone_surrogate, huge_number] {
        let answer = bob.request("POST", "/posts").body("application/json", body).send();
        let status = answer.status;
        assert!(status == 400 || status == 422, "{answer}");
        answer.expect_error(status);
    }
}

#[test]
fn all_faults_of_a_body_are_named_at_once_each_once() {
    let server = Server::start();
    let (bob, own) = author(&server);
    let (title, content) = (["body", "title"], ["body", "content"]);
    for (method, path) in [("POST", "/posts"), ("PUT", own.as_str())] {
        let send = |body: Value| bob.request(method, path).json(&body).send();
        send(json!({})).expect_faults(&[&title, &content]);
        send(json!({"title": 1, "content": false})).expect_faults(&[&title, &content]);
        send(json!({"title": null, "content": []})).expect_faults(&[&title, &content]);
        send(json!({"title": "", "content": "c"})).expect_faults(&[&title]);
        send(json!({"title": "t"})).expect_faults(&[&content]);
    }
    server.post("/signup", json!({"email": 1, "password": "short", "full_name": {}})).expect_faults(&[
        &["body", "email"],
        &["body", "password"],
        &["body", "full_name"],
    ]);
    server.post("/signup", json!({})).expect_faults(&[&["body", "email"], &["body", "password"]]);
}

#[test]
fn all_faults_of_a_query_are_named_at_once_each_once() {
    let server = Server::start();
    server.get("/posts?limit=0&author_id=x&cursor=!!").expect_faults(&[
        &["query", "limit"],
        &["query", "author_id"],
        &["query", "cursor"],
    ]);
}

#[test]
fn unknown_fields_are_ignored() {
    let server = Server::start();
    let body = json!({"email": "bob@example.com", "password": PASSWORD, "is_admin": true, "is_active": false, "id": 77, "email_verified": true, "x": [1]});
    let user = server.post("/signup", body).expect_json(201);
    assert_eq!(
        (&user["is_admin"], &user["is_active"], &user["email_verified"]),
        (&json!(false), &json!(true), &json!(false))
    );
    assert_ne!(user["id"], 77);
    let bob = server.log_in("bob@example.com");
    let user =
        bob.patch("/me", json!({"full_name": "Bob", "is_admin": true, "email": "x@example.com"})).expect_json(200);
    assert_eq!((&user["is_admin"], &user["email"]), (&json!(false), &json!("bob@example.com")));
    let post = bob.post("/posts", json!({"title": "t", "content": "c", "author_id": 99, "id": 5})).expect_json(201);
    assert_eq!(post["author_id"], bob.id());
    server.get("/posts?unknown=1").expect_json(200);
}

#[test]
fn a_nul_character_in_any_text_is_422() {
    let server = Server::start();
    let (bob, own) = author(&server);
    let nul = "null\0character";
    server
        .post("/signup", json!({"email": "n\0@example.com", "password": PASSWORD}))
        .expect_faults(&[&["body", "email"]]);
    server.post("/signup", json!({"email": "n@example.com", "password": nul})).expect_faults(&[&["body", "password"]]);
    server
        .post("/signup", json!({"email": "n@example.com", "password": PASSWORD, "full_name": nul}))
        .expect_faults(&[&["body", "full_name"]]);
    bob.patch("/me", json!({"full_name": nul})).expect_faults(&[&["body", "full_name"]]);
    for (method, path) in [("POST", "/posts"), ("PUT", own.as_str()), ("PATCH", own.as_str())] {
        let both = json!({"title": nul, "content": nul});
        bob.request(method, path).json(&both).send().expect_faults(&[&["body", "title"], &["body", "content"]]);
    }
    for name in ["limit", "author_id", "cursor"] {
        server.get(&format!("/posts?{name}=1%00")).expect_faults(&[&["query", name]]);
    }
}

#[test]
fn a_path_id_that_is_no_positive_integer_below_2_to_the_53_is_422() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    for (method, path) in ID_ROUTES {
        for id in WRONG_IDS {
            bob.request(method, &format!("{path}{id}")).json(&json!({})).send().expect_error(422);
        }
    }
    server.get("/posts/abc").expect_faults(&[&["path", "id"]]);
    server.get("/posts/9007199254740991").expect_error(404);
    bob.get("/profile/9007199254740991").expect_error(403);
}

#[test]
fn route_and_method_come_before_the_size() {
    let server = Server::start();
    let body = padded("{}", MAX_BODY_BYTES + 1);
    for (line, status) in [("POST /nothing", 404), ("PUT /posts", 405), ("POST /healthz", 405), ("DELETE /me/x", 404)] {
        upload(&server, line, "content-type: application/json\r\n", &body, Framing::Length).expect_error(status);
    }
}

#[test]
fn the_size_comes_before_the_credentials() {
    let server = Server::start();
    let body = padded("{}", MAX_BODY_BYTES + 1);
    for line in ["POST /posts", "PATCH /me", "PUT /posts/1", "PATCH /posts/abc", "POST /signup"] {
        for headers in ["content-type: text/plain\r\n", "authorization: Bearer bad\r\n", ""] {
            upload(&server, line, headers, &body, Framing::Length).expect_error(413);
        }
    }
}

#[test]
fn credentials_come_before_the_path_id_the_content_type_and_the_body() {
    let server = Server::start();
    for (method, path) in [
        ("PUT", "/posts/abc"),
        ("PATCH", "/posts/0"),
        ("DELETE", "/posts/1.5"),
        ("GET", "/profile/abc"),
        ("PUT", "/posts/1"),
    ] {
        server.request(method, path).body("text/plain", "{").send().expect_no_credentials();
        server.with_token("bad").request(method, path).body("text/plain", "{").send().expect_invalid_token();
    }
    for (method, path) in [("POST", "/posts"), ("PATCH", "/me")] {
        server.request(method, path).body("text/plain", "{").send().expect_no_credentials();
        server.request(method, path).body("application/json", "").send().expect_no_credentials();
    }
}

#[test]
fn the_scope_comes_before_the_path_id_the_content_type_and_the_body() {
    let server = Server::start();
    server.sign_up("bob@example.com");
    let reader = server.log_in_for("bob@example.com", "profile");
    for (method, path) in [("PUT", "/posts/abc"), ("PATCH", "/posts/0"), ("DELETE", "/posts/999"), ("POST", "/posts")] {
        reader.request(method, path).body("text/plain", "{").send().expect_insufficient_scope("posts");
    }
    let writer = server.log_in_for("bob@example.com", "posts");
    writer.get("/profile/abc").expect_insufficient_scope("profile");
    writer.request("PATCH", "/me").body("text/plain", "{").send().expect_insufficient_scope("profile");
}

#[test]
fn the_path_id_comes_before_the_content_type() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    for method in ["PUT", "PATCH"] {
        bob.request(method, "/posts/abc").body("text/plain", "{").send().expect_faults(&[&["path", "id"]]);
        bob.request(method, "/posts/0").body("application/json", "").send().expect_faults(&[&["path", "id"]]);
    }
}

#[test]
fn the_content_type_and_the_body_come_before_existence_and_owner() {
    let server = Server::start();
    let (_bob, own) = author(&server);
    let eve = server.sign_up("eve@example.com");
    for path in [own.as_str(), "/posts/9007199254740991"] {
        for method in ["PUT", "PATCH"] {
            eve.request(method, path).body("text/plain", "{}").send().expect_error(415);
            eve.request(method, path).body("application/json", "{").send().expect_error(400);
            eve.request(method, path).body("application/json", "").send().expect_error(400);
            eve.request(method, path)
                .json(&json!({"title": 1, "content": "c"}))
                .send()
                .expect_faults(&[&["body", "title"]]);
        }
    }
}

#[test]
fn existence_and_owner_come_before_if_match() {
    let server = Server::start();
    let (_bob, own) = author(&server);
    let eve = server.sign_up("eve@example.com");
    for method in ["PUT", "PATCH", "DELETE"] {
        for tag in ["\"stale\"", "*"] {
            let send = |path: &str| {
                eve.request(method, path).header("if-match", tag).json(&json!({"title": "t", "content": "c"})).send()
            };
            send(&own).expect_error(403);
            send("/posts/9007199254740991").expect_error(404);
        }
    }
}

#[test]
fn a_request_id_that_fits_is_echoed() {
    let server = Server::start();
    let longest = "x".repeat(128);
    for id in ["a", "req-1.2_3", "0b1f6d0e-7d0c-4b0a-9d54-5f5d0d6c1c1a", longest.as_str()] {
        for path in ["/healthz", "/nothing", "/me", "/posts/abc", "/docs"] {
            let answer = server.request("GET", path).header("x-request-id", id).send();
            assert_eq!(answer.need("x-request-id"), id, "{answer}");
        }
        let answer = server.request("GET", "/login").header("x-request-id", id).send();
        assert_eq!(answer.need("x-request-id"), id, "{answer}");
    }
}

#[test]
fn a_request_id_that_does_not_fit_is_replaced() {
    let server = Server::start();
    let too_long = "x".repeat(129);
    for id in ["", "a b", "a,b", "a/b", "a\"b", "é", "<script>", "a\tb", "a:b", too_long.as_str()] {
        let answer = server.request("GET", "/healthz").header("x-request-id", id).send();
        let given = answer.need("x-request-id");
        assert!(given != id && is_request_id(given), "{id:?}: {answer}");
    }
}

#[test]
fn each_request_without_an_id_gets_one_of_its_own() {
    let server = Server::start();
    let first = server.get("/healthz").expect(200).need("x-request-id").to_owned();
    let second = server.get("/healthz").expect(200).need("x-request-id").to_owned();
    assert_ne!(first, second);
}

#[test]
fn every_response_whatever_its_status_has_a_request_id_and_forbids_sniffing() {
    let server = Server::start();
    let (bob, own) = author(&server);
    let tag = server.get(&own).need("etag").to_owned();
    server.get("/").expect(307);
    server.get("/posts").expect(200);
    server.request("GET", &own).header("if-none-match", &tag).send().expect(304);
    bob.post("/posts", json!({})).expect(422);
    bob.request("POST", "/posts").body("text/plain", "x").send().expect(415);
    bob.request("PUT", &own)
        .header("if-match", "\"x\"")
        .json(&json!({"title": "t", "content": "c"}))
        .send()
        .expect(412);
    server.get("/me").expect(401);
    server.get("/nothing").expect(404);
    server.delete("/posts").expect(405);
    server.login(&[]).expect(400);
    bob.delete(&own).expect(204);
}

/// How the end of a body is told.
#[derive(Clone, Copy)]
enum Framing {
    Length,
    Chunked,
}

/// The text, followed by blanks, so many bytes in all.
fn padded(text: &str, bytes: usize) -> Vec<u8> {
    let mut body = text.as_bytes().to_vec();
    body.resize(bytes, b' ');
    body
}

/// Sends a request with this body as it stands; `line` is method and path, `headers` are whole lines.
#[track_caller]
fn upload(server: &Server, line: &str, headers: &str, body: &[u8], framing: Framing) -> Answer {
    let mut request = format!("{line} HTTP/1.1\r\nhost: {}\r\n{headers}", server.address).into_bytes();
    match framing {
        Framing::Length => {
            request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
            request.extend_from_slice(body);
        }
        Framing::Chunked => {
            request.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
            for chunk in body.chunks(10_000) {
                request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                request.extend_from_slice(chunk);
                request.extend_from_slice(b"\r\n");
            }
            request.extend_from_slice(b"0\r\n\r\n");
        }
    }
    Wire::exchange(&server.address, &request)
}

/// The headers of a JSON request with this token.
fn json_with(token: &str) -> String {
    format!("content-type: application/json\r\nauthorization: Bearer {token}\r\n")
}

/// The headers that do not differ from one request to the next.
fn comparable(answer: &Answer) -> Vec<(String, String)> {
    let mut headers: Vec<_> =
        answer.headers.iter().filter(|(name, _)| name != "date" && name != "x-request-id").cloned().collect();
    headers.sort();
    headers
}
