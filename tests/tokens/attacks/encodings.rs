//! Rows of the table: other encodings, sizes, and texts that are another kind of token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

use super::{Row, Target, encode, row, with};
use crate::steps::{refresh_token, renew};
use crate::support::Server;

/// Base64 in the order of its values; the last two differ between the alphabets.
const BASE64URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) fn encodings(target: &Target) -> Vec<Row> {
    let (header, claims) = (target.header.to_string(), target.claims.to_string());
    let parts: Vec<&str> = target.bob.token.split('.').collect();
    let (first, second, third) = (parts[0], parts[1], parts[2]);
    let mut rows = vec![
        row("padded header", target.sign_parts(&padded(&header), second)),
        row("padded claims", target.sign_parts(first, &padded(&claims))),
        row("padded signature", format!("{}=", target.bob.token)),
        row("twice padded signature", format!("{}==", target.bob.token)),
        row("trailing bits in the header", target.sign_parts(&loose(&header), second)),
        row("trailing bits in the claims", target.sign_parts(first, &loose(&claims))),
        row("trailing bits in the signature", format!("{first}.{second}.{}", next_last(third))),
        row("standard alphabet in the claims", target.sign_parts(first, &standard(&target.claims))),
        row("standard alphabet in the header", target.sign_parts(&standard(&target.header), second)),
        row("percent-encoded dots", target.bob.token.replace('.', "%2E")),
        row("percent-encoded", target.bob.token.replace('e', "%65")),
        row("quoted", format!("\"{}\"", target.bob.token)),
        row("lower case", target.bob.token.to_lowercase()),
        row("a dot in front", format!(".{}", target.bob.token)),
        row("a dot behind", format!("{}.", target.bob.token)),
        row("a fourth part", format!("{}.AAAA", target.bob.token)),
        row("an empty part inside", format!("{first}..{second}.{third}")),
        row("two parts", format!("{first}.{second}")),
        row("parts in another order", format!("{second}.{first}.{third}")),
        row("no header", format!(".{second}.{third}")),
        row("no claims", format!("{first}..{third}")),
        row("only dots", "....".to_owned()),
        row("two tokens", format!("{0}.{0}", target.bob.token)),
        row("JSON serialization", json!({"payload": second, "protected": first, "signature": third}).to_string()),
        row(
            "JWE-like five parts",
            format!("{}.{second}.{third}.AAAA.AAAA", encode(r#"{"alg":"dir","enc":"A256GCM"}"#)),
        ),
        row("five parts of our own", format!("{first}.AAAA.AAAA.{second}.{third}")),
        row("text before", format!("x{}", target.bob.token)),
        row("text behind", format!("{}x", target.bob.token)),
        row(
            "claims that are no UTF-8",
            target.sign_texts(&header, [claims.replace("keyfob", "k").as_bytes(), b"\xff"].concat()),
        ),
    ];
    for (name, text) in [
        ("claims that are an array", format!("[{claims}]")),
        ("claims that are a text", json!(claims).to_string()),
        ("claims of null", "null".to_owned()),
        ("empty claims", String::new()),
        ("something after the claims", format!("{claims}{{}}")),
        ("claims with a byte order mark", format!("\u{feff}{claims}")),
        ("half the claims", claims[..claims.len() - 1].to_owned()),
    ] {
        rows.push(row(name, target.sign_texts(&header, text)));
    }
    let token = &target.bob.token;
    rows.extend((1..token.len()).step_by(9).map(|end| row(format!("cut after {end}"), token[..end].to_owned())));
    rows.extend((1..40).map(|cut| row(format!("{cut} cut off"), token[..token.len() - cut].to_owned())));
    rows
}

/// Blanks at the end of a JSON text, so that its base64 is not a whole number of groups.
pub(super) fn uneven(text: &str) -> String {
    let mut text = text.to_owned();
    while text.len() % 3 != 1 {
        text.push(' ');
    }
    text
}

fn padded(text: &str) -> String {
    base64::engine::general_purpose::URL_SAFE.encode(uneven(text))
}

/// Base64 whose unused last bits are not zero.
fn loose(text: &str) -> String {
    next_last(&encode(uneven(text)))
}

/// The same with the next character of the alphabet at its end, which decodes to the same where bits are unused.
fn next_last(text: &str) -> String {
    let (rest, last) = text.split_at(text.len() - 1);
    let at = BASE64URL.find(last).expect("a character of base64url");
    format!("{rest}{}", &BASE64URL[at + 1..=at + 1])
}

/// An object in the alphabet of base64 that JWTs do not use.
fn standard(object: &Value) -> String {
    let text = with(object, "x", json!("???>>>~~~ÿÿÿ")).to_string();
    let encoded = STANDARD_NO_PAD.encode(text);
    assert!(encoded.contains('/') || encoded.contains('+'), "the row needs such a character: {encoded}");
    encoded
}

pub(super) fn sizes(target: &Target) -> Vec<Row> {
    let mut rows = Vec::new();
    for kilobytes in [16, 24, 32, 48, 60, 63] {
        let length = kilobytes * 1024;
        let filler = "x".repeat((length - 2000) * 3 / 4);
        rows.push(row(format!("{kilobytes} KiB of claims"), target.with_claim("x", json!(filler))));
        rows.push(row(format!("{kilobytes} KiB of header"), target.with_header("x", json!(filler))));
        rows.push(row(format!("{kilobytes} KiB of a"), "a".repeat(length)));
        rows.push(row(format!("{kilobytes} KiB of dots"), ".".repeat(length)));
        rows.push(row(format!("{kilobytes} KiB of parts"), "a.".repeat(length / 2)));
        let signature = "A".repeat(length - 2000);
        rows.push(row(format!("{kilobytes} KiB of signature"), format!("{}{signature}", target.bob.token)));
        let deep = format!("{}{}", "[".repeat(filler.len() / 2), "]".repeat(filler.len() / 2));
        rows.push(row(format!("{kilobytes} KiB of brackets"), target.with_raw_claim("x", &deep)));
    }
    rows
}

pub(super) fn other_tokens(target: &Target) -> Vec<Row> {
    let grant = renew(&target.server, refresh_token(&target.bob.grant));
    let stranger = Server::start().sign_up("bob@example.com");
    vec![
        row("a refresh token", refresh_token(&target.bob.grant).to_owned()),
        row("the live refresh token", refresh_token(&grant).to_owned()),
        row("another installation's token", stranger.token.clone()),
        row("another installation's refresh token", refresh_token(&stranger.grant).to_owned()),
        row("the jti", target.claims["jti"].as_str().expect("a jti").to_owned()),
        row("null", "null".to_owned()),
        row("undefined", "undefined".to_owned()),
    ]
}
