"""A disk that is full, or cannot be written to: the data and the log are on it."""

import os
import subprocess
import unittest
from collections import Counter
from pathlib import Path

from service import PATIENCE_SECONDS, WORK, Service, expect, until

DISK = Path(os.environ["DISK"])
DISK_BYTES = 4 << 20
ROOM_BYTES = 1 << 20
ROUNDS = 300
CANNOT_STORE = "Data cannot be stored at the moment"


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


class OnADisk(unittest.TestCase):
    def setUp(self):
        mount("-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(DISK))
        self.addCleanup(subprocess.run, ["umount", str(DISK)], check=True)
        self.service = Service(DISK)
        self.addCleanup(self.end)
        self.filler = DISK / "filler"

    def end(self):
        if self.service.process:
            self.service.process.kill()
            self.service.process.wait(PATIENCE_SECONDS)

    def fill(self):
        with self.filler.open("ab", buffering=0) as filler:
            try:
                while filler.write(bytes(4096)) == 4096:
                    pass
            except OSError:
                pass

    def expect_told(self, answer, error=None):
        """503 that says what is wrong and when to come again, in the words of the endpoint."""
        expect(answer, 503)
        self.assertEqual(answer.headers["Retry-After"], "30", answer)
        self.assertIn(CANNOT_STORE, answer.json()["detail"])
        if error:
            self.assertEqual(answer.json()["error"], error)
        else:
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")

    def expect_reads(self, token, post_id):
        expect(self.service.get("/me", token), 200)
        expect(self.service.get("/posts"), 200)
        expect(self.service.get(f"/posts/{post_id}"), 200)
        expect(self.service.get("/readyz"), 200)
        expect(self.service.get("/me", token[:-4] + "AAAA"), 401)

    def expect_no_writes(self, token, refresh_token):
        self.expect_told(self.service.write_post(token, "no room", "y" * 4000))
        self.expect_told(self.service.log_in("ann@example.com"), "temporarily_unavailable")
        self.expect_told(self.service.refresh(refresh_token), "temporarily_unavailable")
        self.expect_told(self.service.sign_up("bob@example.com"))

    def expect_refused_start(self, *parts):
        """One line that names the file, the fault and what to do."""
        done = self.service.run("serve")
        self.assertEqual(done.returncode, 1, done)
        lines = (done.stdout + done.stderr).splitlines()
        self.assertEqual(len(lines), 1, lines)
        for part in ("keyfob: database sqlite://keyfob.db: ", *parts):
            self.assertIn(part, lines[0])


class FullDisk(OnADisk):
    def test_a_full_disk_stops_nothing_but_writes_and_loses_nothing(self):
        self.filler.write_bytes(bytes(ROOM_BYTES))
        self.service.start()
        member = self.service.member("ann@example.com")
        token, refresh_token = member["access_token"], member["refresh_token"]
        kept, seen = [], Counter()
        while seen[503] < 50:
            answer = self.service.write_post(token, f"post {len(kept)}", "x" * 2000)
            seen[answer.status] += 1
            if answer.status == 201:
                kept.append(answer.json()["id"])
            else:
                expect(answer, 503)
                self.assertIn("Retry-After", answer.headers)
            self.assertLess(len(kept), 2 * DISK_BYTES // 2000, "the disk does not fill")
        self.assertGreater(len(kept), 50)
        self.fill()
        # A small write may still fit into the journal that is there: each is either kept or told, and in the end all are told.
        told = set()
        for number in range(ROUNDS):
            writes = [
                ("post", self.service.write_post(token, "no room", "y" * 4000), 201),
                ("log-in", self.service.log_in("ann@example.com"), 200),
                ("refresh", self.service.refresh(refresh_token), 200),
                ("sign-up", self.service.sign_up(f"bob-{number}@example.com"), 201),
            ]
            for name, answer, status in writes:
                if answer.status != status:
                    self.expect_told(answer, "temporarily_unavailable" if status == 200 else None)
                    told.add(name)
                elif name == "post":
                    kept.append(answer.json()["id"])
                elif name == "refresh":
                    refresh_token = answer.json()["refresh_token"]
            self.expect_reads(token, kept[-1])
            if len(told) == len(writes):
                break
        self.assertEqual(told, {name for name, _, _ in writes})
        expect(self.service.log_in("ann@example.com", "a-wrong-one"), 400)

        self.filler.unlink()
        kept.append(expect(self.service.write_post(token, "room again"), 201).json()["id"])
        expect(self.service.log_in("ann@example.com"), 200)
        expect(self.service.refresh(refresh_token), 200)
        self.assertNotIn("panicked", self.service.log.read_text(errors="replace"))

        self.service.kill()
        self.service.start()
        for post_id in kept:
            expect(self.service.get(f"/posts/{post_id}"), 200)
        self.service.stop()
        self.assertEqual(self.service.integrity(), ["ok"])

    def test_a_start_on_a_full_disk_says_so_in_one_line(self):
        self.fill()
        self.expect_refused_start("disk is full", "free space on its disk")
        self.filler.unlink()
        self.service.log = WORK / "log of a full disk"
        self.service.start()
        self.service.stop()
        self.fill()
        self.expect_refused_start("disk I/O error", "may be full")
        self.filler.unlink()
        # What is not closed leaves its side files, so that no room is needed to open it.
        self.service.start()
        self.service.kill()
        self.fill()
        self.service.start()
        expect(self.service.get("/posts"), 200)
        self.service.stop()


class ReadOnlyDisk(OnADisk):
    def test_a_disk_that_becomes_read_only_stops_nothing_but_writes_and_all_goes_on_when_it_is_writable_again(self):
        switch = WORK / "read-only"
        self.service.environment |= {
            "LD_PRELOAD": os.environ["READ_ONLY_LIBRARY"], "DISK": str(DISK), "READ_ONLY_WHILE": str(switch),
        }
        self.service.start()
        member = self.service.member("ann@example.com")
        token, refresh_token = member["access_token"], member["refresh_token"]
        post_id = expect(self.service.write_post(token, "before"), 201).json()["id"]
        for _ in range(2):
            switch.touch()
            # A connection that was open tells of a disk I/O error, each after it that the file is read-only.
            expect(self.service.write_post(token, "the first that fails"), 503)
            for _ in range(10):
                self.expect_no_writes(token, refresh_token)
                self.expect_reads(token, post_id)
            switch.unlink()
            post_id = expect(self.service.write_post(token, "after"), 201).json()["id"]
            expect(self.service.log_in("ann@example.com"), 200)
            refresh_token = expect(self.service.refresh(refresh_token), 200).json()["refresh_token"]
            expect(self.service.get(f"/posts/{post_id}"), 200)
        self.service.stop()
        self.assertEqual(self.service.integrity(), ["ok"])

    def test_what_only_reads_reads_from_a_read_only_disk(self):
        self.service.start()
        self.service.run("client", "add", "--id", "shop").check_returncode()
        # What is not closed leaves its side files, which SQLite could not make there.
        self.service.kill()
        mount("-o", "remount,bind,ro", str(DISK))
        for command, part in ((("client", "list"), "shop"), (("key", "list"), "EdDSA")):
            done = self.service.run(*command)
            self.assertEqual((done.returncode, done.stderr), (0, ""), done)
            self.assertIn(part, done.stdout)
        self.assertEqual(self.service.run("client", "add", "--id", "other").returncode, 1)

    def test_a_start_on_a_read_only_disk_says_so_in_one_line(self):
        mount("-o", "remount,bind,ro", str(DISK))
        self.expect_refused_start("Read-only file system", "writable")
        mount("-o", "remount,bind,rw", str(DISK))
        self.service.log = WORK / "log of a read-only disk"
        self.service.start()
        # What is not closed leaves a journal that can be read.
        self.service.kill()
        mount("-o", "remount,bind,ro", str(DISK))
        self.expect_refused_start("readonly database", "writable")
        mount("-o", "remount,bind,rw", str(DISK))
        self.service.start()
        self.service.stop()
        mount("-o", "remount,bind,ro", str(DISK))
        self.expect_refused_start("unable to open database file", "writable")
        mount("-o", "remount,bind,rw", str(DISK))
