"""A running Keyfob on SQLite in a folder of its own, and a client for it."""

import contextlib
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

KEYFOB = os.environ["KEYFOB_BINARY"]
WORK = Path(os.environ["WORK"])
PASSWORD = "violet-otter-92"
PATIENCE_SECONDS = 30


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:400]}"


class Service:
    """Its data and its log are in `folder`; `more` are settings by their name in the environment."""

    def __init__(self, folder=None, more=None, log=None):
        self.folder = Path(folder or tempfile.mkdtemp(dir=WORK))
        self.log = Path(log or self.folder / "log")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        own = {name: value for name, value in os.environ.items() if not name.startswith("KEYFOB") and name != "RUST_LOG"}
        self.environment = own | {
            "KEYFOB__SERVER__BIND": f"127.0.0.1:{self.port}",
            "KEYFOB__TOKEN__ISSUER": f"http://127.0.0.1:{self.port}",
            "KEYFOB__PASSWORD__BCRYPT_COST": "4",
        } | (more or {})
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [KEYFOB, "serve"], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until("the service is ready", self.is_ready)
        return self

    def is_ready(self):
        assert self.is_running(), f"the service ended: {self.log.read_text()[-4000:]}"
        try:
            return self.get("/readyz").status == 200
        except OSError:
            return False

    def is_running(self):
        return self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def stop(self):
        """It must end by itself, with status 0, and must not have panicked."""
        if self.process is None:
            return
        try:
            self.process.send_signal(signal.SIGTERM)
            status = self.process.wait(PATIENCE_SECONDS)
        finally:
            self.process.kill()
        assert status == 0, f"status {status}: {self.log.read_text()[-4000:]}"
        assert "panicked" not in self.log.read_text(), self.log.read_text()[-4000:]

    def run(self, *arguments):
        """The command line in the same folder, with the same settings."""
        return subprocess.run(
            [KEYFOB, *arguments], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE_SECONDS,
        )

    def request(self, method, path, token=None, form=None, data=None):
        """On a connection of its own; whoever is not answered within `PATIENCE_SECONDS` fails."""
        headers, body = {}, None
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if form is not None:
            headers["Content-Type"], body = "application/x-www-form-urlencoded", urllib.parse.urlencode(form)
        if data is not None:
            headers["Content-Type"], body = "application/json", json.dumps(data)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()

    def get(self, path, token=None):
        return self.request("GET", path, token)

    def post(self, path, data, token=None):
        return self.request("POST", path, token, data=data)

    def sign_up(self, email):
        return self.post("/signup", {"email": email, "password": PASSWORD})

    def log_in(self, email, password=PASSWORD):
        return self.request("POST", "/login", form={"username": email, "password": password})

    def refresh(self, token):
        return self.request("POST", "/login", form={"grant_type": "refresh_token", "refresh_token": token})

    def revoke(self, token):
        return self.request("POST", "/revoke", form={"token": token})

    def write_post(self, token, title, content="text"):
        return self.post("/posts", {"title": title, "content": content}, token)

    def member(self, email):
        """Signs up and logs in: the answer of the log-in."""
        expect(self.sign_up(email), 201)
        return expect(self.log_in(email), 200).json()

    def integrity(self):
        """What SQLite says about the file."""
        with contextlib.closing(sqlite3.connect(self.folder / "keyfob.db")) as data:
            return [line for (line,) in data.execute("PRAGMA integrity_check")]


def expect(answer, status):
    assert answer.status == status, f"expected {status}: {answer}"
    return answer


def until(what, is_so, seconds=PATIENCE_SECONDS):
    """Waits for what is bound to happen."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
