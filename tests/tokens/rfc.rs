//! The sentences of the RFCs that hold for this service, each with its section.

use std::time::Duration;

use serde_json::{Value, json};

use crate::keychain::verify;
use crate::steps::{
    App, PATIENCE, access_token, basic, expect_refused, published_keys, refresh, refresh_token, renew, revoke,
};
use crate::support::{Actor, Answer, Forge, PASSWORD, Server, USER_SCOPES, decode, now_seconds, until, words};

const BOB: &str = "bob@example.com";
const GOOD: [(&str, &str); 3] = [("grant_type", "password"), ("username", BOB), ("password", PASSWORD)];
const METADATA: &str = "/.well-known/oauth-authorization-server";

fn server_and_bob() -> (Server, Actor) {
    let server = Server::start();
    let bob = server.sign_up(BOB);
    (server, bob)
}

fn hs256_and_bob() -> (Server, Actor) {
    let server = Server::with_hs256();
    let bob = server.sign_up(BOB);
    (server, bob)
}

fn server_and_app() -> (Server, App) {
    let server = Server::start();
    server.sign_up(BOB);
    let app = App::add(&server.home, "app", &[]);
    (server, app)
}

/// A good password request with further fields.
fn log_in(server: &Server, more: &[(&str, &str)]) -> Answer {
    server.login(&[&GOOD, more].concat())
}

fn me(server: &Server, token: &str) -> Answer {
    server.with_token(token).get("/me")
}

fn post(server: &Server, path: &str, fields: &[(&str, &str)]) -> Answer {
    server.request("POST", path).form(fields).send()
}

// RFC 6749: the OAuth 2.0 authorization framework

#[test]
fn rfc6749_section_2_3_the_client_must_not_use_more_than_one_authentication_method() {
    let (server, app) = server_and_app();
    let fields = [&GOOD[..], &[("client_id", "app"), ("client_secret", app.secret())]].concat();
    let request = server.request("POST", "/login").form(&fields).header("authorization", &basic("app", app.secret()));
    request.send().expect_oauth_error(400, "invalid_request");
}

#[test]
fn rfc6749_section_2_3_1_the_server_must_support_http_basic_for_clients_with_a_password() {
    let (server, app) = server_and_app();
    let request = server.request("POST", "/login").form(&GOOD).header("authorization", &basic("app", app.secret()));
    request.send().expect_json(200);
}

#[test]
fn rfc6749_section_2_3_1_the_client_identifier_is_encoded_as_a_form_value_in_basic() {
    let (server, app) = server_and_app();
    let encoded = basic("%61pp", &app.secret().replace('_', "%5F").replace('-', "%2D"));
    server.request("POST", "/login").form(&GOOD).header("authorization", &encoded).send().expect_json(200);
}

#[test]
fn rfc6749_section_2_3_1_the_server_may_support_client_credentials_in_the_body() {
    let (server, app) = server_and_app();
    log_in(&server, &[("client_id", "app"), ("client_secret", app.secret())]).expect_json(200);
}

#[test]
fn rfc6749_section_2_3_1_client_credentials_must_not_be_included_in_the_request_uri() {
    let (server, app) = server_and_app();
    let path = format!("/introspect?client_id=app&client_secret={}", app.secret());
    post(&server, &path, &[("token", "x")]).expect_oauth_error(401, "invalid_client");
}

#[test]
fn rfc6749_section_3_2_the_client_must_use_post() {
    let (server, _) = server_and_bob();
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let answer = server.request(method, "/login?grant_type=password").send();
        assert_eq!((answer.status, answer.need("allow").contains("POST")), (405, true), "{answer}");
    }
}

#[test]
fn rfc6749_section_3_2_parameters_without_a_value_must_be_treated_as_omitted() {
    let (server, bob) = server_and_bob();
    log_in(&server, &[("scope", ""), ("client_id", ""), ("client_secret", "")]).expect_json(200);
    let empty = [("grant_type", "refresh_token"), ("refresh_token", "")];
    server.login(&empty).expect_oauth_error(400, "invalid_request");
    bob.get("/me").expect_json(200);
}

#[test]
fn rfc6749_section_3_2_the_server_must_ignore_unrecognized_request_parameters() {
    let (server, _) = server_and_bob();
    log_in(&server, &[("audience", "x"), ("resource", "http://x.example"), ("x", "y"), ("x", "y")]).expect_json(200);
}

#[test]
fn rfc6749_section_3_2_parameters_must_not_be_included_more_than_once() {
    let (server, _) = server_and_bob();
    for name in ["grant_type", "username", "password"] {
        let value = GOOD.iter().find(|(known, _)| *known == name).unwrap().1;
        log_in(&server, &[(name, value)]).expect_oauth_error(400, "invalid_request");
    }
    log_in(&server, &[("scope", "profile"), ("scope", "profile")]).expect_oauth_error(400, "invalid_request");
}

#[test]
fn rfc6749_section_3_2_1_confidential_clients_must_authenticate() {
    let (server, _) = server_and_app();
    log_in(&server, &[("client_id", "app")]).expect_oauth_error(401, "invalid_client");
}

#[test]
fn rfc6749_section_3_3_the_scope_is_a_list_of_case_sensitive_strings_whose_order_does_not_matter() {
    let (server, _) = server_and_bob();
    for scope in ["profile posts", "posts profile"] {
        let grant = log_in(&server, &[("scope", scope)]).expect_json(200);
        assert_eq!(words(grant["scope"].as_str().unwrap()), ["posts", "profile"]);
    }
    log_in(&server, &[("scope", "PROFILE")]).expect_oauth_error(400, "invalid_scope");
}

#[test]
fn rfc6749_section_3_3_the_server_must_inform_the_client_of_a_scope_that_differs_from_the_requested_one() {
    let (server, _) = server_and_bob();
    assert_eq!(log_in(&server, &[("scope", "profile admin")]).expect_json(200)["scope"], "profile");
}

#[test]
fn rfc6749_section_3_3_without_a_scope_the_server_must_use_a_default_or_fail() {
    let (server, _) = server_and_bob();
    assert_eq!(words(log_in(&server, &[]).expect_json(200)["scope"].as_str().unwrap()), USER_SCOPES);
}

#[test]
fn rfc6749_section_4_3_2_username_and_password_are_required() {
    let (server, _) = server_and_bob();
    server.login(&GOOD[..2]).expect_oauth_error(400, "invalid_request");
    server.login(&[GOOD[0], GOOD[2]]).expect_oauth_error(400, "invalid_request");
}

#[test]
fn rfc6749_section_4_3_2_the_server_must_authenticate_the_client_if_client_authentication_is_included() {
    let (server, _) = server_and_app();
    let request = server.request("POST", "/login").form(&GOOD).header("authorization", &basic("app", "wrong"));
    request.send().expect_oauth_error(401, "invalid_client");
}

#[test]
fn rfc6749_section_4_3_2_the_server_must_validate_the_password_credentials() {
    let (server, _) = server_and_bob();
    server.login(&[GOOD[1], ("password", "not it at all")]).expect_oauth_error(400, "invalid_grant");
    server.login(&[("username", "nobody@example.com"), GOOD[2]]).expect_oauth_error(400, "invalid_grant");
}

#[test]
fn rfc6749_section_4_3_2_the_server_must_protect_the_endpoint_against_brute_force_attacks() {
    let server = Server::with(&[("rate_limit.enabled", "true"), ("rate_limit.account_failures", "3")]);
    server.sign_up(BOB);
    for number in 0..3 {
        let wrong = format!("wrong password {number}");
        server.login(&[GOOD[1], ("password", &wrong)]).expect_oauth_error(400, "invalid_grant");
    }
    let answer = log_in(&server, &[]);
    assert!(answer.need("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{answer}");
    answer.expect_oauth_error(429, "slow_down");
}

#[test]
fn rfc6749_section_5_1_the_server_must_include_cache_control_no_store() {
    let (server, bob) = server_and_bob();
    assert_eq!(log_in(&server, &[]).need("cache-control"), "no-store");
    assert_eq!(refresh(&server, refresh_token(&bob.grant)).need("cache-control"), "no-store");
}

#[test]
fn rfc6749_section_5_1_the_server_must_include_pragma_no_cache() {
    let (server, bob) = server_and_bob();
    assert_eq!(log_in(&server, &[]).need("pragma"), "no-cache");
    assert_eq!(refresh(&server, refresh_token(&bob.grant)).need("pragma"), "no-cache");
}

#[test]
fn rfc6749_section_5_1_the_answer_is_json_with_the_access_token_its_type_and_its_lifetime_as_a_number() {
    let (server, bob) = server_and_bob();
    for answer in [log_in(&server, &[]), refresh(&server, refresh_token(&bob.grant))] {
        let grant = answer.expect_json(200);
        assert!(!access_token(&grant).is_empty() && !refresh_token(&grant).is_empty());
        assert_eq!(grant["token_type"].as_str().unwrap().to_lowercase(), "bearer");
        assert!(grant["expires_in"].is_u64(), "{grant}");
    }
}

#[test]
fn rfc6749_section_5_2_an_error_is_status_400_with_a_json_object() {
    let (server, bob) = server_and_bob();
    for (fields, code) in [
        (&[("grant_type", "password")][..], "invalid_request"),
        (&[GOOD[1], ("password", "not it at all")], "invalid_grant"),
        (&[("grant_type", "authorization_code"), ("code", "x")], "unsupported_grant_type"),
        (&[GOOD[1], GOOD[2], ("scope", "nonsense")], "invalid_scope"),
        (&[("grant_type", "refresh_token"), ("refresh_token", &bob.token)], "invalid_grant"),
    ] {
        server.login(fields).expect_oauth_error(400, code);
    }
}

#[test]
fn rfc6749_section_5_2_unauthorized_client_is_a_client_that_may_not_use_the_grant_type() {
    let (server, _) = server_and_bob();
    App::add(&server.home, "later", &["--public", "--grant", "refresh_token"]);
    log_in(&server, &[("client_id", "later")]).expect_oauth_error(400, "unauthorized_client");
}

#[test]
fn rfc6749_section_5_2_after_basic_the_server_must_answer_invalid_client_with_401_and_a_matching_challenge() {
    let (server, _) = server_and_bob();
    let request = server.request("POST", "/login").form(&GOOD).header("authorization", &basic("ghost", "x"));
    let answer = request.send();
    assert!(answer.need("www-authenticate").starts_with("Basic "), "{answer}");
    answer.expect_oauth_error(401, "invalid_client");
}

#[test]
fn rfc6749_section_5_2_values_of_error_description_must_not_include_characters_outside_the_set() {
    let (server, _) = server_and_bob();
    for value in ["\"quoted\"", "back\\slash", "é", "line\nend"] {
        for fields in [&[("grant_type", value)][..], &[GOOD[1], GOOD[2], ("scope", value)]] {
            let error = server.login(fields).json();
            let text = error["error_description"].as_str().unwrap();
            assert!(text.chars().all(|c| matches!(c, ' '..='!' | '#'..='[' | ']'..='~')), "{text}");
        }
    }
}

#[test]
fn rfc6749_section_6_the_server_must_require_client_authentication_for_confidential_clients() {
    let (server, app) = server_and_app();
    let grant = app.log_in(&server, BOB);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token(&grant)), ("client_id", "app")];
    server.login(&fields).expect_oauth_error(401, "invalid_client");
    app.refresh(&server, refresh_token(&grant)).expect_json(200);
}

#[test]
fn rfc6749_section_6_the_server_must_ensure_that_the_refresh_token_was_issued_to_the_authenticated_client() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    app.refresh(&server, refresh_token(&bob.grant)).expect_oauth_error(400, "invalid_grant");
    renew(&server, refresh_token(&bob.grant));
}

#[test]
fn rfc6749_section_6_the_server_must_validate_the_refresh_token() {
    let (server, bob) = server_and_bob();
    expect_refused(&server, &format!("{}x", refresh_token(&bob.grant)));
    revoke(&server, refresh_token(&bob.grant));
    expect_refused(&server, refresh_token(&bob.grant));
}

#[test]
fn rfc6749_section_6_the_requested_scope_must_not_include_any_scope_that_was_not_granted() {
    let (server, _) = server_and_bob();
    let narrow = server.log_in_for(BOB, "profile");
    let token = refresh_token(&narrow.grant);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "profile posts")];
    server.login(&fields).expect_oauth_error(400, "invalid_scope");
}

#[test]
fn rfc6749_section_6_an_omitted_scope_is_treated_as_equal_to_the_one_that_was_granted() {
    let (server, _) = server_and_bob();
    let narrow = server.log_in_for(BOB, "profile");
    assert_eq!(renew(&server, refresh_token(&narrow.grant))["scope"], "profile");
}

#[test]
fn rfc6749_section_6_the_scope_of_a_new_refresh_token_must_be_identical_to_that_of_the_old_one() {
    let (server, bob) = server_and_bob();
    let token = refresh_token(&bob.grant);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", "posts")];
    let narrow = server.login(&fields).expect_json(200);
    assert_eq!(renew(&server, refresh_token(&narrow))["scope"], bob.grant["scope"]);
}

#[test]
fn rfc6749_section_10_4_refresh_tokens_must_not_be_modified_to_produce_valid_ones() {
    let (server, bob) = server_and_bob();
    let token = refresh_token(&bob.grant);
    for at in (0..token.len()).step_by(5) {
        let mut changed = token.to_owned().into_bytes();
        changed[at] = if changed[at] == b'B' { b'C' } else { b'B' };
        expect_refused(&server, &String::from_utf8(changed).unwrap());
    }
    renew(&server, token);
}

#[test]
fn rfc6749_section_10_4_reuse_of_an_invalidated_refresh_token_revokes_the_active_one() {
    let (server, bob) = server_and_bob();
    let live = renew(&server, refresh_token(&renew(&server, refresh_token(&bob.grant))));
    expect_refused(&server, refresh_token(&bob.grant));
    expect_refused(&server, refresh_token(&live));
}

#[test]
fn rfc6749_section_10_10_the_probability_of_guessing_a_token_must_be_at_most_two_to_the_minus_128() {
    let (server, bob) = server_and_bob();
    let (one, other) = (refresh_token(&bob.grant), server.log_in(BOB));
    let same = one.bytes().zip(refresh_token(&other.grant).bytes()).filter(|(a, b)| a == b).count();
    assert!(one.len() - same >= 22, "22 characters of base64 hold 128 bits");
}

// RFC 6750: bearer token usage

#[test]
fn rfc6750_section_2_1_resource_servers_must_support_the_authorization_header() {
    let (server, bob) = server_and_bob();
    me(&server, &bob.token).expect_json(200);
}

#[test]
fn rfc6750_section_2_2_a_token_in_the_form_body_is_not_taken() {
    let (server, bob) = server_and_bob();
    post(&server, "/me/password", &[("access_token", &bob.token)]).expect_no_credentials();
}

#[test]
fn rfc6750_section_2_3_a_token_in_the_uri_should_not_be_used() {
    let (server, bob) = server_and_bob();
    server.get(&format!("/me?access_token={}", bob.token)).expect_no_credentials();
}

#[test]
fn rfc6750_section_3_the_server_must_include_www_authenticate_with_the_scheme_bearer() {
    let (server, _) = server_and_bob();
    for answer in [server.get("/me"), me(&server, "x")] {
        assert!(answer.need("www-authenticate").starts_with("Bearer "), "{answer}");
    }
}

#[test]
fn rfc6750_section_3_no_attribute_of_the_challenge_must_appear_more_than_once() {
    let (server, _) = server_and_bob();
    me(&server, "x").expect_invalid_token();
    let writer = server.log_in_for(BOB, "posts");
    writer.get("/me").expect_insufficient_scope("profile");
}

#[test]
fn rfc6750_section_3_1_a_request_without_authentication_should_get_no_error_code() {
    let (server, _) = server_and_bob();
    server.get("/me").expect_no_credentials();
}

#[test]
fn rfc6750_section_3_1_an_expired_revoked_or_malformed_token_should_get_401_invalid_token() {
    let (server, bob) = hs256_and_bob();
    me(&server, &Forge::of(&bob.token).claim("exp", now_seconds() - 1).sign()).expect_invalid_token();
    me(&server, "malformed").expect_invalid_token();
    revoke(&server, &bob.token);
    me(&server, &bob.token).expect_invalid_token();
}

#[test]
fn rfc6750_section_3_1_a_token_that_lacks_the_scope_should_get_403_and_may_be_told_the_scope() {
    let (server, _) = server_and_bob();
    let reader = server.log_in_for(BOB, "profile");
    reader.post("/posts", json!({"title": "t", "content": "c"})).expect_insufficient_scope("posts");
}

// RFC 7009: token revocation

#[test]
fn rfc7009_section_2_implementations_must_support_the_revocation_of_refresh_tokens() {
    let (server, bob) = server_and_bob();
    revoke(&server, refresh_token(&bob.grant));
    expect_refused(&server, refresh_token(&bob.grant));
}

#[test]
fn rfc7009_section_2_implementations_should_support_the_revocation_of_access_tokens() {
    let (server, bob) = server_and_bob();
    revoke(&server, &bob.token);
    me(&server, &bob.token).expect_invalid_token();
}

#[test]
fn rfc7009_section_2_1_the_token_is_required() {
    let (server, _) = server_and_bob();
    post(&server, "/revoke", &[]).expect_oauth_error(400, "invalid_request");
}

#[test]
fn rfc7009_section_2_1_if_the_hint_does_not_help_the_server_must_extend_its_search_to_all_token_types() {
    let (server, bob) = server_and_bob();
    let wrong = [("token", refresh_token(&bob.grant)), ("token_type_hint", "access_token")];
    post(&server, "/revoke", &wrong).expect_json(200);
    expect_refused(&server, refresh_token(&bob.grant));
}

#[test]
fn rfc7009_section_2_1_an_unknown_hint_is_ignored() {
    let (server, bob) = server_and_bob();
    post(&server, "/revoke", &[("token", &bob.token), ("token_type_hint", "saml2")]).expect_json(200);
    me(&server, &bob.token).expect_invalid_token();
}

#[test]
fn rfc7009_section_2_1_the_server_first_validates_the_client_credentials() {
    let (server, app) = server_and_app();
    let grant = app.log_in(&server, BOB);
    let fields = [("token", refresh_token(&grant)), ("client_id", "app"), ("client_secret", "wrong")];
    post(&server, "/revoke", &fields).expect_oauth_error(401, "invalid_client");
    post(&server, "/revoke", &fields[1..]).expect_oauth_error(401, "invalid_client");
    app.refresh(&server, refresh_token(&grant)).expect_json(200);
}

#[test]
fn rfc7009_section_2_1_the_server_verifies_that_the_token_was_issued_to_the_client() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    app.post(&server, "/revoke", &[("token", refresh_token(&bob.grant))]);
    me(&server, &bob.token).expect_json(200);
    renew(&server, refresh_token(&bob.grant));
}

#[test]
fn rfc7009_section_2_1_the_server_should_also_invalidate_all_access_tokens_of_the_same_grant() {
    let (server, bob) = server_and_bob();
    let grant = renew(&server, refresh_token(&bob.grant));
    revoke(&server, refresh_token(&grant));
    for token in [&bob.token, access_token(&grant)] {
        me(&server, token).expect_invalid_token();
    }
}

#[test]
fn rfc7009_section_2_1_the_server_may_revoke_the_refresh_token_of_an_access_token_as_well() {
    let (server, bob) = server_and_bob();
    revoke(&server, &bob.token);
    expect_refused(&server, refresh_token(&bob.grant));
}

#[test]
fn rfc7009_section_2_2_an_invalid_token_is_answered_with_200() {
    let (server, bob) = server_and_bob();
    revoke(&server, "unknown");
    revoke(&server, &bob.token);
    revoke(&server, &bob.token);
}

#[test]
fn rfc7009_section_2_2_1_errors_are_those_of_rfc_6749_section_5_2() {
    let (server, _) = server_and_bob();
    server.post("/revoke", json!({"token": "x"})).expect_oauth_error(400, "invalid_request");
    post(&server, "/revoke", &[("token", "x"), ("client_id", "ghost")]).expect_oauth_error(401, "invalid_client");
}

// RFC 7662: token introspection

#[test]
fn rfc7662_section_2_1_the_token_is_required_in_a_form_sent_by_post() {
    let (server, app) = server_and_app();
    app.post(&server, "/introspect", &[]).expect_oauth_error(400, "invalid_request");
    assert_eq!(server.get("/introspect?token=x").status, 405);
}

#[test]
fn rfc7662_section_2_1_to_prevent_token_scanning_the_endpoint_must_require_authorization() {
    let (server, bob) = server_and_bob();
    post(&server, "/introspect", &[("token", &bob.token)]).expect_oauth_error(401, "invalid_client");
}

#[test]
fn rfc7662_section_2_1_the_server_extends_its_search_if_the_hint_does_not_help() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    let fields = [("token", refresh_token(&bob.grant)), ("token_type_hint", "access_token")];
    assert_eq!(app.post(&server, "/introspect", &fields).expect_json(200)["active"], true);
}

#[test]
fn rfc7662_section_2_2_active_is_required_and_a_boolean() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    for token in [bob.token.as_str(), refresh_token(&bob.grant), "x"] {
        assert!(app.introspect(&server, token)["active"].is_boolean());
    }
}

#[test]
fn rfc7662_section_2_2_the_token_type_is_that_of_rfc_6749_section_5_1() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    let told = app.introspect(&server, &bob.token);
    assert!(told["token_type"].as_str().is_none_or(|kind| kind.eq_ignore_ascii_case("bearer")), "{told}");
}

#[test]
fn rfc7662_section_2_2_times_are_integers_in_seconds() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    for token in [bob.token.as_str(), refresh_token(&bob.grant)] {
        let told = app.introspect(&server, token);
        assert!(told["exp"].is_i64() && told["iat"].is_i64(), "{told}");
        assert!((now_seconds() - told["iat"].as_i64().unwrap()).abs() < 60, "{told}");
    }
}

#[test]
fn rfc7662_section_2_2_nothing_more_should_be_said_about_a_token_that_is_not_active() {
    let (server, app) = server_and_app();
    assert_eq!(app.introspect(&server, "x"), json!({"active": false}));
}

#[test]
fn rfc7662_section_2_3_wrong_credentials_are_answered_with_401() {
    let (server, _) = server_and_app();
    let request = server.request("POST", "/introspect").form(&[("token", "x")]);
    request.header("authorization", &basic("app", "wrong")).send().expect_oauth_error(401, "invalid_client");
}

#[test]
fn rfc7662_section_4_the_server_must_determine_whether_the_token_has_expired() {
    let server = Server::with(&[("token.access_ttl_seconds", "1")]);
    let app = App::add(&server.home, "app", &[]);
    let bob = server.sign_up(BOB);
    until("the token has expired", PATIENCE, || app.introspect(&server, &bob.token)["active"] == false);
}

#[test]
fn rfc7662_section_4_the_server_must_determine_whether_the_token_has_been_revoked() {
    let (server, app) = server_and_app();
    let bob = server.log_in(BOB);
    revoke(&server, &bob.token);
    for token in [bob.token.as_str(), refresh_token(&bob.grant)] {
        assert_eq!(app.introspect(&server, token), json!({"active": false}));
    }
}

#[test]
fn rfc7662_section_4_the_server_must_validate_the_signature() {
    let (server, bob) = hs256_and_bob();
    let app = App::add(&server.home, "app", &[]);
    let forged = Forge::of(&bob.token).sign_with(aws_lc_rs::hmac::HMAC_SHA256, b"another secret, as long as it gets");
    assert_eq!(app.introspect(&server, &forged), json!({"active": false}));
}

// RFC 8414: authorization server metadata

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

// RFC 9068: the JWT profile for access tokens

#[test]
fn rfc9068_section_2_1_access_tokens_must_be_signed_and_must_not_use_none() {
    let (server, bob) = hs256_and_bob();
    assert_ne!(decode(&bob.token).0["alg"], "none");
    me(&server, &Forge::of(&bob.token).header("alg", "none").unsigned("")).expect_invalid_token();
}

#[test]
fn rfc9068_section_2_1_the_type_must_be_at_jwt() {
    let (server, bob) = server_and_bob();
    let grant = renew(&server, refresh_token(&bob.grant));
    for token in [&bob.token, access_token(&grant)] {
        assert_eq!(decode(token).0["typ"], "at+jwt");
    }
}

#[test]
fn rfc9068_section_2_2_the_required_claims_are_there() {
    let (server, bob) = server_and_bob();
    let grant = renew(&server, refresh_token(&bob.grant));
    for token in [&bob.token, access_token(&grant)] {
        let (_, claims) = decode(token);
        for claim in ["iss", "aud", "sub", "client_id", "jti"] {
            assert!(claims[claim].as_str().is_some_and(|text| !text.is_empty()), "{claim}: {claims}");
        }
        assert!(claims["exp"].as_i64() > claims["iat"].as_i64(), "{claims}");
    }
}

#[test]
fn rfc9068_section_2_2_the_jti_is_another_one_in_every_token() {
    let (server, bob) = server_and_bob();
    let grant = renew(&server, refresh_token(&bob.grant));
    assert_ne!(decode(&bob.token).1["jti"], decode(access_token(&grant)).1["jti"]);
}

#[test]
fn rfc9068_section_2_2_3_a_scope_that_was_requested_should_be_a_claim() {
    let (server, _) = server_and_bob();
    let reader = server.log_in_for(BOB, "profile");
    assert_eq!(decode(&reader.token).1["scope"], "profile");
}

#[test]
fn rfc9068_section_3_without_a_resource_the_audience_is_the_default_one() {
    let (_server, bob) = server_and_bob();
    assert_eq!(decode(&bob.token).1["aud"], "keyfob");
}

#[test]
fn rfc9068_section_4_the_resource_server_must_reject_any_other_type() {
    let (server, bob) = hs256_and_bob();
    for typ in ["at+jwt", "application/at+jwt"] {
        me(&server, &Forge::of(&bob.token).header("typ", typ).sign()).expect_json(200);
    }
    me(&server, &Forge::of(&bob.token).header("typ", "JWT").sign()).expect_invalid_token();
    me(&server, &Forge::of(&bob.token).without_header("typ").sign()).expect_invalid_token();
}

#[test]
fn rfc9068_section_4_the_issuer_must_match_exactly() {
    let (server, bob) = hs256_and_bob();
    me(&server, &Forge::of(&bob.token).claim("iss", "http://127.0.0.1:8000/").sign()).expect_invalid_token();
}

#[test]
fn rfc9068_section_4_a_token_without_this_audience_must_be_rejected() {
    let (server, bob) = hs256_and_bob();
    me(&server, &Forge::of(&bob.token).claim("aud", "other").sign()).expect_invalid_token();
    me(&server, &Forge::of(&bob.token).without("aud").sign()).expect_invalid_token();
    me(&server, &Forge::of(&bob.token).claim("aud", json!(["other", "keyfob"])).sign()).expect_json(200);
}

#[test]
fn rfc9068_section_4_the_signature_must_be_validated_with_the_published_keys() {
    let (server, bob) = server_and_bob();
    let claims: Value = verify(&bob.token, &published_keys(&server));
    assert_eq!(claims["client_id"], "keyfob");
    let parts: Vec<&str> = bob.token.split('.').collect();
    me(&server, &format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86))).expect_invalid_token();
}

#[test]
fn rfc9068_section_4_the_current_time_must_be_before_exp() {
    let (server, bob) = hs256_and_bob();
    me(&server, &Forge::of(&bob.token).claim("exp", now_seconds()).sign()).expect_invalid_token();
    let short = Server::with(&[("token.access_ttl_seconds", "1")]);
    let bob = short.sign_up(BOB);
    until("the token expires", Duration::from_secs(10), || bob.get("/me").status == 401);
    bob.get("/me").expect_invalid_token();
}

#[test]
fn rfc9068_section_2_2_the_subject_should_be_the_identifier_of_the_resource_owner() {
    let (_server, bob) = server_and_bob();
    let (_, claims) = decode(&bob.token);
    assert!(claims["sub"].as_str().unwrap().bytes().all(|byte| byte.is_ascii_digit()), "{claims}");
    assert!(!claims.to_string().contains('@'), "{claims}");
}
