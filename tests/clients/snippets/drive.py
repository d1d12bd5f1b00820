"""The story that each client is driven through."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

from keyfob_session import Keyfob, SignedOut

EMAIL = os.environ["EMAIL"]
AT_ONCE = int(os.environ["AT_ONCE"])


def call_at_once(keyfob):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: keyfob.request("GET", "/me"), range(AT_ONCE)))
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.json()["email"] == EMAIL


keyfob = Keyfob(os.environ["BASE_URL"])
keyfob.login(EMAIL, os.environ["PASSWORD"])
call_at_once(keyfob)
time.sleep(float(os.environ["WAIT_SECONDS"]))
call_at_once(keyfob)
keyfob.logout()
try:
    keyfob.request("GET", "/me")
except SignedOut:
    pass
else:
    raise AssertionError("a call succeeds after the log-out")
