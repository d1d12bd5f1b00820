"""The service under test and the people who use it; what a story needs that is not its library's job."""

import base64
import json
import os
import time
import uuid

import requests

# The libraries refuse plain HTTP unless told that it is wanted.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

BASE_URL = os.environ["BASE_URL"]
LOGIN = f"{BASE_URL}/login"
REVOKE = f"{BASE_URL}/revoke"
INTROSPECT = f"{BASE_URL}/introspect"
METADATA = f"{BASE_URL}/.well-known/oauth-authorization-server"
JWKS = f"{BASE_URL}/.well-known/jwks.json"
ME = f"{BASE_URL}/me"

# A confidential client.
CLIENT_ID = os.environ["CLIENT_ID"]
CLIENT_SECRET = os.environ["CLIENT_SECRET"]

# The service's token.algorithm and token.audience.
ALGORITHM = os.environ.get("TOKEN_ALGORITHM", "EdDSA")
AUDIENCE = "keyfob"

# What form-encoding must carry unharmed.
PASSWORD = "violet otter & 92+é%=;"
WRONG_PASSWORD = "orange otter & 92+é%=;"


def sign_up():
    """Someone new, as the log-in form wants them."""
    email = f"{uuid.uuid4()}@example.com"
    answer = requests.post(f"{BASE_URL}/signup", json={"email": email, "password": PASSWORD}, timeout=30)
    assert answer.status_code == 201, answer.text
    return {"username": email, "password": PASSWORD}


def get_access_token():
    """The access token of someone new, fetched without a library."""
    answer = requests.post(LOGIN, data=sign_up(), timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def forge(access_token):
    """The same token with the scope `admin`, under the old signature."""
    header, payload, signature = access_token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["scope"] = "admin"
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{header}.{payload}.{signature}"


def assert_signed_out(get_me):
    """Signing out reaches the access tokens within 1 s, on PostgreSQL 2 s."""
    deadline = time.monotonic() + 2
    while (answer := get_me()).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
