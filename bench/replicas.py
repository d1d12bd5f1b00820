#!/usr/bin/env python3
"""Measures what a second Keyfob on the same PostgreSQL brings, and prints a table in Markdown.

    cargo build --release
    python3 bench/replicas.py --postgres postgres://postgres@127.0.0.1:5432/postgres       # about 3 minutes, as root

Each process is held to a share of one core, by the CPU controller of the kernel's control groups, so that PostgreSQL and the load have room on a
machine with few cores: what is asked is whether two processes do twice the work of one, or stand in each other's way in the database. One alone, and
two at the same time, by turns; each has 16 connections of its own. Needs Linux, root, Python 3.9, wrk and psql (Debian: wrk, postgresql-client).
"""

import argparse
import concurrent.futures
import os
import pathlib
import secrets
import statistics
import subprocess
import sys
import tempfile

import run

SCENARIOS = ("profile read", "post read", "post create")
PERIOD_MICROS = 10_000


class Share:
    """A control group that may take so much of one core."""

    def __init__(self, name, cores):
        old, new = pathlib.Path("/sys/fs/cgroup/cpu"), pathlib.Path("/sys/fs/cgroup")
        quota = round(cores * PERIOD_MICROS)
        if (old / "cpu.cfs_quota_us").exists():
            self.folder = old / name
            files = {"cpu.cfs_period_us": PERIOD_MICROS, "cpu.cfs_quota_us": quota}
        else:
            self.folder = new / name
            files = {"cpu.max": f"{quota} {PERIOD_MICROS}"}
        self.folder.mkdir()
        for file, value in files.items():
            (self.folder / file).write_text(str(value))

    def take(self, pid):
        (self.folder / "cgroup.procs").write_text(str(pid))

    def remove(self):
        self.folder.rmdir()


def psql(server, statement):
    subprocess.run(["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", server, "--command", statement], check=True)


def rates(scenario, services, seconds):
    """What each does while all of them have load, in requests a second."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slots = [pool.submit(run.measure, scenario, service, seconds) for service in services]
        results = [slot.result() for slot in slots]
    if any(result["errors"] for result in results):
        sys.exit(f"{scenario}: {results}")
    return [result["rate"] for result in results]


def report(services, options):
    found = {scenario: [] for scenario in SCENARIOS}
    for number in range(options.rounds):
        for scenario, rounds in found.items():
            alone, both = rates(scenario, services[:1], options.seconds), rates(scenario, services, options.seconds)
            rounds.append((sum(alone), sum(both)))
            print(f"round {number + 1}: {scenario}: {sum(alone):,.0f}/s, two {both[0]:,.0f} + {both[1]:,.0f}/s", file=sys.stderr)
    print(f"| requests/s, each process held to {options.cores} cores | one | two together | ratio |")
    print("|---|---|---|---|")
    for scenario, rounds in found.items():
        one, two = (statistics.median(pair[place] for pair in rounds) for place in (0, 1))
        ratios = sorted(both / alone for alone, both in rounds)
        print(f"| {scenario} | {one:,.0f} | {two:,.0f} | {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postgres", required=True, help="URL of a database whose role may make others")
    parser.add_argument("--binary", type=pathlib.Path, default=run.HERE.parent / "target/release/keyfob")
    parser.add_argument("--cores", type=float, default=0.2, help="what each process may take of one core")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("only root may make control groups")
    name = f"keyfob_replicas_{secrets.token_hex(4)}"
    database = options.postgres.rsplit("/", 1)[0] + "/" + name
    run.CONNECTIONS = 16
    services, shares = [], []
    psql(options.postgres, f"CREATE DATABASE {name}")
    try:
        with tempfile.TemporaryDirectory(prefix="keyfob-bench-") as temporary:
            for number in range(2):
                folder = pathlib.Path(temporary, str(number))
                folder.mkdir()
                beside = services[0] if services else None
                services.append(run.Service(options.binary.resolve(), folder, "EdDSA", database, beside))
            for number, service in enumerate(services):
                shares.append(Share(f"{name}_{number}", options.cores))
                shares[-1].take(service.process.pid)
            report(services, options)
            for service in services:
                service.stop()
    finally:
        for service in services:
            service.process.kill()
            service.process.wait()
        for share in shares:
            share.remove()
        psql(options.postgres, f"DROP DATABASE {name} WITH (FORCE)")


if __name__ == "__main__":
    main()
