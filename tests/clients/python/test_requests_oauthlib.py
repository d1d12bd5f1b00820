"""requests-oauthlib: OAuth2Session with LegacyApplicationClient, the password grant of oauthlib."""

import pytest
from oauthlib.oauth2 import InvalidClientError, InvalidGrantError, LegacyApplicationClient
from requests_oauthlib import OAuth2Session
from service import CLIENT_ID, CLIENT_SECRET, LOGIN, ME, REVOKE, WRONG_PASSWORD, assert_signed_out, sign_up

SECRET = {"client_secret": CLIENT_SECRET}
BOTH = {"client_id": CLIENT_ID, **SECRET}

# How the client says who it is: its id, what fetch_token is told, what the later requests are told.
WAYS = {
    "nothing": (None, {}, {}),
    "an id alone in HTTP Basic": ("keyfob", {}, {"auth": ("keyfob", "")}),
    "an id alone in the body": ("keyfob", {"include_client_id": True}, {"client_id": "keyfob"}),
    "an id and an empty secret in the body": ("keyfob", {"include_client_id": True, "client_secret": ""}, {}),
    "id and secret in HTTP Basic": (CLIENT_ID, SECRET, {"auth": (CLIENT_ID, CLIENT_SECRET)}),
    "id and secret in the body": (CLIENT_ID, {"include_client_id": True, **SECRET}, BOTH),
}


def new_session(client_id=None, scope=None, **options):
    return OAuth2Session(client=LegacyApplicationClient(client_id, scope=scope), **options)


def log_out(session, auth=None, **parameters):
    """Revocation as oauthlib prepares it; requests-oauthlib has no method for it."""
    url, headers, body = LegacyApplicationClient(None).prepare_token_revocation_request(
        REVOKE, session.token["refresh_token"], "refresh_token", **parameters
    )
    return session.post(url, data=body, headers=headers, auth=auth, withhold_token=True)


@pytest.mark.parametrize(("client_id", "at_login", "later"), WAYS.values(), ids=WAYS.keys())
def test_log_in_refresh_and_log_out(client_id, at_login, later):
    ada = sign_up()
    session = new_session(client_id)

    first = session.fetch_token(LOGIN, **ada, **at_login)
    assert session.get(ME).json()["email"] == ada["username"]

    second = session.refresh_token(LOGIN, **later)
    assert second["refresh_token"] != first["refresh_token"]
    assert session.get(ME).status_code == 200

    assert log_out(session, **later).status_code == 200
    with pytest.raises(InvalidGrantError):
        session.refresh_token(LOGIN, **later)
    assert_signed_out(lambda: session.get(ME))


def test_an_expired_token_is_renewed_on_the_way():
    saved = []
    session = new_session(auto_refresh_url=LOGIN, token_updater=saved.append)
    session.fetch_token(LOGIN, **sign_up())
    session.token = {**session.token, "expires_in": -1, "expires_at": 1}

    assert session.get(ME).status_code == 200
    assert [token["access_token"] for token in saved] == [session.access_token]


def test_the_scope_that_was_asked_for_is_granted():
    session = new_session(scope=["profile"])
    assert session.fetch_token(LOGIN, **sign_up())["scope"] == ["profile"]
    assert session.refresh_token(LOGIN)["scope"] == ["profile"]


@pytest.mark.parametrize("who", [{}, {"username": "nobody@example.com"}], ids=["wrong password", "unknown user"])
def test_a_wrong_password_and_an_unknown_user_give_invalid_grant(who):
    with pytest.raises(InvalidGrantError) as refusal:
        new_session().fetch_token(LOGIN, **{**sign_up(), "password": WRONG_PASSWORD, **who})
    assert refusal.value.error == "invalid_grant"
    assert refusal.value.description == "Incorrect username or password"


def test_a_wrong_client_secret_gives_invalid_client():
    with pytest.raises(InvalidClientError) as refusal:
        new_session(CLIENT_ID).fetch_token(LOGIN, **sign_up(), client_secret="wrong")
    assert refusal.value.error == "invalid_client"
