"""PyJWT: an API checks access tokens by itself, with PyJWKClient and the address of the public keys."""

import jwt
import pytest
from service import ALGORITHM, AUDIENCE, BASE_URL, JWKS, forge, get_access_token

CLAIMS = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "sid"]


@pytest.fixture(scope="module")
def keys():
    return jwt.PyJWKClient(JWKS)


def verify(keys, access_token, audience=AUDIENCE, issuer=BASE_URL):
    return jwt.decode_complete(
        access_token,
        keys.get_signing_key_from_jwt(access_token),
        algorithms=[ALGORITHM],
        audience=audience,
        issuer=issuer,
        options={"require": CLAIMS},
    )


def test_an_access_token_verifies(keys):
    token = verify(keys, get_access_token())
    assert token["header"]["typ"] == "at+jwt"
    assert token["payload"]["client_id"] == "keyfob"
    assert token["payload"]["scope"] == "profile posts"


def test_a_forged_token_is_refused(keys):
    with pytest.raises(jwt.InvalidSignatureError):
        verify(keys, forge(get_access_token()))


def test_a_token_for_another_api_is_refused(keys):
    with pytest.raises(jwt.InvalidAudienceError):
        verify(keys, get_access_token(), audience="another-api")


def test_a_token_of_another_issuer_is_refused(keys):
    with pytest.raises(jwt.InvalidIssuerError):
        verify(keys, get_access_token(), issuer="https://another.example")
