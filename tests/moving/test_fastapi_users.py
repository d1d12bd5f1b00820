"""docs/from-fastapi-users.md, on databases that fastapi-users 12 and 15 filled."""

import json
import os
import sqlite3
import sys

import psycopg
import pytest
from keyfob import assert_kept, assert_moved, make
from page import Page

OLD_PYTHON = os.environ["OLD_PYTHON"]
POSTGRES_URL = "postgresql://postgres:password@localhost:5432/app"

BCRYPT = [
    {"email": "king.arthur@camelot.bt", "password": "guinevere", "is_superuser": True, "is_verified": True},
    {"email": "ada@example.com", "password": "pässwörd-ключ-密码"},
    {"email": "bob@example.com", "password": "correct-Horse 7", "is_active": False},
]
ARGON2 = [
    {"email": "Cy@example.com", "password": "violet otter & 92+é%=;", "is_verified": True},
    {"email": "дмитрий@bücher.example.org", "password": "pässwörd-ключ-密码"},
    {"email": "dee@example.com", "password": "correct-Horse 8", "is_active": False, "is_superuser": True},
    {"email": "eve@example.com", "password": "x" * 128},
]
LINKED = {"email": "gwen@example.com", "provider": "google"}
PEOPLE = [*BCRYPT, *ARGON2]


def make_accounts(url, kind):
    make(OLD_PYTHON, "make_fastapi_users.py", url, kind, people=BCRYPT)
    make(sys.executable, "make_fastapi_users.py", url, kind, people=[*ARGON2, LINKED])


def assert_moves(home, page, export):
    """Follows the page from this export to its end."""
    home.run(*page.blocks(export))
    rows = home.rows()
    assert {row["email"] for row in rows} == {person["email"] for person in [*PEOPLE, LINKED]}
    assert [int(row["id"]) for row in rows] == list(range(1, len(rows) + 1))
    bcrypted = {row["email"] for row in rows if row["password_hash"].startswith("$2b$12$")}
    assert bcrypted == {person["email"] for person in BCRYPT}

    dry_run, real = page.blocks("Import")
    for block, verb in [(dry_run, "would import"), (real, "imported")]:
        done = home.run(block)
        assert (done.stdout, done.stderr) == (f"{verb} {len(rows)}, refused 0\n", "")
    assert_kept(home, rows, PEOPLE)
    start, log_in = page.blocks("Log in")
    home.start(start)
    assert json.loads(home.run(log_in).stdout)["token_type"] == "bearer"
    assert_moved(home, rows, PEOPLE)
    return {row["email"]: int(row["id"]) for row in rows}


@pytest.mark.parametrize("export", ["On SQLite", "On SQLite, without the command `sqlite3`"])
def test_accounts_move_from_sqlite(home, export):
    make_accounts(f"sqlite+aiosqlite:///{home.folder}/test.db", "uuid")
    page = Page("from-fastapi-users.md", [("http://127.0.0.1:8000", home.url)])
    ids = assert_moves(home, page, export)
    [linked] = page.blocks("People without a password", "sql")
    [other_tables] = page.blocks("Other tables", "sql")
    with sqlite3.connect(home.folder / "test.db") as old:
        assert old.execute(linked).fetchall() == [(LINKED["email"],)]
        old.executescript(other_tables)
        assert dict(old.execute("SELECT text, author_id FROM note")) == {f"of {email}": ids[email] for email in ids}


@pytest.mark.parametrize("kind, export", [("uuid", "On PostgreSQL"), ("integer", "Where ids are integers")])
def test_accounts_move_from_postgresql(home, postgres, kind, export):
    make_accounts(postgres.replace("postgresql://", "postgresql+asyncpg://"), kind)
    page = Page("from-fastapi-users.md", [(POSTGRES_URL, postgres), ("http://127.0.0.1:8000", home.url)])
    ids = assert_moves(home, page, export)
    with psycopg.connect(postgres) as old:
        [linked] = page.blocks("People without a password", "sql")
        assert old.execute(linked).fetchall() == [(LINKED["email"],)]
        if kind == "integer":
            assert dict(old.execute('SELECT email, id FROM "user"')) == ids
        else:
            [other_tables] = page.blocks("Other tables", "sql")
            old.execute(other_tables)
            assert dict(old.execute("SELECT text, author_id FROM note")) == {f"of {email}": ids[email] for email in ids}
