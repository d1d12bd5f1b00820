#!/usr/bin/env python3
"""What one client can take of a server: `python3 bench/attacks.py COMMAND` after `cargo build --release`.

Starts a server with default settings and a database of its own in a temporary folder, attacks it from 127.0.0.2, and prints
what it was answered and the server's resident memory: before, at the most, and afterwards. Every attack is bounded in number
and in time and goes to 127.0.0.1 alone. Needs Linux, for all of 127.0.0.0/8 is this machine there, and Python 3.9.

  forms     240 log-ins, each with 262,143 bytes of `&a` parameters; the same in multipart parts; and JSON for /signup
  chunks    240 log-ins whose bodies come in chunks of one byte, and stop before the end
  answers   256 connections that ask for large pages again and again, and read nothing (also --tls)
  streams   50,000 streams opened on one HTTP/2 connection, over TLS
  window    600 large pages asked for on one HTTP/2 connection that grants no room for the answers, over TLS
  queue     80 connections repeat the same wrong password, each for a name of its own, while somebody logs in from 127.0.0.1

Where HTTP/2 is not spoken, `streams` and `window` say so and end.
"""

import argparse
import collections
import http.client
import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
CERTIFICATES = ROOT / "tests" / "api" / "certificates"
SERVER, ATTACKER = "127.0.0.1", "127.0.0.2"
OWNER, PASSWORD = "owner@example.com", "quartz-Meadow 41"
BODY_BYTES = 262_143
CONNECTIONS = 240
# No attack takes longer.
SECONDS = 60


class Server:
    """The service, and what the system knows of its memory."""

    def __init__(self, binary, folder, tls=False):
        with socket.socket() as free:
            free.bind((SERVER, 0))
            self.port = free.getsockname()[1]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KEYFOB")}
        environment["KEYFOB__SERVER__BIND"] = f"{SERVER}:{self.port}"
        if tls:
            environment["KEYFOB__SERVER__TLS_CERT"] = str(CERTIFICATES / "first.crt")
            environment["KEYFOB__SERVER__TLS_KEY"] = str(CERTIFICATES / "first.key")
        self.tls = tls
        self.log = open(folder / "log", "w", encoding="utf-8")
        self.process = subprocess.Popen([binary, "serve"], cwd=folder, env=environment, stdout=self.log, stderr=self.log)
        until("the server answers", 30, self.answers)

    def answers(self):
        try:
            self.connect(SERVER).close()
            return True
        except OSError:
            return False

    def connect(self, source=ATTACKER, protocols=("http/1.1",)):
        stream = socket.create_connection((SERVER, self.port), timeout=SECONDS, source_address=(source, 0))
        if not self.tls:
            return stream
        context = ssl.create_default_context(cafile=CERTIFICATES / "first.crt")
        context.set_alpn_protocols(list(protocols))
        return context.wrap_socket(stream, server_hostname="localhost")

    def memory(self, name="VmRSS"):
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.log.close()


def until(what, seconds, holds):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"not in {seconds} s: {what}")
        time.sleep(0.05)


def request(server, method, path, body="", kind="application/json", source=SERVER, token=None):
    """A request on a connection of its own: the status, and the body as JSON."""
    headers = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Type: {kind}"]
    headers += [f"Content-Length: {len(body.encode())}"] + ([f"Authorization: Bearer {token}"] if token else [])
    stream = server.connect(source)
    stream.sendall(("\r\n".join(headers) + "\r\n\r\n" + body).encode())
    answer = http.client.HTTPResponse(stream, method=method)
    answer.begin()
    text = answer.read()
    stream.close()
    return answer.status, json.loads(text) if text.startswith((b"{", b"[")) else None


def log_in(server, source, password, username=OWNER):
    form = urlencode({"username": username, "password": password})
    return request(server, "POST", "/login", form, "application/x-www-form-urlencoded", source)


def sign_up(server):
    status, _ = request(server, "POST", "/signup", json.dumps({"email": OWNER, "password": PASSWORD}))
    assert status == 201, status


def fill(server, posts=100):
    """Posts of the largest size."""
    sign_up(server)
    token = log_in(server, SERVER, PASSWORD)[1]["access_token"]
    body = json.dumps({"title": "large", "content": "x" * 20_000})
    for _ in range(posts):
        assert request(server, "POST", "/posts", body, token=token)[0] == 201


def at_once(streams, pieces):
    """Sends its pieces on each stream, as fast as the server takes them, and reads nothing."""
    left = {stream.fileno(): (stream, iter(pieces), b"") for stream in streams}
    deadline = time.monotonic() + SECONDS / 2
    for stream in streams:
        stream.setblocking(False)
    while left and time.monotonic() < deadline:
        _, writable, _ = select.select([], list(left), [], 1)
        if not writable:
            break
        for number in writable:
            stream, pieces, rest = left[number]
            try:
                rest = rest or next(pieces)
                left[number] = stream, pieces, rest[stream.send(rest):]
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                left[number] = stream, pieces, rest
            except (StopIteration, OSError):
                del left[number]


def collect(streams, seconds):
    """The statuses that come, and how many get none."""
    statuses = collections.Counter()
    waiting = {stream.fileno(): stream for stream in streams}
    deadline = time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        for number in select.select(list(waiting), [], [], 0.5)[0]:
            stream = waiting.pop(number)
            try:
                words = stream.recv(64).split()
            except OSError:
                words = []
            statuses[words[1].decode() if len(words) > 1 else "closed"] += 1
    statuses["none"] += len(waiting)
    return dict(+statuses)


def head(path, kind, length=None):
    framing = f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked"
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n".encode()


def report(server, name, before, answers):
    peak = server.memory("VmHWM")
    time.sleep(10)
    print(f"{name:<28} {before:6.0f} MB before, {peak:6.0f} MB at the most, {server.memory():6.0f} MB after; {answers}")


def forms(args, folder):
    form = "application/x-www-form-urlencoded"
    multipart = "multipart/form-data; boundary=b"
    part = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    bodies = {
        "forms of &a": ("/login", form, (b"username=a%40b.example&password=wrong-1-wrong" + b"&a" * BODY_BYTES)[:BODY_BYTES]),
        "multipart": ("/login", multipart, (part.encode() * BODY_BYTES)[: BODY_BYTES - 7] + b"--b--\r\n"),
        "one long value": ("/login", form, b"password=" + b"a" * (BODY_BYTES - 9)),
        "JSON for /signup": ("/signup", "application/json", b'{"a":[' + b"0," * ((BODY_BYTES - 9) // 2) + b"0]}"),
    }
    for name, (path, kind, body) in bodies.items():
        for is_slow in (False, True):
            server = Server(args.binary, folder)
            before = server.memory()
            streams = [server.connect() for _ in range(CONNECTIONS)]
            pieces = [head(path, kind, len(body)), body[:-1] if is_slow else body]
            at_once(streams, pieces)
            answers = collect(streams, 5 if is_slow else SECONDS)
            for stream in streams:
                stream.close()
            report(server, name + (", stalled" if is_slow else ""), before, answers)
            server.stop()


def chunks(args, folder):
    server = Server(args.binary, folder)
    before = server.memory()
    streams = [server.connect() for _ in range(CONNECTIONS)]
    body = b"username=a%40b.example&password=" + b"a" * 40_000
    small = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    at_once(streams, [head("/login", "application/x-www-form-urlencoded"), small])
    answers = collect(streams, 10)
    for stream in streams:
        stream.close()
    report(server, "chunks of one byte", before, answers)
    server.stop()


def answers(args, folder):
    server = Server(args.binary, folder, tls=args.tls)
    fill(server)
    for name, path in {"pages of 2 MB": "/posts?limit=100", "answers of no bytes": "/posts/0"}.items():
        before = server.memory()
        streams = [server.connect() for _ in range(256)]
        ask = f"{'GET' if 'MB' in name else 'HEAD'} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        at_once(streams, [ask * (100 if "MB" in name else 50_000)])
        time.sleep(10)
        for stream in streams:
            stream.close()
        report(server, name, before, "nothing read")
    server.stop()


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def field(name, value):
    """A header, not compressed (RFC 7541 §6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def http_2(server, settings=b""):
    """A connection of HTTP/2, or none."""
    stream = server.connect(protocols=("h2", "http/1.1"))
    if stream.selected_alpn_protocol() != "h2":
        print("HTTP/2 is not spoken: nothing to attack")
        return None
    stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, settings))
    return stream


def ask(number, method, path, ends):
    headers = field(b":method", method) + field(b":scheme", b"https") + field(b":authority", b"localhost")
    return frame(1, 5 if ends else 4, number, headers + field(b":path", path))


def streams(args, folder):
    server = Server(args.binary, folder, tls=True)
    before = server.memory()
    stream = http_2(server)
    if stream:
        for number in range(1, 100_000, 2):
            stream.sendall(ask(number, b"POST", b"/login", False))
        time.sleep(5)
        stream.close()
        report(server, "50,000 open streams", before, "one connection")
    server.stop()


def window(args, folder):
    server = Server(args.binary, folder, tls=True)
    fill(server)
    before = server.memory()
    # SETTINGS_INITIAL_WINDOW_SIZE is 0.
    stream = http_2(server, b"\0\x04\0\0\0\0")
    if stream:
        for number in range(1, 1200, 2):
            stream.sendall(ask(number, b"GET", b"/posts?limit=100", True))
        time.sleep(20)
        stream.close()
        report(server, "no room for 600 answers", before, "one connection")
    server.stop()


def queue(args, folder):
    server = Server(args.binary, folder)
    sign_up(server)
    is_over = threading.Event()
    refused = collections.Counter()

    def guess(number):
        username = f"nobody-{number}@example.com"
        while not is_over.is_set():
            try:
                refused[log_in(server, ATTACKER, "the same wrong password", username)[0]] += 1
            except (OSError, http.client.HTTPException):
                refused["closed"] += 1

    guessing = [threading.Thread(target=guess, args=(number,), daemon=True) for number in range(80)]
    for thread in guessing:
        thread.start()
    time.sleep(3)
    seen = []
    for _ in range(12):
        began = time.monotonic()
        status = log_in(server, SERVER, PASSWORD)[0]
        seen.append((status, time.monotonic() - began))
    is_over.set()
    for thread in guessing:
        thread.join(timeout=30)
    print("the owner:", ", ".join(f"{status} after {seconds:.2f} s" for status, seconds in seen))
    print(f"the attacker: {dict(refused)}")
    server.stop()


def main():
    commands = {"forms": forms, "chunks": chunks, "answers": answers, "streams": streams, "window": window, "queue": queue}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=commands)
    parser.add_argument("--binary", default=str(ROOT / "target" / "release" / "keyfob"))
    parser.add_argument("--tls", action="store_true", help="`answers` over TLS")
    args = parser.parse_args()
    args.binary = str(Path(args.binary).resolve())
    folder = Path(tempfile.mkdtemp(prefix="keyfob-attacks-"))
    try:
        commands[args.command](args, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
