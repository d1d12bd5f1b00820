//! The headers in which proxies name the client.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{FORWARDED, HeaderValue, X_FORWARDED_FOR};
use actix_web::test::TestRequest;
use actix_web::web::Data;

use super::with_lines;
use crate::http::origin::{TrustedProxies, client_address};

/// A trusted proxy, as is all of 10.0.0.0/8.
const PROXY: &str = "10.0.0.1:4711";
const STRANGER: &str = "192.0.2.1:4711";
const CLIENT: &str = "203.0.113.7";

/// `X-Forwarded-For`, or `Forwarded` where the first byte is odd, in one line or several.
pub fn forwarded(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let is_plain = kind % 2 == 0;
    let name = if is_plain { X_FORWARDED_FOR } else { FORWARDED };
    let lines: Vec<&[u8]> = rest.split(|byte| *byte == b'\n').take(4).collect();
    if lines.iter().any(|line| HeaderValue::from_bytes(line).is_err()) {
        return;
    }
    let client = |peer: &str, lines: &[&[u8]]| {
        let peer: SocketAddr = peer.parse().expect("an address");
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().expect("a network")]);
        let request = TestRequest::default().peer_addr(peer).app_data(Data::new(proxies));
        client_address(&with_lines(request, &name, lines).expect("header values").to_http_request()).to_string()
    };
    let [proxy, stranger] = [PROXY, STRANGER].map(|peer| peer.trim_end_matches(":4711"));
    assert_eq!(client(STRANGER, &lines), stranger, "who is no proxy is the client");
    let found = client(PROXY, &lines);
    assert!(found == proxy || names(rest, &found), "{found} is not in the header");

    let honest =
        if is_plain { format!("{CLIENT}, 10.0.0.9") } else { format!("for={CLIENT};proto=https, for=10.0.0.9") };
    let below = [lines.as_slice(), &[honest.as_bytes()]].concat();
    assert_eq!(client(PROXY, &below), CLIENT, "nothing before it matters");
    let Some((last, before)) = lines.split_last() else { return };
    let appended = [last, b", ".as_slice(), honest.as_bytes()].concat();
    let found = client(PROXY, &[before, &[appended.as_slice()]].concat());
    // An unreadable line ends the chain of proxies; it never makes another client.
    assert!(found == CLIENT || found == proxy, "{found} is neither the client nor the proxy");
    assert!(!is_plain || found == CLIENT || last.iter().any(|byte| !matches!(byte, b'\t' | 0x20..=0x7e)));
}

/// Whether a text contains that address in any spelling.
fn names(text: &[u8], address: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    let words = text.split(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'));
    let parses = |word: &str| word.parse::<IpAddr>().is_ok_and(|found| found.to_canonical().to_string() == address);
    words.into_iter().any(|word| parses(word) || word.rsplit_once(':').is_some_and(|(before, _)| parses(before)))
}
