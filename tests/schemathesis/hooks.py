"""Who sends the requests that schemathesis makes, and checks of our own for what a JSON Schema cannot tell."""

import base64
import os
import uuid
from dataclasses import dataclass

import requests
import schemathesis

BASE_URL = os.environ["BASE_URL"]
CLIENT = ("schemathesis", os.environ["CLIENT_SECRET"])
PASSWORD = "correct horse battery staple"
# `account` or `nobody`.
SENDER = os.environ["SENDER"]

# Each request of these is sent by an account of its own: it may end the session, or change or delete the account.
ENDING = {"delete_me", "change_password", "change_email", "end_session", "end_other_sessions", "log_out"}

# Rules for new passwords (docs/passwords.md).
PASSWORD_FAULTS = (
    "string_too_short",
    "string_too_long",
    "value_error",
    "password_guessable",
    "password_contains_email",
    "password_contains_name",
)

# What is refused with 422 by rules that a schema cannot tell, as (loc, type).
UNTOLD = {
    # 8 to 72 bytes in UTF-8 (a schema counts characters), and not easy to guess.
    *((("body", "password"), kind) for kind in PASSWORD_FAULTS),
    *((("body", "new_password"), kind) for kind in PASSWORD_FAULTS),
    # A cursor is what an earlier page gave, and nothing else.
    (("query", "cursor"), "value_error"),
}


@dataclass(frozen=True)
class Account:
    """Somebody who has just signed up and logged in."""

    id: int
    email: str
    token: str
    session_id: int

    @classmethod
    def fresh(cls) -> "Account":
        email = f"{uuid.uuid4()}@example.com"
        made = read(requests.post(f"{BASE_URL}/signup", json={"email": email, "password": PASSWORD}, timeout=60))
        login = read(requests.post(f"{BASE_URL}/login", data={"username": email, "password": PASSWORD}, timeout=60))
        header = {"Authorization": f"Bearer {login['access_token']}"}
        sessions = read(requests.get(f"{BASE_URL}/me/sessions", headers=header, timeout=60))
        return cls(made["id"], email, login["access_token"], sessions["items"][0]["id"])


def read(response):
    response.raise_for_status()
    return response.json()


SHARED = Account.fresh()


@schemathesis.auth(refresh_interval=None)
class Sender:
    """Puts the credentials into the header of each request; for good ones also what only the sender can know."""

    def get(self, case, context):
        if SENDER == "nobody":
            return None
        return Account.fresh() if operation_id(case) in ENDING else SHARED

    def set(self, case, account, context):
        if operation_id(case) == "introspect_token":
            case.headers["Authorization"] = "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode()
        else:
            case.headers["Authorization"] = f"Bearer {account.token}"
        if is_good(case):
            make_effective(case, account)


def operation_id(case) -> str:
    return case.operation.definition.raw["operationId"]


def is_good(case) -> bool:
    return case.meta is not None and case.meta.generation.mode.is_positive


def make_effective(case, account):
    """Made-up passwords, tokens and ids are refused: with those of `account` the answers of success are seen too."""
    match operation_id(case):
        case "delete_me":
            case.body["password"] = PASSWORD
        case "change_password" | "change_email":
            case.body["current_password"] = PASSWORD
        case "end_session":
            case.path_parameters["id"] = account.session_id
        case "read_profile":
            case.path_parameters["id"] = account.id
        case "log_out":
            case.body["token"] = account.token
        case "introspect_token":
            # Credentials in two places are refused (RFC 6749 §2.3).
            case.body = {name: value for name, value in case.body.items() if not name.startswith("client_")}
            case.body["token"] = account.token
        case "log_in" if "refresh_token" not in case.body:  # the others stay as they were made
            case.body = {"username": account.email, "password": PASSWORD}


@schemathesis.check
def good_input_is_refused_only_for_what_no_schema_tells(ctx, response, case):
    """What the configuration lets pass by its status is looked at here fault by fault."""
    if not is_good(case) or response.status_code != 422:
        return
    for fault in response.json()["errors"]:
        untold = (tuple(fault["loc"]), fault["type"]) in UNTOLD
        assert untold, f"refused, and nothing in the document says so: {fault}"


@schemathesis.check
def a_good_request_with_a_token_is_never_answered_401(ctx, response, case):
    """Otherwise a token that has died would make the rest of the run easy to pass."""
    if SENDER == "account" and is_good(case) and case.operation.definition.raw["security"]:
        assert response.status_code != 401, "the token is not accepted"


@schemathesis.check
def without_a_token_protected_routes_say_401_whatever_is_sent(ctx, response, case):
    """The contract's order: credentials before path id, content type and body. Another path or method is another route."""
    if SENDER == "nobody" and case.operation.definition.raw["security"]:
        assert response.status_code in (401, 404, 405), f"401 expected, not {response.status_code}"
