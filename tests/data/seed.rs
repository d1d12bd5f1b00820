//! `keyfob seed`, which fills a database to measure with.

use std::sync::Arc;

use crate::support::{Home, PASSWORD, Run, Server};

fn seed(home: &Home, users: u32, posts: u32) -> Run {
    let arguments = ["seed", "--users", &users.to_string(), "--posts", &posts.to_string()];
    home.run(&arguments, &format!("{PASSWORD}\n"))
}

#[track_caller]
fn number(home: &Home, expression: &str) -> u32 {
    home.database.text(&format!("SELECT CAST({expression} AS TEXT) AS value")).parse().expect("a number")
}

#[test]
fn a_seeded_database_has_that_many_accounts_and_posts_and_gives_out_the_next_ids() {
    let home = Arc::new(Home::new());
    let output = seed(&home, 30, 2500).expect_success();
    assert_eq!(output, "created 30 accounts, user000001@example.com and so on, and 2500 posts\n");
    assert_eq!(number(&home, "(SELECT COUNT(*) FROM users)"), 30);
    assert_eq!(number(&home, "(SELECT COUNT(DISTINCT password_hash) FROM users)"), 1);
    assert_eq!(number(&home, "(SELECT COUNT(*) FROM posts)"), 2500);
    let server = Server::at(home);
    let user = server.log_in("user000007@example.com");
    assert_eq!(user.id(), 7);
    let me = user.get("/me").expect_json(200);
    assert_eq!((&me["full_name"], &me["is_admin"]), (&"User 7".into(), &false.into()));
    assert_eq!(server.sign_up("user000031@example.com").id(), 31);
    assert_eq!(user.write_post("one more"), "/posts/2501");
}

#[test]
fn some_seeded_accounts_write_much_and_some_little() {
    let home = Home::new();
    seed(&home, 1000, 5000).expect_success();
    let most = number(&home, "(SELECT COUNT(*) FROM posts WHERE author_id = 1)");
    let least = number(&home, "(SELECT COUNT(*) FROM posts WHERE author_id > 900)");
    assert!(most > 500 && (1..500).contains(&least), "{most} by one, {least} by a hundred");
    assert_eq!(number(&home, "(SELECT COUNT(*) FROM posts WHERE author_id > 1000)"), 0);
}

#[test]
fn the_same_numbers_give_the_same_rows() {
    let homes = [Home::new(), Home::new()];
    let [one, other] = homes.map(|home| {
        seed(&home, 20, 100).expect_success();
        Server::at(Arc::new(home)).get("/posts?limit=100").expect_json(200)
    });
    assert_eq!(one["items"].as_array().expect("posts").len(), 100);
    assert_eq!(one, other);
}

#[test]
fn a_database_that_anybody_has_used_is_refused_and_left_alone() {
    let home = Home::new();
    let create = ["user", "create", "--email", "ada@example.com"];
    home.run(&create, &format!("{PASSWORD}\n")).expect_success();
    let line = seed(&home, 10, 10).expect_failure();
    assert!(line.contains("accounts"), "{line}");
    assert_eq!(number(&home, "(SELECT COUNT(*) FROM users)"), 1);
    home.database.execute("DELETE FROM users");
    // Its id was given out once.
    seed(&home, 10, 10).expect_failure();
    assert_eq!(number(&home, "(SELECT COUNT(*) FROM users)"), 0);
}

#[test]
fn production_is_not_seeded() {
    let mut home = Home::with(&[
        ("token.issuer", "https://id.example.com"),
        ("token.key_encryption_secret", "9Rr2mQ7xLw4Tz8Vb1Nc6Kd3Hf5Jg0PsY"),
        ("password.bcrypt_cost", "10"),
        ("rate_limit.enabled", "true"),
    ]);
    home.set_variable("KEYFOB_ENV", "production");
    home.run(&["migrate"], "").expect_success();
    let line = seed(&home, 10, 10).expect_failure();
    assert!(line.contains("seed") && line.contains("production"), "{line}");
    assert_eq!(number(&home, "(SELECT COUNT(*) FROM users)"), 0);
}

#[test]
fn the_password_of_seeded_accounts_must_be_a_good_one() {
    let home = Home::new();
    home.run(&["seed", "--users", "10", "--posts", "10"], "password\n").expect_failure();
    home.run(&["seed", "--users", "10", "--posts", "10"], "").expect_failure();
}

#[test]
fn the_help_does_not_offer_seed_to_operators() {
    let help = Home::new().run(&["--help"], "").expect_success();
    assert!(help.contains("copy") && !help.contains("seed"), "{help}");
}
