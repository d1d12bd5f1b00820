"""The clients of docs/clients.md, run out of the page against a service whose access tokens live for a few seconds.

Each client is run twice: by the lines that the page shows, and by a driver, which signs in, calls a few times at once,
waits until the access token has expired, calls as often at once, and signs out. What the clients sent is read in the
service's own log, so that no client can claim what it did not do.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections import Counter
from pathlib import Path

import page
import pytest
import requests

HERE = Path(__file__).resolve().parent
BASE_URL = os.environ["BASE_URL"]
LOG = Path(os.environ["SERVICE_LOG"])
TTL_SECONDS = os.environ["ACCESS_TTL_SECONDS"]
LOG_SECONDS = 10
AT_ONCE = 6
# Each call of HTTPie starts a Python, which takes its time.
AT_ONCE_HTTPIE = 3

# What the log says of the page's own lines.
LINES = {
    ("POST", "/login", 200): 1,
    ("GET", "/me", 200): 1,
    ("POST", "/posts", 201): 1,
    ("POST", "/revoke", 200): 1,
}


@pytest.fixture
def email():
    """Somebody new, with the page's password."""
    email = f"{uuid.uuid4()}@example.com"
    answer = requests.post(f"{BASE_URL}/signup", json={"email": email, "password": page.PASSWORD}, timeout=30)
    assert answer.status_code == 201, answer.text
    return email


def story(at_once):
    """What the log says of a driver: every call succeeds in the end, for one log-in and one refresh."""
    return {("POST", "/login", 200): 2, ("GET", "/me", 200): 2 * at_once, ("POST", "/revoke", 200): 1}


class Requests:
    """What the service logs of the requests that come after this was made."""

    def __init__(self):
        _, self._start = whole_log(0)

    def read(self):
        lines, _ = whole_log(self._start)
        seen = [line for line in lines if line.get("target") == "keyfob::request"]
        return Counter((line["method"], line["path"], line["status"]) for line in seen)


def whole_log(start):
    """The lines from there to that of a request that is made here, and where that ends: lines come some moments after what
    they tell of."""
    marker = uuid.uuid4().hex
    requests.get(f"{BASE_URL}/healthz", headers={"x-request-id": marker}, timeout=30)
    end = time.monotonic() + LOG_SECONDS
    while time.monotonic() < end:
        with LOG.open("rb") as log:
            log.seek(start)
            text = log.read()
        before, found, rest = text.partition(marker.encode())
        if found and b"\n" in rest:
            lines = before.splitlines()[:-1]
            return [json.loads(line) for line in lines], start + len(before + found) + rest.index(b"\n") + 1
        time.sleep(0.01)
    raise AssertionError(f"the last request is not in the log within {LOG_SECONDS} s")


def write(folder, name, text, email):
    """A block as a file: the page's service and person replaced by the test's."""
    replaced = text.replace(page.URL, BASE_URL).replace(page.EMAIL, email)
    (folder / name).write_text(replaced, encoding="utf-8")


def run(folder, command, email, stdin="", at_once=AT_ONCE):
    variables = {
        "EMAIL": email,
        "PASSWORD": page.PASSWORD,
        "AT_ONCE": str(at_once),
        "WAIT_SECONDS": f"{float(TTL_SECONDS) + 0.3}",
        "HOME": str(folder),
        "TOKENS": str(folder / "tokens"),
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | variables,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def assert_story(requests_seen, expected, refused):
    """Exactly these requests were answered so, and some calls were refused first."""
    seen = requests_seen.read()
    refusals = seen.pop(("GET", "/me", 401), 0)
    assert seen == expected
    assert refusals in refused, f"{refusals} calls got 401"


def assert_page_works(folder, lines, driver, email, stdin="", at_once=AT_ONCE):
    """Runs the page's own lines, then the driver."""
    before = Requests()
    printed = run(folder, lines, email, stdin)
    assert email in printed, printed
    assert_story(before, LINES, range(0, 1))

    before = Requests()
    run(folder, driver, email, stdin, at_once)
    assert_story(before, story(at_once), range(1, at_once + 1))


@pytest.mark.parametrize(
    "section, call, at_once", [("curl", "api /me", AT_ONCE), ("HTTPie", "api GET /me", AT_ONCE_HTTPIE)]
)
def test_shell(section, call, at_once, email, tmp_path):
    client, use = page.read_blocks(section, "bash")
    write(tmp_path, "client.sh", client, email)
    write(tmp_path, "use.sh", f"set -e\n. ./client.sh\n{use}", email)
    shutil.copy(HERE / "drive.sh", tmp_path)
    driver = ["bash", "drive.sh", *call.split()]
    assert_page_works(tmp_path, ["bash", "use.sh"], driver, email, f"{page.PASSWORD}\n", at_once)
    assert not (tmp_path / "tokens").exists(), "the tokens were not forgotten"


def write_javascript(folder, email):
    client, use = page.read_blocks("JavaScript", "js")
    write(folder, "keyfob.js", client, email)
    write(folder, "use.js", use, email)
    write(folder, "package.json", '{"type": "module"}', email)
    shutil.copy(HERE / "drive.js", folder)


def test_javascript(email, tmp_path):
    write_javascript(tmp_path, email)
    assert_page_works(tmp_path, ["node", "use.js"], ["node", "drive.js"], email)


def test_react_native(email, tmp_path):
    """The secure store is a stub that keeps a file, so that the app can be started a second time."""
    write_javascript(tmp_path, email)
    (app,) = page.read_blocks("React Native", "js", count=1)
    write(tmp_path, "app.js", app, email)
    shutil.copytree(HERE / "expo-secure-store", tmp_path / "node_modules" / "expo-secure-store")
    shutil.copy(HERE / "drive_app.js", tmp_path)

    before = Requests()
    run(tmp_path, ["node", "drive_app.js", "log in"], email)
    assert_story(before, {("POST", "/login", 200): 1, ("GET", "/me", 200): AT_ONCE}, range(0, 1))

    # The access token was lost with the first start, so nothing is sent before the refresh.
    before = Requests()
    run(tmp_path, ["node", "drive_app.js", "start again"], email)
    assert_story(before, story(AT_ONCE), range(1, AT_ONCE + 1))


def test_python(email, tmp_path):
    client, use = page.read_blocks("Python", "python")
    write(tmp_path, "keyfob_session.py", client, email)
    write(tmp_path, "use.py", use, email)
    shutil.copy(HERE / "drive.py", tmp_path)
    assert_page_works(tmp_path, [sys.executable, "use.py"], [sys.executable, "drive.py"], email)


def test_go(email, tmp_path):
    client, use = page.read_blocks("Go", "go")
    for name, main in [("lines", use), ("driver", (HERE / "drive.go").read_text(encoding="utf-8"))]:
        folder = tmp_path / name
        folder.mkdir()
        write(folder, "go.mod", "module keyfob.test/client\n\ngo 1.19\n", email)
        write(folder, "keyfob.go", client, email)
        write(folder, "main.go", main, email)
        # The race detector would tell of a lock that was left out, but needs cgo; vet is what there is.
        for command in (["go", "vet", "."], ["go", "build", "-o", f"../{name}.bin", "."]):
            run(folder, command, email)
    assert_page_works(tmp_path, ["./lines.bin"], ["./driver.bin"], email)
