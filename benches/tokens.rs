//! What it costs to check an access token: at first sight, and when it was seen before.
//!
//! `cargo bench --bench tokens`. A service on a temporary SQLite file issues the tokens over its own routes. At first
//! sight means: one of more tokens than are remembered, in turn, so that none is known any more when its turn comes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a bench that meets something unexpected should stop there and say where"
)]
#![allow(missing_docs, reason = "what criterion generates has none")]

use std::hint::black_box;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::{TestRequest, call_and_read_body_json, call_service, init_service};
use actix_web::{App, rt::System};
use criterion::{Criterion, criterion_group, criterion_main};
use keyfob::{Keyfob, Settings};
use serde_json::{Value, json};

/// More than the service remembers.
const TOKENS: usize = 21_000;
const SECRET: &str = "a-32-byte-key-for-benches-0123456789";

fn check_tokens(criterion: &mut Criterion) {
    for algorithm in ["HS256", "EdDSA", "ES256", "RS256"] {
        let (keyfob, tokens) = System::new().block_on(issue(algorithm));
        let mut turn = tokens.iter().cycle();
        criterion.bench_function(&format!("{algorithm}/first sight"), |bencher| {
            bencher.iter(|| keyfob.authenticate(black_box(turn.next().expect("endless"))).expect("good"));
        });
        criterion.bench_function(&format!("{algorithm}/seen before"), |bencher| {
            bencher.iter(|| keyfob.authenticate(black_box(&tokens[0])).expect("good"));
        });
    }
}

/// A service under that algorithm, and tokens of one account: each the answer to a refresh.
async fn issue(algorithm: &str) -> (Keyfob, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut env = vec![
        ("KEYFOB__DATABASE__URL".to_owned(), format!("sqlite://{}/keyfob.db", dir.path().display())),
        ("KEYFOB__PASSWORD__BCRYPT_COST".to_owned(), "4".to_owned()),
        ("KEYFOB__TOKEN__ALGORITHM".to_owned(), algorithm.to_owned()),
    ];
    if algorithm == "HS256" {
        env.push(("KEYFOB__TOKEN__SECRET".to_owned(), SECRET.to_owned()));
    }
    let keyfob = Keyfob::open(Settings::load_from(dir.path(), env).expect("settings")).await.expect("opened");
    let app = init_service(App::new().configure(|cfg| keyfob.configure(cfg))).await;
    let account = json!({ "email": "ada@example.com", "password": "lantern-quartz" });
    let sign_up = TestRequest::post().uri("/signup").set_json(account).to_request();
    assert_eq!(call_service(&app, sign_up).await.status(), 201);

    let mut form = "grant_type=password&username=ada%40example.com&password=lantern-quartz".to_owned();
    let mut tokens = Vec::with_capacity(TOKENS);
    while tokens.len() < TOKENS {
        let request = TestRequest::post()
            .uri("/login")
            .insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded"))
            .set_payload(form)
            .to_request();
        let answer: Value = call_and_read_body_json(&app, request).await;
        tokens.push(answer["access_token"].as_str().expect("an access token").to_owned());
        form = format!("grant_type=refresh_token&refresh_token={}", answer["refresh_token"].as_str().expect("one"));
    }
    (keyfob, tokens)
}

criterion_group!(benches, check_tokens);
criterion_main!(benches);
