"""More clients than can be served at once, and clients that do not behave."""

import os
import random
import socket
import statistics
import struct
import threading
import time
import unittest
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from service import Service, expect, until

SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
WARM_UP_SECONDS = 5
CLIENTS = 4
POOL_SIZE = 2
# What a connection of the pool that is made later has open: the data and its journal.
FILES_OF_THE_POOL = 2 * POOL_SIZE
MORE_MEMORY_TIMES, MORE_MEMORY_BYTES = 1.25, 4 << 20
QUEUE = 4


class Storm(unittest.TestCase):
    def test_while_the_queue_of_log_ins_is_full_all_else_is_answered(self):
        service = Service(more={
            "KEYFOB__PASSWORD__HASH_THREADS": "1",
            "KEYFOB__PASSWORD__QUEUE_LENGTH": str(QUEUE),
            "KEYFOB__PASSWORD__MAX_WAIT_SECONDS": "60",
        })
        self.addCleanup(service.stop)
        service.start()
        member = service.member("ann@example.com")
        # From here on each log-in takes about a second of a processor.
        service.stop()
        service.environment["KEYFOB__PASSWORD__BCRYPT_COST"] = "14"
        service.start()
        with ThreadPoolExecutor(3 * QUEUE) as pool:
            # Accounts that nobody has: there the hash is made at the new cost.
            asked = [pool.submit(service.log_in, f"nobody-{number}@example.com") for number in range(3 * QUEUE)]
            until("the queue is full", lambda: any(one.done() and one.result().status == 503 for one in asked))
            token = member["access_token"]
            expect(service.get("/me", token), 200)
            expect(service.get("/me", token[:-4] + "AAAA"), 401)
            expect(service.get("/posts"), 200)
            expect(service.get("/readyz"), 200)
            expect(service.write_post(token, "in a storm"), 201)
            expect(service.refresh(member["refresh_token"]), 200)
            self.assertFalse(all(one.done() for one in asked), "the storm was over before they were answered")
            statuses = Counter(one.result().status for one in asked)
        self.assertGreaterEqual(statuses[400], QUEUE, statuses)
        self.assertEqual(statuses[400] + statuses[503], 3 * QUEUE, statuses)


class Soak(unittest.TestCase):
    def test_memory_and_open_files_stay_what_they_are_under_mixed_load(self):
        self.service = Service(more={
            "KEYFOB__DATABASE__POOL_SIZE": str(POOL_SIZE),
            "KEYFOB__RATE_LIMIT__ADDRESS_SIGNUPS": "4294967295",
            "KEYFOB__RATE_LIMIT__ADDRESS_FAILURES": "4294967295",
            "RUST_LOG": "warn",
        })
        self.addCleanup(self.service.stop)
        self.service.start()
        self.seen, self.faults = Counter(), []
        idle_files = self.open_files()
        self.load_for(WARM_UP_SECONDS)

        samples = self.load_for(SOAK_SECONDS)
        self.assertEqual(self.faults, [])
        quarter = len(samples) // 4
        second, last = samples[quarter:2 * quarter], samples[3 * quarter:]
        before, after = (statistics.median(memory for memory, _ in part) for part in (second, last))
        most_files = max(files for _, files in samples)
        until("open files are as few as before", lambda: self.open_files() <= idle_files + FILES_OF_THE_POOL)
        print(
            f"\n{sum(self.seen.values())} steps in {SOAK_SECONDS:.0f} s: {dict(sorted(self.seen.items()))}\n"
            f"memory in the second quarter {before / 2**20:.1f} MiB, in the last {after / 2**20:.1f} MiB; "
            f"open files {idle_files} before, {most_files} at the most, {self.open_files()} after",
        )
        self.assertLess(after, MORE_MEMORY_TIMES * before + MORE_MEMORY_BYTES, "memory grows")
        for step in STEPS:
            self.assertGreater(self.seen[step.__name__], 0, self.seen)

    def load_for(self, seconds):
        """Memory and open files twice a second, while clients do what clients do."""
        is_over = threading.Event()
        samples = []
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self.behave, random.Random(number), is_over) for number in range(CLIENTS)]
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(0.5)
                samples.append((self.memory(), self.open_files()))
            is_over.set()
            for client in clients:
                client.result()
        return samples

    def behave(self, chance, is_over):
        client = Client(self.service, chance)
        while not is_over.is_set():
            step = chance.choices(STEPS, WEIGHTS)[0]
            try:
                step(client)
            except Exception as fault:  # reported with all others when the load is over
                self.faults.append(f"{step.__name__}: {fault!r}")
                is_over.wait(0.1)
            self.seen[step.__name__] += 1

    def memory(self):
        """What the process has in memory, as others are shown it."""
        with open(f"/proc/{self.service.process.pid}/status") as lines:
            fields = dict(line.split(":", 1) for line in lines)
        return int(fields["VmRSS"].split()[0]) * 1024

    def open_files(self):
        return len(os.listdir(f"/proc/{self.service.process.pid}/fd"))


class Client:
    """Somebody who uses the service, with an account of their own."""

    def __init__(self, service, chance):
        self.service, self.chance = service, chance
        self.sign_up()

    def sign_up(self):
        self.email = f"{self.chance.getrandbits(64):x}-{time.monotonic_ns()}@example.com"
        expect(self.service.sign_up(self.email), 201)
        self.log_in()

    def log_in(self):
        self.grant = expect(self.service.log_in(self.email), 200).json()
        self.post_id = None

    def refresh(self):
        self.grant = expect(self.service.refresh(self.grant["refresh_token"]), 200).json()

    def read_profile(self):
        expect(self.service.get("/me", self.grant["access_token"]), 200)

    def create_post(self):
        text = "x" * self.chance.randrange(1, 2000)
        answer = self.service.write_post(self.grant["access_token"], "a post", text)
        self.post_id = expect(answer, 201).json()["id"]

    def read_post(self):
        if self.post_id:
            expect(self.service.get(f"/posts/{self.post_id}"), 200)

    def list_posts(self):
        expect(self.service.get("/posts"), 200)

    def sign_out(self):
        expect(self.service.revoke(self.grant["refresh_token"]), 200)
        expect(self.service.get("/me", self.grant["access_token"]), 401)
        self.log_in()

    def fail_to_log_in(self):
        # An account that nobody has: one's own would be closed after some failures.
        expect(self.service.log_in(f"{self.chance.getrandbits(64):x}@example.com", "a-wrong-one"), 400)

    def send_what_is_wrong(self):
        bad = [
            (("POST", "/signup", None, None, {"email": "no address"}), 422),
            (("POST", "/posts", None, None, {"title": "x"}), 401),
            (("POST", "/posts", self.grant["access_token"], None, {"title": 7}), 422),
            (("GET", "/posts/none", None), 422),
            (("GET", "/nothing-here", None), 404),
            (("POST", "/login", None, {"grant_type": "magic"}), 400),
            (("GET", "/me", "no.token.at-all"), 401),
        ]
        request, status = self.chance.choice(bad)
        answer = self.service.request(*request)
        assert answer.status in (status, 404), f"{request}: {answer}"

    def hang_up(self):
        """In the middle of something: by a reset, or by closing."""
        head = b"POST /posts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"title\":"
        log_in = (
            b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 30\r\n\r\n"
            b"username=a@b.cd&password=12345"
        )
        sent = self.chance.choice([b"", head[:20], head, log_in, b"GET /posts HTTP/1.1\r\nHost: x\r\n\r\n"])
        with self.connect() as peer:
            peer.sendall(sent)
            if self.chance.random() < 0.5:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def ask_and_never_read(self):
        """More answers than fit on the way, then a reset: the service is left with what it cannot send."""
        with self.connect() as peer:
            peer.setblocking(False)
            try:
                while True:
                    peer.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
            except BlockingIOError:
                pass
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.service.port), timeout=30)


STEPS = [
    Client.sign_up, Client.log_in, Client.refresh, Client.read_profile, Client.create_post, Client.read_post,
    Client.list_posts, Client.sign_out, Client.fail_to_log_in, Client.send_what_is_wrong, Client.hang_up,
    Client.ask_and_never_read,
]
WEIGHTS = [2, 4, 10, 30, 12, 20, 10, 4, 3, 12, 12, 1]
