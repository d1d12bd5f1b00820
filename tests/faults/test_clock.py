"""A clock that is set ahead or back while the service runs: libfaketime gives it another time of day. How fast time passes is
not changed (the kernel's monotonic clock), as where somebody, or NTP, sets the clock of a machine."""

import os
import time
import unittest

from service import WORK, Service, expect, until

HOUR = 3600
WINDOW_SECONDS = 8
FAILURES = 3
ANN = "ann@example.com"


class Clock(unittest.TestCase):
    def setUp(self):
        self.file = WORK / f"clock of {self._testMethodName}"
        self.set(0)
        self.service = Service(more={
            "LD_PRELOAD": os.environ["FAKETIME_LIBRARY"],
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "KEYFOB__TOKEN__REVOCATION_FAIL": "closed",
            "KEYFOB__RATE_LIMIT__WINDOW_SECONDS": str(WINDOW_SECONDS),
            "KEYFOB__RATE_LIMIT__ACCOUNT_FAILURES": str(FAILURES),
        })
        self.addCleanup(self.service.stop)
        self.service.start()

    def set(self, seconds):
        """The clock is so much ahead of the true time from now on."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(self.file)

    def expect_401(self, token, detail):
        answer = expect(self.service.get("/me", token), 401)
        self.assertEqual(answer.json()["detail"], detail)

    def count_keys(self):
        return len(expect(self.service.get("/.well-known/jwks.json"), 200).json()["keys"])

    def sign_out(self):
        """A session of its own that is begun, used and ended."""
        grant = expect(self.service.log_in(ANN), 200).json()
        expect(self.service.get("/me", grant["access_token"]), 200)
        expect(self.service.revoke(grant["refresh_token"]), 200)
        self.expect_401(grant["access_token"], "The access token is not valid.")
        expect(self.service.refresh(grant["refresh_token"]), 400)

    def test_sessions_go_on_and_tokens_hold_by_the_clock_after_each_step(self):
        first = self.service.member(ANN)
        issued_at = 0
        refresh_token = first["refresh_token"]
        for ahead in (-HOUR, 0, HOUR, 0, HOUR):
            self.set(ahead)
            # At once: no timer of the service has run since.
            expect(self.service.get("/readyz"), 200)
            renewed = expect(self.service.refresh(refresh_token), 200).json()
            refresh_token, token = renewed["refresh_token"], renewed["access_token"]
            expect(self.service.get("/me", token), 200)
            if ahead < issued_at:
                self.expect_401(first["access_token"], "The access token is not valid yet.")
            elif ahead > issued_at:
                self.expect_401(first["access_token"], "The access token has expired.")
            else:
                expect(self.service.get("/me", first["access_token"]), 200)
            self.sign_out()
            items = expect(self.service.get("/me/sessions", token), 200).json()["items"]
            self.assertEqual(len(items), 1, items)
            expect(self.service.write_post(token, "still there"), 201)

    def test_a_limit_keeps_nobody_out_for_longer_than_it_told_and_still_holds_after_each_step(self):
        expect(self.service.sign_up(ANN), 201)
        for ahead in (-HOUR, 0, HOUR):
            for number in range(FAILURES):
                expect(self.service.log_in(ANN, f"a-wrong-one-{ahead}-{number}"), 400)
            told = int(expect(self.service.log_in(ANN), 429).headers["Retry-After"])
            self.assertLessEqual(told, WINDOW_SECONDS)
            self.set(ahead)
            # A second for the rounding, and one for a machine that is busy.
            until("the log-in is let through", lambda: self.service.log_in(ANN).status == 200, told + 2)

    def test_a_token_that_was_revoked_does_not_live_again_when_the_clock_comes_to_its_time(self):
        expect(self.service.sign_up(ANN), 201)
        self.set(HOUR)
        grant = expect(self.service.log_in(ANN), 200).json()
        renewed = expect(self.service.refresh(grant["refresh_token"]), 200).json()
        self.set(0)
        expect(self.service.revoke(renewed["refresh_token"]), 200)
        # Beyond what a revocation is remembered for otherwise (the life of an access token, and a minute).
        self.set(HOUR // 2)
        # The service forgets what is over two times a second; there is nothing that would tell when it has.
        time.sleep(1.5)
        self.set(HOUR + 10)
        for token in (grant["access_token"], renewed["access_token"]):
            self.expect_401(token, "The access token is not valid.")

    def test_a_clock_that_is_ahead_for_a_while_revives_no_token_that_was_revoked(self):
        expect(self.service.sign_up(ANN), 201)
        grant = expect(self.service.log_in(ANN), 200).json()
        expect(self.service.revoke(grant["refresh_token"]), 200)
        self.set(HOUR)
        time.sleep(1.5)  # as above
        self.set(0)
        self.expect_401(grant["access_token"], "The access token is not valid.")
        # In the database it is kept as well: what is over is looked for at each start.
        self.set(HOUR)
        self.service.kill()
        self.service.start()
        time.sleep(1.5)  # as above
        self.service.kill()
        self.set(0)
        self.service.start()
        self.expect_401(grant["access_token"], "The access token is not valid.")

    def test_what_the_service_does_by_itself_goes_on_when_the_clock_is_set_back(self):
        self.set(-HOUR)
        rotated = self.service.run("key", "rotate")
        self.assertEqual(rotated.returncode, 0, rotated)
        until("the new key is published", lambda: self.count_keys() == 2)
