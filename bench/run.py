#!/usr/bin/env python3
"""Measures a release build of Keyfob on this machine and prints a table in Markdown.

    cargo build --release
    python3 bench/run.py                                  # about 5 minutes
    python3 bench/run.py --rounds 5 --seconds 10          # to be quoted

Needs Python 3.9 and `wrk` (Debian: apt-get install wrk). SQLite with durable writes, bcrypt cost 10, rate limits off. The load goes to 127.0.0.1 and
ends by itself. Every figure is the median of the rounds, which are interleaved; "CPU" is what the service itself used, which bears a busy
machine better than the rates do. "other CPU" is what everything else on the machine took: above 0.1 cores, do not quote the rates.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
USERS = 64
POSTS = 2_000
CONNECTIONS = 64
LOGIN_CONNECTIONS = 8
REFRESH_CONNECTIONS = 16
TICKS = os.sysconf("SC_CLK_TCK")
FORM = "application/x-www-form-urlencoded"


class Service:
    """A Keyfob of its own, in an empty folder, with accounts and posts in it; or one more on the database of another."""

    def __init__(self, binary, folder, algorithm, database=None, beside=None):
        self.algorithm = algorithm
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        settings = {
            "SERVER__BIND": f"127.0.0.1:{self.port}",
            "TOKEN__ALGORITHM": algorithm,
            "TOKEN__ACCESS_TTL_SECONDS": "3600",
            "PASSWORD__BCRYPT_COST": "10",
            "RATE_LIMIT__ENABLED": "false",
        }
        if database:
            settings["DATABASE__URL"] = database
        if algorithm == "HS256":
            settings["TOKEN__SECRET"] = "%064x" % random.getrandbits(256)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KEYFOB")}
        environment.update({f"KEYFOB__{name}": value for name, value in settings.items()})
        self.command = [str(binary), "serve"]
        self.folder, self.environment = folder, environment
        self.start()
        if beside:
            self.users, self.posts = beside.users, beside.posts
        else:
            self.seed()

    def start(self):
        log = open(self.folder / "log", "ab")
        begun = time.monotonic()
        self.process = subprocess.Popen(self.command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        while True:
            try:
                self.call("GET", "/readyz")
                return time.monotonic() - begun
            except OSError:
                if self.process.poll() is not None or time.monotonic() - begun > 30:
                    sys.exit(f"the service did not start; see {self.folder / 'log'}")
                time.sleep(0.001)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def call(self, method, path, body=None, kind="application/json", token=None):
        headers = {"Content-Type": kind} if body is not None else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        data = body.encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def seed(self):
        self.users = []
        for number in range(USERS):
            email, password = f"user{number}@example.com", f"correct horse {number}"
            user = self.call("POST", "/signup", json.dumps({"email": email, "password": password}))
            self.users.append({"id": user["id"], "form": login_form(email, password)})
            self.users[-1].update(self.call("POST", "/login", self.users[-1]["form"], FORM))
        posts = [json.dumps({"title": f"Post {number}".ljust(40, "."), "content": "x" * 300}) for number in range(POSTS)]
        self.posts = [self.call("POST", "/posts", post, token=self.users[0]["access_token"])["id"] for post in posts]

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_megabytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def login_form(email, password):
    return urllib.parse.urlencode({"username": email, "password": password})


def line(method, path, token="", kind="", body=""):
    return "\t".join((method, path, token, kind, body))


def requests_of(scenario, service):
    users = service.users
    if scenario == "profile read":
        return [line("GET", f"/profile/{user['id']}", user["access_token"]) for user in users]
    if scenario == "post read":
        return [line("GET", f"/posts/{random.choice(service.posts)}") for _ in range(1000)]
    if scenario == "list of 20 posts":
        return [line("GET", "/posts?limit=20")]
    if scenario == "post create":
        body = json.dumps({"title": "t" * 40, "content": "x" * 300})
        return [line("POST", "/posts", user["access_token"], "application/json", body) for user in users]
    if scenario == "login":
        return [line("POST", "/login", "", FORM, user["form"]) for user in users]
    sessions = [service.call("POST", "/login", user["form"], FORM) for user in users[:REFRESH_CONNECTIONS]]
    return [session["refresh_token"] for session in sessions]


SCENARIOS = ("profile read", "post read", "list of 20 posts", "post create", "refresh", "login")
CONNECTIONS_OF = {"login": LOGIN_CONNECTIONS, "refresh": REFRESH_CONNECTIONS}


def measure(scenario, service, seconds):
    """One slot of load: rate, CPU of the service in us a request, p50 and p99 in ms, errors, CPU of everything else in cores."""
    connections = CONNECTIONS_OF.get(scenario, CONNECTIONS)
    threads = connections if scenario == "refresh" else 2
    requests = service.folder / "requests"
    requests.write_text("\n".join(requests_of(scenario, service)) + "\n")
    environment = dict(os.environ, BENCH_REQUESTS=str(requests))
    if scenario == "refresh":
        environment["BENCH_REFRESH"] = "1"
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}", "--timeout", "30", "-s", str(HERE / "wrk.lua"), service.url]
    cpu, busy, load, begun = service.cpu_seconds(), machine_cpu_seconds(), children_cpu_seconds(), time.monotonic()
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    wall = time.monotonic() - begun
    cpu, busy, load = service.cpu_seconds() - cpu, machine_cpu_seconds() - busy, children_cpu_seconds() - load
    report = next(text for text in output.splitlines() if text.startswith("bench "))
    count, micros, p50, p99, errors = (int(field) for field in report.split()[1:])
    if count == 0:
        sys.exit(f"{scenario}: no request was answered\n{output}")
    return {
        "rate": count / (micros / 1e6),
        "cpu": cpu / count * 1e6,
        "p50": p50 / 1000,
        "p99": p99 / 1000,
        "errors": errors,
        "other": (busy - cpu - load) / wall,
    }


def machine_cpu_seconds():
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle, iowait = fields[3], fields[4]
    return (sum(fields) - idle - iowait) / TICKS


def children_cpu_seconds():
    times = os.times()
    return times.children_user + times.children_system


def median(results, name):
    return statistics.median(result[name] for result in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=pathlib.Path, default=HERE.parent / "target/release/keyfob")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--algorithms", default="EdDSA,ES256,RS256,HS256", help="the first one runs all scenarios, the others the profile read")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS))
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is missing (Debian: apt-get install wrk)")
    if not options.binary.exists():
        sys.exit(f"{options.binary} is missing: cargo build --release")
    algorithms = options.algorithms.split(",")
    with tempfile.TemporaryDirectory(prefix="keyfob-bench-") as temporary:
        services = []
        try:
            for algorithm in algorithms:
                folder = pathlib.Path(temporary, algorithm)
                folder.mkdir()
                services.append(Service(options.binary.resolve(), folder, algorithm))
            report(services, options)
        finally:
            for service in services:
                service.process.kill()


def report(services, options):
    slots = [(scenario, services[0]) for scenario in options.scenarios.split(",")]
    if "profile read" in options.scenarios:
        slots[1:1] = [("profile read", service) for service in services[1:]]
    idle = services[0].rss_megabytes()
    results = {}
    for number in range(options.rounds):
        for scenario, service in slots:
            result = measure(scenario, service, options.seconds)
            results.setdefault((scenario, service.algorithm), []).append(result)
            print(f"round {number + 1}: {scenario}, {service.algorithm}: {result['rate']:,.0f}/s", file=sys.stderr)
    print("| scenario | algorithm | requests/s | CPU, us a request | p50, ms | p99, ms | errors | other CPU, cores |")
    print("|---|---|---|---|---|---|---|---|")
    for (scenario, algorithm), rounds in results.items():
        rate, cpu, p50, p99 = (median(rounds, name) for name in ("rate", "cpu", "p50", "p99"))
        errors, other = sum(result["errors"] for result in rounds), max(0, median(rounds, "other"))
        print(f"| {scenario} | {algorithm} | {rate:,.0f} | {cpu:,.1f} | {p50:.2f} | {p99:.2f} | {errors} | {other:.2f} |")
    loaded = services[0].rss_megabytes()
    services[0].stop()
    starts = []
    for _ in range(9):
        starts.append(services[0].start() * 1000)
        services[0].stop()
    print(f"\nMemory (RSS): {idle:.0f} MB before the load, {loaded:.0f} MB after it. Start to the first 200: {statistics.median(starts):.0f} ms.")


if __name__ == "__main__":
    main()
