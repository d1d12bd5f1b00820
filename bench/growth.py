#!/usr/bin/env python3
"""What a request costs in a small and in a large database: `python3 bench/growth.py` after `cargo build --release`.

Fills two databases by `keyfob seed`, serves both at once, and asks each in turn for the same things. Counted is the
processor time of the servers, read from Linux's clock of each process (on PostgreSQL with that of the service's own
connections), and not the time that passes: it does not depend on what else the machine does, or on this script. A round
asks small and large in turn for each kind of request; a ratio is the median over the rounds of large to small in the
same round. The files are read once before, so that what is compared is work and not a disk: memory must hold them.

Needs Linux and Python 3.9; for PostgreSQL also psql, and a role that may make databases:

    python3 bench/growth.py --postgres postgres://postgres@127.0.0.1:5432/postgres

The databases take some 1.5 GB with the default numbers. They are deleted at the end, unless --keep FOLDER says where they
stay, for the next run to find.
"""

import argparse
import base64
import http.client
import json
import os
import random
import secrets
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "quartz-Meadow 41"
ADMIN = "admin@example.com"
PAGE = 20
# Refresh takes these in turn.
SIGNED_IN = 50
# One session for each account, as if everybody had signed in once.
SESSIONS = """
    INSERT INTO sessions (user_id, client_id, scope, secret_hash, generation, proven_generation, refreshed_at,
                          refresh_ttl_seconds, created_at, last_used_at, expires_at)
    SELECT id, 'keyfob', 'profile posts', {secret}, 1, 1, {now} + id, 2592000, {now}, {now}, {now} + 31536000000 FROM users
"""


class Size:
    """How many accounts and posts, written USERSxPOSTS."""

    def __init__(self, text):
        self.users, self.posts = (int(part) for part in text.split("x"))
        self.name = f"{self.users:,} accounts, {self.posts:,} posts"


class Sqlite:
    label = "SQLite"

    def __init__(self, size, folder):
        self.path = folder / f"growth-{size.users}-{size.posts}.db"
        self.url = f"sqlite://{self.path}"

    def exists(self):
        return self.path.exists()

    def create(self):
        pass

    def fill_sessions(self):
        with sqlite3.connect(self.path) as connection:
            connection.execute(SESSIONS.format(secret="zeroblob(32)", now=int(time.time() * 1000)))
        connection.close()

    def warm(self):
        with open(self.path, "rb") as file:
            while file.read(1 << 20):
                pass

    def drop(self):
        for path in self.path.parent.glob(self.path.name + "*"):
            path.unlink()

    def processes(self):
        return []


class Postgres:
    label = "PostgreSQL"

    def __init__(self, size, server):
        self.server, self.name = server, f"{options.prefix}_{size.users}_{size.posts}"
        head, _, query = server.partition("?")
        self.url = f"{head.rsplit('/', 1)[0]}/{self.name}" + (f"?{query}" if query else "")

    def psql(self, url, statement):
        command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", url]
        return subprocess.run([*command, "--command", statement], check=True, text=True, stdout=subprocess.PIPE).stdout

    def exists(self):
        found = self.psql(self.server, f"SELECT 1 FROM pg_database WHERE datname = '{self.name}'")
        return bool(found.strip())

    def create(self):
        self.psql(self.server, f"CREATE DATABASE {self.name}")

    def fill_sessions(self):
        secret = "decode(repeat('00', 32), 'hex')"
        self.psql(self.url, SESSIONS.format(secret=secret, now=int(time.time() * 1000)))
        # What autovacuum would do soon, so that it does not do it in the middle of the measurement.
        self.psql(self.url, "VACUUM ANALYZE")

    def warm(self):
        tables = "relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace"
        self.psql(self.url, "CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        self.psql(self.url, f"SELECT pg_prewarm(oid::regclass, 'read') FROM pg_class WHERE {tables}")

    def drop(self):
        self.psql(self.server, f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")

    def processes(self):
        """Those that serve the connections of the service."""
        where = f"datname = '{self.name}' AND application_name = 'keyfob'"
        return [int(pid) for pid in self.psql(self.server, f"SELECT pid FROM pg_stat_activity WHERE {where}").split()]


class Service:
    """A running keyfob, and a client of it."""

    def __init__(self, size, database):
        self.size, self.database = size, database
        self.process = None

    def environment(self):
        settings = {
            "DATABASE__URL": self.database.url,
            "SERVER__BIND": "127.0.0.1:0",
            "PASSWORD__BCRYPT_COST": "4",
            "RATE_LIMIT__ENABLED": "false",
        }
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KEYFOB")}
        return {**clean, **{f"KEYFOB__{name}": value for name, value in settings.items()}}

    def run(self, *arguments):
        subprocess.run([options.binary, *arguments], input=PASSWORD + "\n", env=self.environment(), cwd=options.folder,
                       check=True, text=True, stdout=subprocess.DEVNULL)

    def fill(self):
        begin = time.monotonic()
        self.database.create()
        self.run("seed", "--users", str(self.size.users), "--posts", str(self.size.posts))
        self.run("user", "create", "--email", ADMIN, "--admin")
        self.database.fill_sessions()
        note(f"{self.database.label}: made {self.size.name} in {time.monotonic() - begin:.0f} s")

    def start(self):
        self.process = subprocess.Popen([options.binary], env=self.environment(), cwd=options.folder, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for line in self.process.stdout:
            entry = json.loads(line)
            fields = entry.get("fields", entry)
            if fields.get("message") == "listening":
                break
        else:
            sys.exit("keyfob did not start: is something wrong with the database?")
        # A full pipe would hold the service up.
        threading.Thread(target=drain, args=[self.process.stdout], daemon=True).start()
        host, port = fields["address"].rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=60)
        self.sign_in()
        self.refresh_tokens = [self.log_in(self.some_email())["refresh_token"] for _ in range(SIGNED_IN)]

    def sign_in(self):
        """Again in each round: an access token lives for a quarter of an hour."""
        self.connection.close()
        self.admin = {"Authorization": "Bearer " + self.log_in(ADMIN)["access_token"]}

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(30)

    def clocks(self):
        return [(~pid << 3) | 2 for pid in [self.process.pid, *self.database.processes()]]  # clock_getcpuclockid(3)

    def request(self, method, path, expected, body=None, headers=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != expected:
            sys.exit(f"{method} {path}: {answer.status} {content[:200]}")
        return content

    def form(self, **fields):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return json.loads(self.request("POST", "/login", 200, urlencode(fields), headers))

    def log_in(self, email):
        return self.form(username=email, password=PASSWORD)

    def some_email(self):
        return f"user{random.randint(1, self.size.users):06}@example.com"

    # The kinds of requests.

    def profile(self):
        self.request("GET", f"/profile/{random.randint(1, self.size.users)}", 200, headers=self.admin)

    def post(self):
        self.request("GET", f"/posts/{random.randint(1, self.size.posts)}", 200)

    def page(self, query=""):
        content = self.request("GET", f"/posts?limit={PAGE}{query}", 200)
        # A page that has fewer posts in the one database than in the other would be another request.
        if content.count(b'"author_id":') != PAGE:
            sys.exit(f"a page of less than {PAGE} posts: {query}")

    def first_page(self):
        self.page()

    def page_between(self):
        self.page(f"&cursor={cursor(random.randint(PAGE + 1, self.size.posts))}")

    def last_page(self):
        self.page(f"&cursor={cursor(PAGE + 1)}")

    def author_first_page(self):
        self.page(f"&author_id={self.some_author()}")

    def author_page_between(self):
        after = cursor(random.randint(self.size.posts * 3 // 4, self.size.posts))
        self.page(f"&author_id={self.some_author()}&cursor={after}")

    def some_author(self):
        # Those who write most: of 1,000 posts some 60 and more each.
        return random.randint(1, 3)

    def login(self):
        self.log_in(self.some_email())

    def refresh(self):
        place = random.randrange(SIGNED_IN)
        answer = self.form(grant_type="refresh_token", refresh_token=self.refresh_tokens[place])
        self.refresh_tokens[place] = answer["refresh_token"]

    def sign_up(self):
        account = {"email": f"{secrets.token_hex(8)}@example.com", "password": PASSWORD}
        self.request("POST", "/signup", 201, json.dumps(account), {"Content-Type": "application/json"})

    def new_post(self):
        post = json.dumps({"title": "One more", "content": "under the bright meadow " * 8})
        self.request("POST", "/posts", 201, post, {**self.admin, "Content-Type": "application/json"})


# A kind of request, and how many of them for one that --requests asks for.
KINDS = {
    "profile": (Service.profile, 1),
    "single post": (Service.post, 1),
    "posts, first page": (Service.first_page, 1),
    "posts, any page": (Service.page_between, 1),
    "posts, last page": (Service.last_page, 1),
    "posts of an author, first page": (Service.author_first_page, 1),
    "posts of an author, any page": (Service.author_page_between, 1),
    "log-in": (Service.login, 0.4),
    "refresh": (Service.refresh, 0.6),
    "sign-up": (Service.sign_up, 0.4),
    "new post": (Service.new_post, 0.6),
}


def drain(lines):
    for _ in lines:
        pass


def cursor(post_id):
    return base64.urlsafe_b64encode(str(post_id).encode()).decode().rstrip("=")


def cost(service, kind):
    """Processor time of a request in microseconds."""
    ask, share = KINDS[kind]
    count = max(1, round(options.requests * share))
    # While the other one was asked, the service may have closed it; this first request opens a new one.
    service.connection.close()
    ask(service)
    clocks = service.clocks()
    begin = [time.clock_gettime(clock) for clock in clocks]
    for _ in range(count):
        ask(service)
    spent = sum(time.clock_gettime(clock) for clock in clocks) - sum(begin)
    return spent / count * 1e6


def measure(services):
    """For each kind the costs in the small and in the large database, round by round."""
    costs = {kind: [] for kind in options.kinds}
    for number in range(options.rounds + 1):
        for service in services:
            service.sign_in()
        for kind in options.kinds:
            # Each is the first one in every other round.
            order = services if number % 2 else services[::-1]
            found = {service: cost(service, kind) for service in order}
            if number > 0:  # the first one warms up
                costs[kind].append([found[service] for service in services])
        note(f"round {number} of {options.rounds}")
    return costs


def report(label, costs):
    print(f"\n{label}: microseconds of processor time for each request, medians of {options.rounds} rounds\n")
    print(f"| request | {options.small.name} | {options.large.name} | ratio (lowest to highest round) |")
    print("|---|---|---|---|")
    for kind, rounds in costs.items():
        small, large = (statistics.median(column) for column in zip(*rounds))
        ratios = sorted(one_large / one_small for one_small, one_large in rounds)
        middle = statistics.median(ratios)
        print(f"| {kind} | {small:.0f} | {large:.0f} | {middle:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) |")
    sys.stdout.flush()


def run(make_database):
    services = [Service(size, make_database(size)) for size in (options.small, options.large)]
    try:
        for service in services:
            if not service.database.exists():
                service.fill()
            service.database.warm()
            service.start()
        report(services[0].database.label, measure(services))
    finally:
        for service in services:
            service.stop()
            if not options.keep:
                service.database.drop()


def note(text):
    print(text, file=sys.stderr, flush=True)


def kinds(text):
    chosen = text.split("; ")
    if unknown := [kind for kind in chosen if kind not in KINDS]:
        raise argparse.ArgumentTypeError(f"unknown: {'; '.join(unknown)}; there are: {'; '.join(KINDS)}")
    return chosen


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=Size, default="1000x1000", help="USERSxPOSTS (1000x1000)")
    parser.add_argument("--large", type=Size, default="1000000x1000000", help="USERSxPOSTS (1000000x1000000)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=1000, help="of a kind in a round (1000)")
    parser.add_argument("--kinds", type=kinds, default=list(KINDS), help="of requests, with '; ' between them (all)")
    parser.add_argument("--postgres", metavar="URL", help="measure there too; else only on SQLite")
    parser.add_argument("--without-sqlite", action="store_true")
    parser.add_argument("--prefix", default="keyfob_growth", help="of the databases on PostgreSQL (keyfob_growth)")
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="keep the databases, those of SQLite there")
    parser.add_argument("--binary", default=ROOT / "target/release/keyfob", type=Path)
    return parser.parse_args()


def main():
    options.binary = options.binary.resolve()
    options.folder = (options.keep or Path(tempfile.mkdtemp(prefix="keyfob-growth-"))).resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        if not options.without_sqlite:
            run(lambda size: Sqlite(size, options.folder))
        if options.postgres:
            run(lambda size: Postgres(size, options.postgres))
    finally:
        if not options.keep:
            shutil.rmtree(options.folder)


if __name__ == "__main__":
    options = arguments()
    main()
