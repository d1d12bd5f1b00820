//! Rows of the table: the other members of the header.

use serde_json::json;

use super::{Row, Target, row, with, without};

pub(super) fn headers(target: &Target) -> Vec<Row> {
    let mut rows = Vec::new();
    for crit in
        [json!(["exp"]), json!(["b64"]), json!(["kid"]), json!(["x"]), json!([]), json!("exp"), json!([1]), json!({})]
    {
        rows.push(row(format!("crit {crit}"), target.with_header("crit", crit)));
    }
    let unencoded = with(&with(&target.header, "crit", json!(["b64"])), "b64", json!(false));
    rows.push(row("b64 false", target.sign_texts(unencoded.to_string(), target.claims.to_string())));
    for typ in
        ["JWT", "jwt", "refresh", "rt+jwt", "", "at", "at+jwt ", " at+jwt", "text/at+jwt", "at+jwt;v=1", "id+jwt"]
    {
        rows.push(row(format!("typ {typ:?}"), target.with_header("typ", json!(typ))));
    }
    for typ in [json!(null), json!(1), json!(["at+jwt"])] {
        rows.push(row(format!("typ {typ}"), target.with_header("typ", typ)));
    }
    rows.push(row("no typ", target.sign_texts(without(&target.header, "typ").to_string(), target.claims.to_string())));
    let text = target.header.to_string();
    for name in ["alg", "kid", "typ"] {
        for (how, first, second) in [
            ("equal", &target.header[name], &target.header[name]),
            ("none first", &json!("none"), &target.header[name]),
            ("none last", &target.header[name], &json!("none")),
        ] {
            let rest = without(&target.header, name).to_string();
            let header = format!("{{\"{name}\":{first},{},\"{name}\":{second}}}", &rest[1..rest.len() - 1]);
            rows.push(row(format!("{name} twice, {how}"), target.sign_texts(header, target.claims.to_string())));
        }
    }
    for (name, header) in [
        ("a header that is an array", format!("[{text}]")),
        ("a header that is a text", json!(text).to_string()),
        ("a header of null", "null".to_owned()),
        ("an empty header", String::new()),
        ("something after the header", format!("{text}{{}}")),
        ("a header with a byte order mark", format!("\u{feff}{text}")),
        ("half a header", text[..text.len() - 1].to_owned()),
        ("a header with a comment", format!("/**/{text}")),
    ] {
        rows.push(row(name, target.sign_texts(header, target.claims.to_string())));
    }
    rows
}
