//! RFC 6749: the OAuth 2.0 authorization framework.

use super::{BOB, GOOD, log_in, post, server_and_app, server_and_bob};
use crate::steps::{App, access_token, basic, expect_refused, refresh, refresh_token, renew, revoke};
use crate::support::{Server, USER_SCOPES, words};

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
