//! What the reads cost inside the process: routing, the guard, SQLite, JSON; without the network and the line of the log.
//!
//! `cargo bench --bench requests`. A service on a temporary SQLite file with one account and a hundred posts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that meets something unexpected should stop there and say where"
)]
#![allow(clippy::too_many_lines, reason = "a group of measurements is one function")]
#![allow(missing_docs, reason = "what criterion generates has none")]

use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::test::{TestRequest, call_and_read_body_json, call_service, init_service, read_body};
use actix_web::{App, rt::System};
use criterion::{Criterion, criterion_group, criterion_main};
use keyfob::{Keyfob, Settings};
use serde_json::{Value, json};

const POSTS: usize = 100;

fn answer_reads(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a directory");
    let env = [
        ("KEYFOB__DATABASE__URL".to_owned(), format!("sqlite://{}/keyfob.db", dir.path().display())),
        ("KEYFOB__PASSWORD__BCRYPT_COST".to_owned(), "4".to_owned()),
    ];
    let system = System::new();
    let settings = Settings::load_from(dir.path(), env).expect("settings");
    let keyfob = system.block_on(Keyfob::open(settings)).expect("opened");
    let app = system.block_on(init_service(App::new().configure(|cfg| keyfob.configure(cfg))));

    let account = json!({ "email": "ada@example.com", "password": "lantern-quartz" });
    let sign_up = TestRequest::post().uri("/signup").set_json(account).to_request();
    let user: Value = system.block_on(call_and_read_body_json(&app, sign_up));
    let form = (CONTENT_TYPE, "application/x-www-form-urlencoded");
    let log_in = TestRequest::post().uri("/login").insert_header(form);
    let log_in = log_in.set_payload("username=ada%40example.com&password=lantern-quartz").to_request();
    let grant: Value = system.block_on(call_and_read_body_json(&app, log_in));
    let bearer = format!("Bearer {}", grant["access_token"].as_str().expect("an access token"));
    for number in 0..POSTS {
        let post = json!({ "title": format!("Post {number}"), "content": "x".repeat(300) });
        let request = TestRequest::post().uri("/posts").insert_header((AUTHORIZATION, bearer.as_str())).set_json(post);
        assert_eq!(system.block_on(call_service(&app, request.to_request())).status(), 201);
    }

    let profile = format!("/profile/{}", user["id"]);
    for (name, path, token) in [
        ("profile read", profile.as_str(), Some(&bearer)),
        ("post read", "/posts/50", None),
        ("list of 20 posts", "/posts?limit=20", None),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut request = TestRequest::get().uri(path);
                if let Some(bearer) = token {
                    request = request.insert_header((AUTHORIZATION, bearer.as_str()));
                }
                system.block_on(async {
                    let response = call_service(&app, request.to_request()).await;
                    assert_eq!(response.status(), 200);
                    read_body(response).await
                })
            });
        });
    }
}

criterion_group!(benches, answer_reads);
criterion_main!(benches);
