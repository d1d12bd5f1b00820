"""A mail server on a free port of this machine, and how it behaves."""

import asyncio
import os
import socket
import ssl
import threading
from email import message_from_bytes, policy
from pathlib import Path

from aiosmtpd.smtp import AuthResult, SMTP

WORK = Path(os.environ["WORK"])


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def certificate(name="localhost"):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(WORK / f"{name}.pem", WORK / f"{name}.key")
    return context


class Server:
    """`mails` are those that it took. `on_recipient` and `on_data` are what it answers, and may wait or hang up first."""

    def __init__(self, port=None, on_recipient=None, on_data=None, users=None, implicit_tls=None, **smtp):
        self.mails, self.greetings, self.logins, self.attempts = [], [], [], 0
        self.on_recipient, self.on_data = on_recipient, on_data
        if users is not None:
            smtp |= {"authenticator": self.authenticate, "auth_required": True}
            self.users = users
        self.smtp_settings, self.implicit_tls = smtp, implicit_tls
        self.port = port or free_port()
        self.loop = asyncio.new_event_loop()

    def __enter__(self):
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        listening = self.loop.create_server(self.smtp, "127.0.0.1", self.port, ssl=self.implicit_tls)
        self.listener = asyncio.run_coroutine_threadsafe(listening, self.loop).result(10)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.listener.close)
        self.loop.call_soon_threadsafe(self.loop.stop)

    def smtp(self):
        return SMTP(self, hostname="localhost", loop=self.loop, **self.smtp_settings)

    def authenticate(self, server, session, envelope, mechanism, data):
        login = (data.login.decode(), data.password.decode())
        self.logins.append(login)
        return AuthResult(success=login in self.users, handled=False)

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        self.greetings.append(hostname)
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.attempts += 1
        answer = self.on_recipient and await self.on_recipient(server)
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        mail.is_encrypted = session.ssl is not None
        mail.envelope = (envelope.mail_from, envelope.rcpt_tos)
        answer = self.on_data and await self.on_data(server)
        if answer and not answer.startswith("2"):
            return answer
        self.mails.append(mail)
        return answer or "250 OK"


def says(answer):
    async def say(_):
        return answer

    return say


def hangs(seconds=20):
    async def hang(_):
        await asyncio.sleep(seconds)

    return hang


def hangs_up(server_answer=None):
    """The server has the whole mail, and the connection ends before its answer."""

    async def hang_up(server):
        server.transport.abort()
        await asyncio.sleep(0.1)
        return server_answer or "250 OK"

    return hang_up


class Silent:
    """Listens, and never says a word."""

    def __enter__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        self.port = self.socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.socket.close()
