"""docs/from-fastapi-template.md, on a database that passlib and pwdlib filled."""

import json
import os
import sys

import psycopg
import pytest
from keyfob import assert_kept, assert_moved, make
from page import Page

OLD_PYTHON = os.environ["OLD_PYTHON"]
OLD_URL = "postgresql://postgres:changethis@localhost:5432/app"

PASSLIB = [
    {"email": "admin@example.com", "password": "changethis", "is_superuser": True},
    {"email": "ada@example.com", "password": "pässwörd-ключ-密码", "full_name": 'Ada "A."\nLovelace, Countess'},
    {"email": "bob@example.com", "password": "correct-Horse 7", "is_active": False},
]
PWDLIB = [
    {"email": "o'hara+cy@example.com", "password": "violet otter & 92+é%=;", "full_name": ""},
    {"email": "Дмитрий@bücher.example.org", "password": "pässwörd-ключ-密码", "full_name": "Дмитрий"},
    {"email": "dee@example.com", "password": "correct-Horse 8", "is_active": False},
    {"email": "eve@example.com", "password": "x" * 128, "full_name": "ü" * 255},
    {"email": "Fay@example.com", "password": "correct-Horse 9", "is_superuser": True},
]
# bcrypt took the first 72 bytes.
CUT = {"email": "gus@example.com", "password": "y" * 80}
# The template tells addresses apart by case.
DOUBLE = {"email": "Ada@example.com", "password": "correct-Horse 10"}


@pytest.fixture
def page(home, postgres):
    return Page("from-fastapi-template.md", [(OLD_URL, postgres), ("http://127.0.0.1:8000", home.url)])


def make_accounts(url):
    url = url.replace("postgresql://", "postgresql+psycopg://")
    make(OLD_PYTHON, "make_template.py", url, people=[*PASSLIB, CUT])
    make(sys.executable, "make_template.py", url, people=[*PWDLIB, DOUBLE])


def test_the_accounts_of_a_template_move(home, page, postgres):
    make_accounts(postgres)
    home.run(*page.blocks("Export"))
    rows = home.rows()
    assert [row["email"] for row in rows] == [person["email"] for person in [*PASSLIB, CUT, *PWDLIB, DOUBLE]]
    assert [int(row["id"]) for row in rows] == list(range(1, len(rows) + 1))
    assert all(row["password_hash"].startswith("$2b$12$") for row in rows[: len(PASSLIB) + 1])
    assert all(row["password_hash"].startswith("$argon2id$") for row in rows[len(PASSLIB) + 1 :])

    dry_run, real = page.blocks("Import")
    moved = len(rows) - 1
    for block, verb in [(dry_run, "would import"), (real, "imported")]:
        done = home.run(block, code=1)
        assert done.stdout == f"{verb} {moved}, refused 1\n"
        # The name with a line break makes one row two lines.
        assert done.stderr == "line 12: email: line 3 has it already\n"
    assert_kept(home, rows, [*PASSLIB, *PWDLIB])
    start, log_in = page.blocks("Log in")
    home.start(start)
    assert json.loads(home.run(log_in).stdout)["token_type"] == "bearer"
    assert_moved(home, rows, [*PASSLIB, *PWDLIB])
    assert home.log_in(DOUBLE["email"], DOUBLE["password"]).status_code == 400
    assert home.log_in(CUT["email"], CUT["password"]).status_code == 400
    assert home.log_in(CUT["email"], CUT["password"][:72]).status_code == 200


def test_the_items_of_a_template_follow_their_owners(home, page, postgres):
    make_accounts(postgres)
    home.run(*page.blocks("Export"), *page.blocks("Other tables"))
    ids = {row["email"]: int(row["id"]) for row in home.rows()}
    with psycopg.connect(postgres) as old:
        items = dict(old.execute("SELECT title, author_id FROM item"))
    assert items == {f"of {email}": number for email, number in ids.items()}
