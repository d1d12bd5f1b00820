//! Requests that arrive in pieces: complete ones, and ones that nobody should send.

use proptest::prelude::*;

use super::*;

/// The bytes passed on when `sent` arrives in pieces of `size`, one text for each request.
fn requests(sent: &str, size: usize) -> Vec<String> {
    let (mut framing, mut requests, mut kept) = (Framing::new(), Vec::new(), Vec::new());
    for piece in sent.as_bytes().chunks(size) {
        kept.extend_from_slice(piece);
        while !kept.is_empty() && !framing.is_over() {
            if framing.is_between() {
                requests.push(Vec::new());
            }
            let count = framing.pass(&mut kept);
            requests.last_mut().expect("it began").extend(kept.drain(..count));
            if count == 0 {
                break;
            }
        }
    }
    requests.into_iter().map(|bytes| String::from_utf8(bytes).expect("text")).collect()
}

const GET: &str = "GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n";
const POST: &str = "POST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 26\r\n\r\nGET /c HTTP/1.1\r\nUpgrade: ";
const CHUNKS: &str = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n\
                      3;a=b\r\n\r\n\r\r\n00a \r\nConnection\r\n0\r\nUpgrade: h2c\r\n\r\n";
const BARE: &str = "HEAD / HTTP/1.1\nHost: x\nContent-Length:0\n\n";
const OLD: &str = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
const LAST: &str = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[test]
fn requests_are_told_apart_however_they_come() {
    let all = [GET, POST, CHUNKS, BARE, OLD, POST, LAST];
    for size in [1, 2, 3, 7, 64, 10_000] {
        assert_eq!(requests(&(all.concat() + GET), size), all, "in pieces of {size}");
    }
}

#[test]
fn the_wish_for_an_upgrade_is_overwritten_and_nothing_else() {
    let sent = "POST / HTTP/1.1\r\nHost: x\r\nX-Upgrade: upgrade\r\nconnection:  Upgrade , HTTP2-Settings,upgrade\r\n\
                UPGRADE: h2c, websocket\r\nHTTP2-Settings: AAM\r\nContent-Length: 9\r\n\r\nUpgrade: ";
    let passed = "POST / HTTP/1.1\r\nHost: x\r\nX-Upgrade: upgrade\r\nconnection:          , HTTP2-Settings,       \r\n\
                  UPGRADE:               \r\nHTTP2-Settings: AAM\r\nContent-Length: 9\r\n\r\nUpgrade: ";
    for size in [1, 5, 64, 10_000] {
        assert_eq!(requests(&format!("{sent}{GET}"), size), [passed, GET]);
    }
}

#[test]
fn nothing_is_passed_on_after_the_last_request() {
    let lasts = [
        LAST.to_owned(),
        "GET / HTTP/1.0\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nConnection: keep-alive, Close\r\nContent-Length: 1\r\n\r\nx".to_owned(),
        CHUNKS.replace("Host: x", "Connection: close"),
        // actix-http refuses what two servers could read in two ways.
        POST.replace("host: x", "Content-Length: 26").split_inclusive("\r\n\r\n").next().expect("a head").to_owned(),
        "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n".to_owned(),
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
    ];
    for last in lasts {
        assert_eq!(requests(&format!("{GET}{last}{GET}"), 4), [GET, last.as_str()]);
    }
}

#[test]
fn a_long_head_is_passed_on_before_it_has_ended() {
    let long = format!("GET /{0} HTTP/1.0\r\nAuthorization: {0}\r\n", "x".repeat(100_000));
    let mut framing = Framing::new();
    let mut bytes = long.clone().into_bytes();
    bytes.truncate(50_000);
    assert!(framing.pass(&mut bytes) > 49_000, "the request line");
    assert_eq!(requests(&format!("{long}\r\n{GET}"), 1000), [format!("{long}\r\n")], "HTTP/1.0 ends here");
    let endless = format!("GET / HTTP/1.1\r\nConnection: {}", "a".repeat(5000));
    let passed = requests(&endless, 100).concat();
    assert!(passed.len() < 1200 && passed.ends_with('\0'), "what is too long to be read is made unreadable");
}

#[test]
fn a_tunnel_takes_all_that_follows() {
    let tunnel = format!("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n{GET}");
    assert_eq!(requests(&tunnel, 3), [tunnel.as_str()]);
}

proptest! {
    #![proptest_config(crate::testing::properties::config())]

    #[test]
    fn whatever_comes_is_passed_on_in_the_same_order_and_length(
        parts in prop::collection::vec(prop::sample::select(&[GET, POST, CHUNKS, BARE, OLD, "\r\n", "Upgrade: a\r\n", ":"][..]), 0..6),
        noise in "[ -~\r\n]{0,40}", size in 1..50_usize,
    ) {
        let sent = parts.concat() + &noise;
        let passed = requests(&sent, size).concat();
        prop_assert!(passed.len() <= sent.len());
        let is_blanked = |(is, was): (u8, u8)| is == was || is == b' ' || is == 0;
        prop_assert!(passed.bytes().zip(sent.bytes()).all(is_blanked));
    }
}
