"""docs/moving-in.md: what it says of refused rows and of FastAPI routes; and that all pages name routes which there are."""

import asyncio
import json
import re

import httpx
import pytest
from fastapi import FastAPI
from page import DOCS, Page

HASH = "$2b$04$Fz3WHKg9WUUKG7dwkyNCk.6AuQU3J9R73xG7urDmAi/tXHVwWl0em"
PASSWORD = "correct-Horse 7"


def row(email, **others):
    return json.dumps({"email": email, "password_hash": HASH, **others})


def test_rows_are_refused_for_the_reasons_of_the_page(home):
    (home.folder / "first.jsonl").write_text(row("first@example.com", id=1))
    home.run("keyfob user import first.jsonl")
    rows = [
        row("ada@example.com"),
        row("Ada@example.com"),
        row("FIRST@example.com"),
        row("bob@example.com", id=1),
        row("bob@example.com", id="a27ea2c8-ad67-4dee-bbe8-e06ed6e41598"),
        row("admin@localhost"),
        json.dumps({"email": "bob@example.com"}),
        row("bob@example.com", password_hash="sha1$c2FsdA$0123456789"),
        row("bob@example.com", full_name="ü" * 201),
    ]
    # The first row is nobody's fault.
    (home.folder / "users.jsonl").write_text("\n".join(rows))
    refused = home.run("keyfob user import users.jsonl", code=1)
    assert refused.stdout == f"imported 1, refused {len(rows) - 1}\n"
    reported = {re.sub(r"^line \d+: ", "", line) for line in refused.stderr.splitlines()}
    page = (DOCS / "moving-in.md").read_text()
    reasons = [re.sub(r"line \d+", "line 1", reason) for reason in re.findall(r"^\| `(\w+: [^`]+)` \|", page, re.M)]
    assert len(reasons) == len(reported)
    for reason in reasons:
        assert any(line.startswith(reason) for line in reported), f"{reason}\n{refused.stderr}"


def test_a_fastapi_route_takes_the_tokens_of_keyfob(home):
    [source] = Page("moving-in.md", [("http://127.0.0.1:8000", home.url)]).blocks(
        "Routes that stay in FastAPI", "python"
    )

    def make_app():
        names = {}
        exec(source, names)
        app = FastAPI()

        @app.get("/items")
        def list_items(user_id: names["UserId"]):
            return user_id

        return app

    def list_items(app, headers):
        async def get():
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://items") as client:
                return await client.get("/items", headers=headers)

        return asyncio.run(get())

    home.start("keyfob\n")
    user = {"email": "ada@example.com", "password": PASSWORD}
    signed_up = httpx.post(f"{home.url}/signup", json=user, timeout=60)
    token = home.log_in(*user.values()).json()["access_token"]
    app = make_app()
    answer = list_items(app, {"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()) == (200, signed_up.json()["id"])
    header, payload, signature = token.split(".")
    for wrong in ["nonsense", f"{header}.{payload}.{signature[::-1]}", f"{header}.{payload}."]:
        answer = list_items(app, {"Authorization": f"Bearer {wrong}"})
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), wrong
    assert list_items(app, {}).status_code == 401

    home.stop()
    # One that has not fetched the keys before.
    assert list_items(make_app(), {"Authorization": f"Bearer {token}"}).status_code == 503


@pytest.mark.parametrize("name", ["from-fastapi-template.md", "from-fastapi-users.md", "moving-in.md"])
def test_the_routes_and_settings_on_the_pages_exist(home, name):
    page = (DOCS / name).read_text()
    paths = json.loads(home.run("keyfob openapi").stdout)["paths"]
    # In tables they are in the last column.
    named = re.findall(r"`(GET|POST|PATCH|DELETE) (/[^` ]*)`", re.sub(r"^\|[^|]*\|", "", page, flags=re.M))
    assert named
    for method, path in named:
        assert method.lower() in paths.get(path, {}), f"{method} {path}"
    settings = re.findall(r"KEYFOB__([A-Z]+)__([A-Z_]+)", page) + re.findall(r"`(server|token|password)\.(\w+)`", page)
    assert settings
    config = home.run("keyfob config").stdout
    for section, key in settings:
        body = config.split(f"[{section.lower()}]\n")[1].split("\n[")[0]
        assert re.search(rf"^(# )?{key.lower()} = ", body, re.M), f"{section}.{key}"
