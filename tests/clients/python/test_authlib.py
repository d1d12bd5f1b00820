"""Authlib: OAuth2Session."""

import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from service import BASE_URL, CLIENT_ID, CLIENT_SECRET, INTROSPECT, LOGIN, ME, METADATA, REVOKE, WRONG_PASSWORD
from service import assert_signed_out, sign_up

BY_POST = {
    "token_endpoint_auth_method": "client_secret_post",
    "revocation_endpoint_auth_method": "client_secret_post",
}

# How the client says who it is.
WAYS = {
    "an empty id": {"client_id": ""},
    "an id alone": {"client_id": "keyfob"},
    "client_secret_basic": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    "client_secret_post": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **BY_POST},
}


def new_session(**options):
    return OAuth2Session(token_endpoint=LOGIN, default_timeout=30, **options)


@pytest.mark.parametrize("client", WAYS.values(), ids=WAYS.keys())
def test_log_in_refresh_and_log_out(client):
    ada = sign_up()
    session = new_session(**client)

    first = session.fetch_token(**ada)
    assert session.get(ME).json()["email"] == ada["username"]

    second = session.refresh_token()
    assert second["refresh_token"] != first["refresh_token"]
    assert session.get(ME).status_code == 200

    assert session.revoke_token(REVOKE).status_code == 200
    with pytest.raises(OAuthError) as refusal:
        session.refresh_token(refresh_token=second["refresh_token"])
    assert refusal.value.error == "invalid_grant"
    assert_signed_out(lambda: session.get(ME))


def test_an_expired_token_is_renewed_on_the_way():
    saved = []
    session = new_session(client_id="keyfob", update_token=lambda token, refresh_token: saved.append(token))
    expired = {**session.fetch_token(**sign_up()), "expires_in": -1, "expires_at": 1}
    session.token = expired

    assert session.get(ME).status_code == 200
    assert [token["access_token"] for token in saved] == [session.token["access_token"]]
    assert session.token["access_token"] != expired["access_token"]


@pytest.mark.parametrize("hint", ["access_token", "refresh_token"])
def test_a_confidential_client_introspects_the_tokens_of_an_app(hint):
    ada = sign_up()
    app = new_session(client_id="keyfob")
    token = app.fetch_token(**ada)[hint]
    api = new_session(client_id=CLIENT_ID, client_secret=CLIENT_SECRET)

    said = api.introspect_token(INTROSPECT, token=token, token_type_hint=hint).json()
    assert (said["active"], said["client_id"], said["iss"]) == (True, "keyfob", BASE_URL)
    assert said["sub"] == str(app.get(ME).json()["id"])

    app.revoke_token(REVOKE, token=token, token_type_hint=hint)
    assert api.introspect_token(INTROSPECT, token=token, token_type_hint=hint).json() == {"active": False}


def test_a_public_client_may_not_introspect():
    app = new_session(client_id="keyfob")
    app.fetch_token(**sign_up())
    answer = app.introspect_token(INTROSPECT, token=app.token["access_token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_wrong_password_gives_invalid_grant():
    with pytest.raises(OAuthError) as refusal:
        new_session(client_id="keyfob").fetch_token(**{**sign_up(), "password": WRONG_PASSWORD})
    assert refusal.value.error == "invalid_grant"
    assert refusal.value.description == "Incorrect username or password"


def test_a_wrong_client_secret_gives_invalid_client():
    with pytest.raises(OAuthError) as refusal:
        new_session(client_id=CLIENT_ID, client_secret="wrong").fetch_token(**sign_up())
    assert refusal.value.error == "invalid_client"


def test_the_metadata_is_found_under_the_issuer_and_valid():
    url = get_well_known_url(BASE_URL, external=True)
    assert url == METADATA
    metadata = AuthorizationServerMetadata(requests.get(url, timeout=30).json())
    metadata.validate()
    assert (metadata.issuer, metadata.token_endpoint) == (BASE_URL, LOGIN)
