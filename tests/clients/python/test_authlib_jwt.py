"""Authlib and joserfc, its JWT library: an API checks access tokens by itself, with the public keys (RFC 9068 §4)."""

import pytest
import requests
from authlib.oauth2.rfc6750 import InsufficientScopeError, InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet
from service import ALGORITHM, AUDIENCE, BASE_URL, JWKS, forge, get_access_token

# Under EdDSA the validator refuses every token: joserfc takes that algorithm only where the caller names it, and the
# validator names none. joserfc itself can be told, see below.
UNDER_EDDSA = {"condition": ALGORITHM == "EdDSA", "reason": "Authlib's validator does not take EdDSA"}
fails_under_eddsa = pytest.mark.xfail(**UNDER_EDDSA, raises=InvalidTokenError, strict=True)
not_under_eddsa = pytest.mark.skipif(**UNDER_EDDSA)


def fetch_keys():
    return KeySet.import_key_set(requests.get(JWKS, timeout=30).json())


class Validator(JWTBearerTokenValidator):
    def __init__(self, audience=AUDIENCE):
        super().__init__(issuer=BASE_URL, resource_server=audience)

    def get_jwks(self):
        return fetch_keys()

    def check(self, access_token, scope="profile"):
        token = self.authenticate_token(access_token)
        self.validate_token(token, [scope], None)
        return token


@fails_under_eddsa
def test_the_validator_accepts_an_access_token():
    token = Validator().check(get_access_token())
    assert token.header["alg"] == ALGORITHM
    assert token["client_id"] == "keyfob"


@not_under_eddsa
def test_the_validator_asks_for_the_scope():
    with pytest.raises(InsufficientScopeError):
        Validator().check(get_access_token(), scope="admin")


@not_under_eddsa
def test_the_validator_refuses_a_forged_token():
    with pytest.raises(InvalidTokenError):
        Validator().check(forge(get_access_token()))


@not_under_eddsa
def test_the_validator_refuses_a_token_for_another_api():
    with pytest.raises(InvalidTokenError):
        Validator(audience="another-api").check(get_access_token())


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_joserfc_verifies_an_access_token_under_a_named_algorithm():
    token = jwt.decode(get_access_token(), fetch_keys(), algorithms=[ALGORITHM])
    assert token.header["typ"] == "at+jwt"
    rules = {name: {"essential": True} for name in ("exp", "iat", "sub", "jti", "client_id", "scope", "sid")}
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": BASE_URL}, aud={"essential": True, "value": AUDIENCE}, **rules
    )
    registry.validate(token.claims)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_joserfc_refuses_a_forged_token():
    with pytest.raises(BadSignatureError):
        jwt.decode(forge(get_access_token()), fetch_keys(), algorithms=[ALGORITHM])
