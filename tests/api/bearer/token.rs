//! The token in it: signature, header and claims.

use aws_lc_rs::hmac;
use serde_json::json;

use super::{REVOCATION_DEADLINE, me, server_and_bob};
use crate::support::{Forge, SECRET, Server, now_seconds, until};

const NINE_CLAIMS: [&str; 9] = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "sid"];

#[test]
fn a_token_that_is_no_jwt_is_invalid() {
    let (server, bob) = server_and_bob();
    let parts: Vec<_> = bob.token.split('.').collect();
    let long = "x".repeat(6000);
    let tokens = [
        "bad".to_owned(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        "a@b".to_owned(),
        "\"quoted\"".to_owned(),
        long.clone(),
        format!("{long}.{long}.{long}"),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.x", bob.token),
        format!(".{}.{}", parts[1], parts[2]),
        format!("{}..{}", parts[0], parts[2]),
        format!("{}.{}.{}", parts[1], parts[0], parts[2]),
        format!("{}=", bob.token),
    ];
    for token in tokens {
        me(&server, &token).expect_invalid_token();
    }
}

#[test]
fn a_bad_signature_is_invalid() {
    let (server, bob) = server_and_bob();
    let good = Forge::of(&bob.token);
    me(&server, &good.sign()).expect_json(200);
    me(&server, &good.unsigned("")).expect_invalid_token();
    me(&server, &good.unsigned("AAAA")).expect_invalid_token();
    me(&server, &good.sign_with(hmac::HMAC_SHA256, b"another secret, as long as it gets")).expect_invalid_token();
    me(&server, &good.sign_with(hmac::HMAC_SHA256, b"")).expect_invalid_token();
    let (text, signature) = bob.token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    me(&server, &format!("{text}.{first}{}", &signature[1..])).expect_invalid_token();
    me(&server, &format!("{text}.{}", &signature[..20])).expect_invalid_token();
    let other = Forge::of(&bob.token).claim("scope", "profile posts admin").sign();
    let (other_text, _) = other.rsplit_once('.').unwrap();
    me(&server, &format!("{other_text}.{signature}")).expect_invalid_token();
}

#[test]
fn an_expired_token_is_invalid_without_any_leeway() {
    let (server, bob) = server_and_bob();
    let good = Forge::of(&bob.token);
    for exp in [now_seconds(), now_seconds() - 1, now_seconds() - 3600, 0, -1] {
        me(&server, &good.clone().claim("exp", exp).sign()).expect_invalid_token();
    }
    me(&server, &good.clone().claim("exp", now_seconds() + 600).sign()).expect_json(200);
    me(&server, &good.claim("exp", "tomorrow").sign()).expect_invalid_token();
}

#[test]
fn a_token_expires_by_itself() {
    let server = Server::with(&[("token.access_ttl_seconds", "1")]);
    let bob = server.sign_up("bob@example.com");
    until("the token expires", REVOCATION_DEADLINE, || bob.get("/me").status == 401);
    bob.get("/me").expect_invalid_token();
}

#[test]
fn a_token_from_the_future_is_invalid_beyond_five_seconds() {
    let (server, bob) = server_and_bob();
    let good = Forge::of(&bob.token);
    for claim in ["nbf", "iat"] {
        me(&server, &good.clone().claim(claim, now_seconds() + 4).sign()).expect_json(200);
        me(&server, &good.clone().claim(claim, now_seconds() + 60).sign()).expect_invalid_token();
        me(&server, &good.clone().claim(claim, now_seconds() + 4_000_000_000).sign()).expect_invalid_token();
        me(&server, &good.clone().claim(claim, "now").sign()).expect_invalid_token();
        me(&server, &good.clone().claim(claim, now_seconds() - 60).sign()).expect_json(200);
    }
}

#[test]
fn a_token_without_one_of_the_nine_claims_is_invalid() {
    let (server, bob) = server_and_bob();
    for claim in NINE_CLAIMS {
        me(&server, &Forge::of(&bob.token).without(claim).sign()).expect_invalid_token();
        me(&server, &Forge::of(&bob.token).claim(claim, json!(null)).sign()).expect_invalid_token();
        me(&server, &Forge::of(&bob.token).claim(claim, json!({"x": 1})).sign()).expect_invalid_token();
    }
}

#[test]
fn a_wrong_issuer_is_invalid() {
    let (server, bob) = server_and_bob();
    for issuer in
        [json!("http://127.0.0.1:8001"), json!("http://127.0.0.1:8000/"), json!(""), json!(["http://127.0.0.1:8000"])]
    {
        me(&server, &Forge::of(&bob.token).claim("iss", issuer).sign()).expect_invalid_token();
    }
}

#[test]
fn a_wrong_audience_is_invalid() {
    let (server, bob) = server_and_bob();
    for audience in [json!("other"), json!("Keyfob"), json!(""), json!([]), json!(["other"]), json!([1]), json!(1)] {
        me(&server, &Forge::of(&bob.token).claim("aud", audience).sign()).expect_invalid_token();
    }
}

#[test]
fn an_array_of_audiences_that_holds_ours_is_fine() {
    let (server, bob) = server_and_bob();
    for audience in [json!(["keyfob"]), json!(["other", "keyfob"])] {
        me(&server, &Forge::of(&bob.token).claim("aud", audience).sign()).expect_json(200);
    }
}

#[test]
fn a_wrong_type_is_invalid() {
    let (server, bob) = server_and_bob();
    for typ in [json!("JWT"), json!("jwt"), json!("rt+jwt"), json!(""), json!(1)] {
        me(&server, &Forge::of(&bob.token).header("typ", typ).sign()).expect_invalid_token();
    }
    me(&server, &Forge::of(&bob.token).without_header("typ").sign()).expect_invalid_token();
}

#[test]
fn an_algorithm_other_than_the_configured_one_is_invalid() {
    let (server, bob) = server_and_bob();
    let good = Forge::of(&bob.token);
    for name in ["none", "None", "NONE", "nOnE"] {
        let forged = good.clone().header("alg", name);
        me(&server, &forged.unsigned("")).expect_invalid_token();
        me(&server, &forged.unsigned("AAAA")).expect_invalid_token();
        me(&server, &forged.sign()).expect_invalid_token();
    }
    let secret = SECRET.as_bytes();
    me(&server, &good.clone().header("alg", "HS384").sign_with(hmac::HMAC_SHA384, secret)).expect_invalid_token();
    me(&server, &good.clone().header("alg", "HS512").sign_with(hmac::HMAC_SHA512, secret)).expect_invalid_token();
    for name in ["RS256", "ES256", "EdDSA", "PS256", "hs256", "A128KW", ""] {
        me(&server, &good.clone().header("alg", name).sign()).expect_invalid_token();
    }
    me(&server, &good.without_header("alg").sign()).expect_invalid_token();
}

#[test]
fn a_server_with_a_key_pair_refuses_hmac_tokens() {
    let server = Server::start();
    let bob = server.sign_up("bob@example.com");
    let forged = Forge::of(&bob.token).header("alg", "HS256");
    let (header, _) = crate::support::decode(&bob.token);
    for secret in ["", "keyfob", header["kid"].as_str().unwrap()] {
        me(&server, &forged.sign_with(hmac::HMAC_SHA256, secret.as_bytes())).expect_invalid_token();
    }
    me(&server, &Forge::of(&bob.token).header("alg", "none").unsigned("")).expect_invalid_token();
    me(&server, &Forge::of(&bob.token).claim("sub", "2").unsigned(bob.token.rsplit('.').next().unwrap()))
        .expect_invalid_token();
}

#[test]
fn an_unknown_or_missing_kid_is_invalid() {
    let (server, bob) = server_and_bob();
    me(&server, &Forge::of(&bob.token).without_header("kid").sign()).expect_invalid_token();
    for kid in [
        json!("unknown"),
        json!(""),
        json!(1),
        json!(null),
        json!("../../etc/passwd"),
        json!("' OR 1=1 --"),
        json!("x".repeat(3000)),
    ] {
        me(&server, &Forge::of(&bob.token).header("kid", kid).sign()).expect_invalid_token();
    }
}

#[test]
fn an_unknown_crit_is_invalid() {
    let (server, bob) = server_and_bob();
    for crit in [json!(["x-unknown"]), json!(["exp"]), json!(["b64"]), json!([])] {
        me(&server, &Forge::of(&bob.token).header("crit", crit).header("b64", true).sign()).expect_invalid_token();
    }
}

#[test]
fn a_key_in_the_header_is_not_believed() {
    let (server, bob) = server_and_bob();
    let jwk = json!({"kty": "oct", "alg": "HS256", "k": "c2VjcmV0IG9mIHRoZSBhdHRhY2tlciwgbG9uZyBlbm91Z2g"});
    let forged = Forge::of(&bob.token).header("jwk", jwk).header("jku", "http://127.0.0.1:1/jwks.json");
    me(&server, &forged.sign_with(hmac::HMAC_SHA256, b"secret of the attacker, long enough")).expect_invalid_token();
}

#[test]
fn a_claim_that_is_there_twice_is_invalid() {
    let (server, bob) = server_and_bob();
    let claims = Forge::of(&bob.token).claims_text();
    let twice = format!("{},\"sub\":\"2\"}}", claims.strip_suffix('}').unwrap());
    me(&server, &Forge::of(&bob.token).sign_claims(&twice)).expect_invalid_token();
}

#[test]
fn claims_that_are_no_object_are_invalid() {
    let (server, bob) = server_and_bob();
    for claims in ["[]", "null", "\"text\"", "", "{"] {
        me(&server, &Forge::of(&bob.token).sign_claims(claims)).expect_invalid_token();
    }
}

#[test]
fn a_subject_that_is_no_user_is_invalid() {
    let (server, bob) = server_and_bob();
    for subject in
        [json!("999"), json!("0"), json!("-1"), json!("abc"), json!(""), json!("9007199254740992"), json!(bob.id())]
    {
        me(&server, &Forge::of(&bob.token).claim("sub", subject).sign()).expect_invalid_token();
    }
}

#[test]
fn a_refresh_token_is_no_access_token() {
    let (server, bob) = server_and_bob();
    let refresh_token = bob.grant["refresh_token"].as_str().unwrap();
    me(&server, refresh_token).expect_invalid_token();
}
