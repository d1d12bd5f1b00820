//! RFC 8414: authorization server metadata.

use serde_json::json;

use super::{METADATA, server_and_bob};
use crate::keychain::verify;
use crate::support::decode;

#[test]
fn rfc8414_section_2_the_required_members_are_there() {
    let (server, _) = server_and_bob();
    let document = server.get(METADATA).expect_json(200);
    assert!(document["issuer"].is_string() && document["token_endpoint"].is_string(), "{document}");
    assert!(document["response_types_supported"].is_array(), "{document}");
}

#[test]
fn rfc8414_section_2_the_issuer_has_no_query_and_no_fragment() {
    let (server, _) = server_and_bob();
    let document = server.get(METADATA).expect_json(200);
    let issuer = document["issuer"].as_str().unwrap();
    assert!(issuer.contains("://") && !issuer.contains(['?', '#']), "{issuer}");
}

#[test]
fn rfc8414_section_2_the_grant_types_are_named_since_the_default_would_be_wrong() {
    let (server, _) = server_and_bob();
    let document = server.get(METADATA).expect_json(200);
    assert_eq!(document["grant_types_supported"], json!(["password", "refresh_token"]));
}

#[test]
fn rfc8414_section_2_the_jwks_uri_leads_to_the_keys_that_sign() {
    let (server, bob) = server_and_bob();
    let document = server.get(METADATA).expect_json(200);
    let path = document["jwks_uri"].as_str().unwrap().strip_prefix("http://127.0.0.1:8000").unwrap().to_owned();
    let keys = server.get(&path).expect(200).json();
    verify(&bob.token, keys["keys"].as_array().unwrap());
}

#[test]
fn rfc8414_section_3_2_the_answer_is_200_and_json() {
    let (server, _) = server_and_bob();
    assert!(server.get(METADATA).expect_json(200).is_object());
}

#[test]
fn rfc8414_section_3_2_members_with_no_elements_must_be_omitted() {
    let (server, _) = server_and_bob();
    let document = server.get(METADATA).expect_json(200);
    for (name, value) in document.as_object().unwrap() {
        assert!(!value.is_null() && value.as_array().is_none_or(|items| !items.is_empty()), "{name}");
    }
}

#[test]
fn rfc8414_section_3_3_the_issuer_must_be_identical_to_the_one_in_the_tokens() {
    let (server, bob) = server_and_bob();
    assert_eq!(server.get(METADATA).expect_json(200)["issuer"], decode(&bob.token).1["iss"]);
}
