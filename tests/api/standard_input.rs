//! Contract, "Command line": what is piped into a command.

use std::sync::Arc;

use crate::support::{Home, PASSWORD, Server};

/// What Windows PowerShell 5.1 puts in front of what it pipes.
const BYTE_ORDER_MARK: &str = "\u{feff}";

#[test]
fn a_byte_order_mark_before_a_password_is_ignored() {
    let home = Arc::new(Home::new());
    let create = ["user", "create", "--email", "mia@example.com"];
    home.run(&create, &format!("{BYTE_ORDER_MARK}{PASSWORD}\r\n")).expect_success();
    let server = Server::at(home);
    server.log_in("mia@example.com");
    let login = ["login", "--url", &format!("http://{}", server.address), "--email", "mia@example.com", "--token-only"];
    let token = server.home.run(&login, &format!("{BYTE_ORDER_MARK}{PASSWORD}\r\n")).expect_success();
    server.with_token(token.trim()).get("/me").expect(200);
    let inspected = server.home.run(&["token", "inspect"], &format!("{BYTE_ORDER_MARK}{token}")).expect_success();
    assert!(inspected.contains("sub"), "{inspected}");
}

#[test]
fn a_token_is_inspected_as_it_stands_in_a_header() {
    let server = Server::start();
    let token = server.sign_up("mia@example.com").token;
    let inspect =
        |arguments: &[&str], input: &str| server.home.run(&[&["token", "inspect"], arguments].concat(), input);
    let plain = inspect(&[&token], "");
    assert_eq!(plain.code, Some(0), "{plain:?}");
    for scheme in ["Bearer", "bearer", "BEARER "] {
        let header = format!("{scheme} {token}");
        assert_eq!(inspect(&[&header], "").stdout.lines().count(), plain.stdout.lines().count(), "{scheme}");
        inspect(&[&header], "").expect_success();
        inspect(&[], &format!("{header}\n")).expect_success();
        inspect(&["-"], &format!("{header}\n")).expect_success();
        inspect(&[scheme.trim(), &token], "").expect_success();
    }
    let line = inspect(&["Basic", &token], "").expect_failure();
    assert!(!line.contains(&token), "{line}");
}
