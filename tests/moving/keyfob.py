"""A folder in which a reader of a page works: a shell with `keyfob` in its path, and the service once it is started."""

import csv
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time

import httpx

KEYFOB = os.environ["KEYFOB_BINARY"]
START_SECONDS = STOP_SECONDS = 30


class Home:
    def __init__(self, folder):
        self.folder = folder
        self.process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % free.getsockname()[1]
        self.url = f"http://{address}"
        (folder / "bin").mkdir()
        (folder / "bin" / "keyfob").symlink_to(KEYFOB)
        self.environment = os.environ | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "KEYFOB__SERVER__BIND": address,
            "KEYFOB__TOKEN__ISSUER": self.url,
            # Quick, and another cost than that of any hash that comes.
            "KEYFOB__PASSWORD__BCRYPT_COST": "4",
        }

    def run(self, *blocks, code=0):
        """What the blocks print, pasted one after the other into one shell."""
        script = "".join(blocks)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        )
        assert done.returncode == code, f"{script}\n{done.stdout}\n{done.stderr}"
        return done

    def rows(self):
        """The file that the export wrote, which nobody else may read."""
        file = self.folder / "users.csv"
        assert file.stat().st_mode & 0o777 == 0o600
        with file.open(newline="") as lines:
            return list(csv.DictReader(lines))

    def start(self, block):
        """Runs the block that starts the service."""
        assert block == "keyfob\n"
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(
                ["keyfob"], executable=KEYFOB, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self):
        """It must end by itself, with status 0."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(STOP_SECONDS) == 0
        finally:
            self.process.kill()

    def log_in(self, email, password):
        return httpx.post(f"{self.url}/login", data={"username": email, "password": password}, timeout=60)

    def profile(self, email, password):
        """What /me says once somebody has logged in."""
        answer = self.log_in(email, password)
        assert answer.status_code == 200, f"{email}: {answer.text}"
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        me = httpx.get(f"{self.url}/me", headers=bearer, timeout=60)
        assert me.status_code == 200, me.text
        return me.json()

    def kept_hash(self, email):
        """What the database holds of a password."""
        with sqlite3.connect(self.folder / "keyfob.db") as database:
            query = "SELECT password_hash FROM users WHERE email = ?"
            return database.execute(query, (email,)).fetchone()[0]


def assert_kept(home, rows, people):
    """Nothing but the import has happened: everybody has the old hash."""
    old = {row["email"]: row["password_hash"] for row in rows}
    for person in people:
        assert home.kept_hash(person["email"]) == old[person["email"]]


def assert_moved(home, rows, people):
    """Everybody logs in with the old password, is who they were, and has a hash of Keyfob's own afterwards."""
    ids = {row["email"]: int(row["id"]) for row in rows}
    for person in people:
        email, password = person["email"], person["password"]
        kept = home.kept_hash(email)
        refused = home.log_in(email, password + "x")
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant"), email
        assert home.kept_hash(email) == kept
        if not person.get("is_active", True):
            inactive = home.log_in(email, password)
            assert (inactive.status_code, inactive.json()) == (400, refused.json()), email
            assert home.kept_hash(email) == kept
            continue
        me = home.profile(email, password)
        assert (me["email"], me["id"]) == (email, ids[email])
        assert me["is_admin"] == person.get("is_superuser", False)
        assert me["email_verified"] == person.get("is_verified", False)
        assert me["full_name"] == (person["full_name"][:200] if person.get("full_name") else None)
        is_too_long = len(password.encode()) > 72
        assert home.kept_hash(email).startswith("$argon2id$" if is_too_long else "$2b$04$"), email
        assert home.profile(email, password)["id"] == ids[email], "once more, with the hash that is Keyfob's"


def make(python, script, *arguments, people):
    """Runs a script that makes accounts, with the packages of a venv."""
    subprocess.run(
        [python, f"{os.path.dirname(__file__)}/{script}", *arguments], input=json.dumps(people), text=True, check=True
    )
