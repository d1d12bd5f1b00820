//! Contract, "Docs and operations": `GET /metrics`, on an address of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Home, PASSWORD, Server, until};

const DEADLINE: Duration = Duration::from_secs(10);

/// A server that is measured, and a client of its metrics.
fn measured() -> (Server, Client) {
    let server = Server::with(&[("server.metrics_bind", "127.0.0.1:0")]);
    let address = address(&server);
    (server, Client::new(&address))
}

/// Where the log says that the metrics are.
pub fn address(server: &Server) -> String {
    let mut found = None;
    until("the log says where the metrics are", DEADLINE, || {
        found = server.log().iter().find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let url = line["url"].as_str()?.strip_prefix("http://")?.strip_suffix("/metrics")?;
            Some(url.to_owned())
        });
        found.is_some()
    });
    found.expect("an address")
}

/// Every sample, by its name and labels.
pub fn samples(metrics: &Client) -> BTreeMap<String, f64> {
    let answer = metrics.get("/metrics").expect(200);
    assert_eq!(answer.need("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let lines = answer.text().lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name.to_owned(), value.parse().expect("a number"))
    };
    lines.map(sample).collect()
}

#[track_caller]
pub fn sample(samples: &BTreeMap<String, f64>, name: &str) -> f64 {
    *samples.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", samples.keys()))
}

fn requests(method: &str, route: &str, status: u16) -> String {
    format!("keyfob_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
}

fn logins(grant: &str, outcome: &str) -> String {
    format!("keyfob_logins_total{{grant=\"{grant}\",outcome=\"{outcome}\"}}")
}

#[test]
fn requests_are_counted_by_method_route_and_status() {
    let (server, metrics) = measured();
    let bob = server.sign_up("bob@example.com");
    let post = bob.write_post("title");
    for _ in 0..3 {
        server.get(&post).expect(200);
    }
    server.head(&post).expect(200);
    server.get("/posts/999").expect(404);
    server.get("/me").expect(401);
    let samples = samples(&metrics);
    assert_eq!(sample(&samples, &requests("POST", "/signup", 201)), 1.0);
    assert_eq!(sample(&samples, &requests("GET", "/posts/{id}", 200)), 4.0, "HEAD is answered as GET");
    assert_eq!(sample(&samples, &requests("GET", "/posts/{id}", 404)), 1.0);
    assert_eq!(sample(&samples, &requests("GET", "/me", 401)), 1.0);
}

#[test]
fn a_path_without_a_route_is_counted_but_never_named() {
    let (server, metrics) = measured();
    server.get("/a-path-that-nobody-knows").expect(404);
    server.delete("/login").expect(405);
    server.request("BREW", "/me").send().expect(405);
    let page = metrics.get("/metrics").expect(200);
    assert!(!page.text().contains("nobody-knows") && !page.text().contains("BREW"), "{page}");
    let samples = samples(&metrics);
    assert_eq!(sample(&samples, &requests("other", "none", 404)), 1.0);
    assert_eq!(sample(&samples, &requests("other", "none", 405)), 2.0);
}

#[test]
fn latencies_are_a_histogram_by_route() {
    let (server, metrics) = measured();
    for _ in 0..5 {
        server.get("/posts").expect(200);
    }
    let samples = samples(&metrics);
    let name = "keyfob_http_request_duration_seconds";
    let labels = "method=\"GET\",route=\"/posts\"";
    assert_eq!(sample(&samples, &format!("{name}_count{{{labels}}}")), 5.0);
    assert_eq!(sample(&samples, &format!("{name}_bucket{{{labels},le=\"+Inf\"}}")), 5.0);
    let sum = sample(&samples, &format!("{name}_sum{{{labels}}}"));
    assert!(sum > 0.0 && sum < 60.0, "{sum}");
}

#[test]
fn logins_are_counted_by_grant_and_outcome() {
    let (server, metrics) = measured();
    let before = samples(&metrics);
    assert_eq!(sample(&before, &logins("password", "success")), 0.0, "there before the first one");
    let bob = server.sign_up("bob@example.com");
    let refresh_token = bob.grant["refresh_token"].as_str().expect("a refresh token");
    let user = ("username", "bob@example.com");
    for (fields, status) in [
        (&[user, ("password", "wrong-Kettle 88")][..], 400),
        (&[("username", "nobody@example.com"), ("password", PASSWORD)], 400),
        (&[user], 400),
        (&[user, ("password", PASSWORD), ("client_id", "unknown")], 401),
        (&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)], 200),
        (&[("grant_type", "refresh_token"), ("refresh_token", "nonsense")], 400),
        (&[("grant_type", "magic"), ("username", "x")], 400),
    ] {
        server.login(fields).expect(status);
    }
    let samples = samples(&metrics);
    for (grant, outcome, count) in [
        ("password", "success", 1.0),
        ("password", "wrong_credentials", 2.0),
        ("password", "invalid_request", 1.0),
        ("password", "invalid_client", 1.0),
        ("refresh_token", "success", 1.0),
        ("refresh_token", "invalid_refresh_token", 1.0),
        ("other", "unsupported_grant_type", 1.0),
    ] {
        assert_eq!(sample(&samples, &logins(grant, outcome)), count, "{grant} {outcome}");
    }
    let all = samples.iter().filter(|(name, _)| name.starts_with("keyfob_logins_total")).map(|(_, count)| count);
    assert_eq!(all.sum::<f64>(), 8.0, "nothing is counted twice");
}

#[test]
fn too_many_attempts_are_an_outcome_of_their_own() {
    let settings =
        [("server.metrics_bind", "127.0.0.1:0"), ("rate_limit.enabled", "true"), ("rate_limit.account_failures", "1")];
    let server = Server::with(&settings);
    let metrics = Client::new(&address(&server));
    for (password, status) in [("first-Kettle 88", 400), ("second-Kettle 88", 429)] {
        server.login(&[("username", "bob@example.com"), ("password", password)]).expect(status);
    }
    assert_eq!(sample(&samples(&metrics), &logins("password", "slow_down")), 1.0);
}

#[test]
fn the_queues_the_pool_and_the_feed_are_shown() {
    let (server, metrics) = measured();
    server.sign_up("bob@example.com");
    let is_sqlite = server.home.database.url().starts_with("sqlite");
    let samples = samples(&metrics);
    assert_eq!(sample(&samples, "keyfob_hash_queue_depth"), 0.0);
    assert_eq!(sample(&samples, "keyfob_hash_queue_wait_seconds_count"), 2.0, "a sign-up and a log-in");
    assert_eq!(samples.contains_key("keyfob_write_queue_depth"), is_sqlite);
    if is_sqlite {
        assert!(sample(&samples, "keyfob_write_queue_wait_seconds_count") >= 2.0);
    }
    assert_eq!(sample(&samples, "keyfob_database_connections_max"), 8.0);
    let state = |state| sample(&samples, &format!("keyfob_database_connections{{state=\"{state}\"}}"));
    assert!((1.0..=8.0).contains(&(state("used") + state("idle"))));
    assert!(sample(&samples, "keyfob_revocation_feed_age_seconds") < 5.0);
    if cfg!(target_os = "linux") {
        assert!(sample(&samples, "process_resident_memory_bytes") > 1e6);
    }
}

#[test]
fn passwords_that_wait_are_seen_in_the_queue() {
    let server = Server::with(&[
        ("server.metrics_bind", "127.0.0.1:0"),
        ("password.bcrypt_cost", "13"),
        ("password.hash_threads", "1"),
    ]);
    let metrics = Client::new(&address(&server));
    std::thread::scope(|scope| {
        // Four at a time are computed side by side.
        for number in 0..12 {
            let client = server.anonymous();
            scope.spawn(move || {
                let user = format!("nobody-{number}@example.com");
                client.login(&[("username", &user), ("password", PASSWORD)]).expect(400)
            });
        }
        until("passwords wait", DEADLINE, || sample(&samples(&metrics), "keyfob_hash_queue_depth") >= 1.0);
    });
    let samples = samples(&metrics);
    assert_eq!(sample(&samples, "keyfob_hash_queue_depth"), 0.0);
    assert_eq!(sample(&samples, "keyfob_hash_queue_wait_seconds_count"), 12.0);
    assert!(sample(&samples, "keyfob_hash_queue_wait_seconds_sum") > 0.05, "{samples:#?}");
}

/// How many passwords were compared or hashed so far.
fn hashed(metrics: &Client) -> f64 {
    sample(&samples(metrics), "keyfob_hash_queue_wait_seconds_count")
}

#[test]
fn a_wrong_password_an_unknown_and_a_disabled_account_are_each_one_piece_of_password_work() {
    let (server, metrics) = measured();
    server.sign_up("bob@example.com");
    let eve = server.sign_up("eve@example.com");
    server.home.database.execute(&format!("UPDATE users SET is_active = FALSE WHERE id = {}", eve.id()));
    for (username, password) in [
        ("bob@example.com", "a wrong password"),
        ("nobody@example.com", "a wrong password"),
        ("no e-mail address", "a wrong password"),
        ("eve@example.com", "a wrong password"),
        ("eve@example.com", PASSWORD),
    ] {
        let before = hashed(&metrics);
        server.login(&[("username", username), ("password", password)]).expect_oauth_error(400, "invalid_grant");
        assert_eq!(hashed(&metrics) - before, 1.0, "{username}, {password}");
    }
}

#[test]
fn metrics_are_at_their_own_address_only_and_nothing_else_is_there() {
    let (server, metrics) = measured();
    server.get("/metrics").expect_error(404);
    for path in ["/", "/me", "/posts", "/healthz", "/docs"] {
        metrics.get(path).expect_error(404);
    }
    assert_eq!(metrics.post("/metrics", json!({})).expect(405).need("allow"), "GET, HEAD");
    assert!(metrics.head("/metrics").expect(200).body.is_empty());
}

#[test]
fn without_the_setting_the_log_does_not_mention_metrics() {
    let server = Server::start();
    server.get("/healthz").expect(200);
    assert!(server.whole_log().iter().all(|line| !line.contains("metrics")), "{:?}", server.whole_log());
}

#[test]
fn the_address_of_the_service_is_refused_for_the_metrics() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    for (bind, metrics) in [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0")] {
        let (bind, metrics) = (format!("{bind}:{port}"), format!("{metrics}:{port}"));
        let home = Home::with(&[("server.bind", &bind), ("server.metrics_bind", &metrics)]);
        let line = home.run(&[], "").expect_failure();
        assert!(line.contains("server.metrics_bind") && line.contains("server.bind"), "{line}");
    }
}

#[test]
fn an_address_in_use_stops_the_start_with_one_line_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let line = Home::with(&[("server.metrics_bind", &address)]).run(&[], "").expect_failure();
    assert!(line.contains("server.metrics_bind") && line.contains(&address), "{line}");
}

#[test]
fn an_address_that_others_reach_is_warned_of() {
    let server = Server::with(&[("server.metrics_bind", "0.0.0.0:0")]);
    let is_warning = |line: &String| line.contains("\"WARN\"") && line.contains("server.metrics_bind");
    until("a warning", DEADLINE, || server.log().iter().any(is_warning));
}

#[test]
fn the_service_ends_as_soon_as_without_metrics() {
    let (mut server, metrics) = measured();
    metrics.get("/metrics").expect(200);
    server.signal("TERM");
    assert_eq!(server.wait(Duration::from_secs(40)).code(), Some(0));
    assert!(metrics.request("GET", "/metrics").attempt().is_err());
}

/// The names of metrics in an expression of a dashboard.
fn metrics_in(expression: &str) -> Vec<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("keyfob_") || word.starts_with("process_")).map(str::to_owned).collect()
}

#[test]
fn the_dashboard_shows_only_metrics_that_there_are_and_all_of_keyfobs_own() {
    let (server, metrics) = measured();
    server.sign_up("bob@example.com").get("/me").expect(200);
    let is_sqlite = server.home.database.url().starts_with("sqlite");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).expect("a dashboard")).expect("JSON");
    let targets = dashboard["panels"].as_array().expect("panels").iter();
    let targets = targets.flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let shown: BTreeSet<String> =
        targets.flat_map(|target| metrics_in(target["expr"].as_str().expect("an expression"))).collect();
    let there: BTreeSet<String> =
        samples(&metrics).keys().map(|name| name.split('{').next().unwrap_or_default().to_owned()).collect();
    for name in shown.iter().filter(|name| is_sqlite || !name.contains("write_queue")) {
        assert!(there.contains(name), "{name} is shown, but there is none");
    }
    let base = |name: &String| {
        let ends = ["_bucket", "_sum", "_count"];
        ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    };
    let shown: BTreeSet<String> = shown.iter().map(base).collect();
    for name in there.iter().map(base).filter(|name| name.starts_with("keyfob_")) {
        assert!(shown.contains(&name), "{name} is there, but not shown");
    }
}
