//! Rows of the table: claims that are wrong, missing or there twice.

use serde_json::{Value, json};

use super::{Row, Target, row, without};
use crate::support::now_seconds;

const NINE_CLAIMS: [&str; 9] = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "sid"];

pub(super) fn claims(target: &Target) -> Vec<Row> {
    let now = now_seconds();
    let mut rows = Vec::new();
    let mut add = |name: &str, values: &[Value]| {
        for value in values {
            rows.push(row(format!("{name} {value}"), target.with_claim(name, value.clone())));
        }
    };
    let none_of_them = [json!(null), json!(true), json!({}), json!([])];
    for claim in NINE_CLAIMS {
        add(claim, &none_of_them);
    }
    let issuer = "http://127.0.0.1:8000";
    add(
        "iss",
        &[json!(""), json!("http://127.0.0.1:8000/"), json!("HTTP://127.0.0.1:8000"), json!("https://127.0.0.1:8000")],
    );
    add("iss", &[json!([issuer]), json!(1), json!(" http://127.0.0.1:8000")]);
    add(
        "aud",
        &[
            json!(""),
            json!("Keyfob"),
            json!("keyfob "),
            json!("other"),
            json!(["other"]),
            json!([["keyfob"]]),
            json!(1),
        ],
    );
    add(
        "exp",
        &[json!(now), json!(now - 1), json!(0), json!(-1), json!(i64::MIN), json!(now + 600).to_string().into()],
    );
    add("exp", &[json!("soon"), json!([now + 600])]);
    add("iat", &[json!(now + 60), json!("now"), json!([now]), json!(i64::MAX)]);
    add("nbf", &[json!(now + 60), json!("now"), json!([now]), json!(i64::MAX), json!(true)]);
    add(
        "sub",
        &[
            json!(1),
            json!(""),
            json!("x"),
            json!("-1"),
            json!("0"),
            json!("1.0"),
            json!("9007199254740992"),
            json!("1 OR 1=1"),
        ],
    );
    add("sid", &[json!(1), json!(""), json!("x"), json!("-1")]);
    add("jti", &[json!(1), json!("")]);
    add("client_id", &[json!(1), json!("")]);
    add("scope", &[json!(1), json!(["profile"])]);
    for raw in [
        "1e400",
        "-1e400",
        "1e30",
        "99999999999999999999",
        "18446744073709551616",
        "-99999999999999999999",
        "1.5",
        "0x7fffffff",
        "NaN",
        "Infinity",
        "+4000000000",
        "04000000000",
    ] {
        rows.push(row(format!("exp {raw}"), target.with_raw_claim("exp", raw)));
    }
    for claim in NINE_CLAIMS {
        let claims = without(&target.claims, claim).to_string();
        rows.push(row(format!("no {claim}"), target.sign_texts(target.header.to_string(), claims)));
    }
    rows
}

/// A claim twice: equal, or with another value in front or behind.
pub(super) fn duplicates(target: &Target) -> Vec<Row> {
    let mut rows = Vec::new();
    for claim in NINE_CLAIMS.iter().chain(&["nbf"]) {
        let (good, other) = match *claim {
            "exp" => (target.claims["exp"].clone(), json!(now_seconds() + 3600)),
            "iat" | "nbf" => (target.claims["iat"].clone(), json!(now_seconds() - 5)),
            "sub" | "sid" => (target.claims[claim].clone(), json!("2")),
            "scope" => (target.claims[claim].clone(), json!("profile posts admin")),
            _ => (target.claims[claim].clone(), json!("other")),
        };
        let rest = without(&target.claims, claim).to_string();
        let rest = &rest[1..rest.len() - 1];
        for (how, first, second) in
            [("equal", &good, &good), ("other first", &other, &good), ("other last", &good, &other)]
        {
            let claims = format!("{{\"{claim}\":{first},{rest},\"{claim}\":{second}}}");
            rows.push(row(format!("{claim} twice, {how}"), target.sign_texts(target.header.to_string(), claims)));
        }
    }
    let rest = target.claims.to_string();
    let escaped = format!("{},\"\\u0073ub\":\"2\"}}", &rest[..rest.len() - 1]);
    rows.push(row("sub once more, escaped", target.sign_texts(target.header.to_string(), escaped)));
    rows
}
