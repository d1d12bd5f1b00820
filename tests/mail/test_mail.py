"""What becomes of a mail, whatever the mail server does. docs/mail.md, "When the server is away"."""

import contextlib
import datetime
import json
import os
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from mailserver import Server, Silent, certificate, free_port, hangs, hangs_up, says
from service import PASSWORD, Service, expect, until

WORK = Path(os.environ["WORK"])
POSTGRES_URL = os.environ["POSTGRES_URL"]
BOB = "bob@example.com"
# Plenty for a conversation on this machine, and short for a server that hangs.
TIMEOUT_SECONDS = "2"


def settings(scheme, port, host="localhost", **more):
    usual = {
        "KEYFOB__MAIL__SMTP_URL": f"{scheme}://{host}:{port}",
        "KEYFOB__MAIL__FROM": "Example <accounts@example.com>",
        "KEYFOB__MAIL__TIMEOUT_SECONDS": TIMEOUT_SECONDS,
        "KEYFOB__MAIL__EHLO_NAME": "id.example.com",
    }
    if scheme != "smtp+plain":
        usual["KEYFOB__MAIL__CA_FILE"] = str(WORK / "ca.pem")
    return usual | {f"KEYFOB__MAIL__{name.upper()}": value for name, value in more.items()}


@pytest.fixture
def keyfob():
    """Starts services, which must end well."""
    with contextlib.ExitStack() as started:

        def start(mail, folder=None):
            service = Service(more=mail, folder=folder).start()
            started.callback(service.stop)
            return service

        yield start


def listed(service):
    done = service.run("mail", "list", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def wait_for_state(service, state, error=""):
    """The one mail, once it is in that state with that error."""
    found = []

    def is_so():
        found[:] = listed(service)
        return len(found) == 1 and found[0]["state"] == state and error in (found[0]["error"] or "")

    try:
        until(f"a mail that is {state}: {error}", is_so)
    except AssertionError as failed:
        raise AssertionError(f"{failed}: {found}\n{service.log.read_text()[-3000:]}") from None
    return found[0]


def wait_for_line(service, text):
    until(f"{text} in the log", lambda: text in service.log.read_text())


def retry(service):
    done = service.run("mail", "retry", "1")
    assert done.returncode == 0, done.stderr


def seconds_until(time_text):
    then = datetime.datetime.fromisoformat(time_text.replace("Z", "+00:00"))
    return (then - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def arrived(server, count=1):
    until(f"{count} mails", lambda: len(server.mails) >= count)
    return server.mails


# What goes well.


def test_a_mail_arrives_with_its_headers_and_the_link_works(keyfob):
    with Server() as server:
        service = keyfob(settings("smtp+plain", server.port, "127.0.0.1"))
        expect(service.sign_up(BOB), 201)
        (mail,) = arrived(server)
        assert mail.envelope == ("accounts@example.com", [BOB])
        assert (mail["From"], mail["To"]) == ("Example <accounts@example.com>", BOB)
        assert mail["Auto-Submitted"] == "auto-generated" and mail["Message-ID"].endswith("@127.0.0.1>")
        assert server.greetings == ["id.example.com"]
        text = mail.get_body(("plain",)).get_content()
        (link,) = [line for line in text.splitlines() if "token=" in line]
        assert link in mail.get_body(("html",)).get_content()
        token = link.split("token=")[1]
        expect(service.post("/email-verification/confirm", {"token": token}), 204)
        assert token not in service.log.read_text(), "the log shows links only where mails are files"
        assert wait_for_state(service, "sent")["attempts"] == 1


def test_starttls_encrypts_before_anything_is_said(keyfob):
    with Server(tls_context=certificate(), require_starttls=True) as server:
        service = keyfob(settings("smtp", server.port))
        expect(service.sign_up(BOB), 201)
        assert arrived(server)[0].is_encrypted


def test_tls_from_the_start(keyfob):
    with Server(implicit_tls=certificate()) as server:
        service = keyfob(settings("smtps", server.port))
        expect(service.sign_up(BOB), 201)
        arrived(server)


def test_many_mails_share_a_connection(keyfob):
    with Server() as server:
        service = keyfob(settings("smtp+plain", server.port))
        for number in range(30):
            expect(service.sign_up(f"a{number}@example.com"), 201)
        mails = arrived(server, 30)
        assert len({mail["Message-ID"] for mail in mails}) == 30
        assert len(server.greetings) < 15, server.greetings


@pytest.mark.parametrize("is_in_url", [True, False])
def test_the_service_logs_in_to_the_mail_server(keyfob, is_in_url):
    login = ("keyfob", "p@ss/word:1")
    with Server(users=[login], tls_context=certificate(), require_starttls=True) as server:
        if is_in_url:
            mail = settings("smtp", f"{server.port}", "keyfob:p%40ss%2Fword%3A1@localhost")
        else:
            password = WORK / f"password-{uuid.uuid4()}"
            password.write_text("p@ss/word:1\n")
            mail = settings("smtp", server.port, username="keyfob", password_file=str(password))
        service = keyfob(mail)
        expect(service.sign_up(BOB), 201)
        arrived(server)
        assert server.logins == [login]


# What goes wrong for all mails: they wait, and no attempt counts.


def test_a_server_that_is_away_gets_the_mail_when_it_is_back(keyfob):
    port = free_port()
    service = keyfob(settings("smtp+plain", port))
    expect(service.sign_up(BOB), 201)
    wait_for_line(service, "mails cannot be sent, and wait")
    assert wait_for_state(service, "waiting")["attempts"] == 0
    with Server(port=port) as server:
        arrived(server)
    wait_for_line(service, "mails are sent again")
    assert service.log.read_text().count("mails cannot be sent") == 1, "one line, however often it was tried"


def test_a_kill_between_the_request_and_the_mail_loses_nothing(keyfob):
    port = free_port()
    mail = settings("smtp+plain", port)
    first = keyfob(mail)
    expect(first.sign_up(BOB), 201)
    first.kill()
    first.process = None
    with Server(port=port) as server:
        keyfob(mail, folder=first.folder)
        (only,) = arrived(server)
        assert only["To"] == BOB


@pytest.mark.parametrize(
    ("scheme", "name", "authority", "remedy"),
    [
        ("smtp", "localhost", "other-ca", "set mail.ca_file"),
        ("smtps", "localhost", "other-ca", "set mail.ca_file"),
        ("smtps", "elsewhere.example", "ca", "put the name in its certificate into mail.smtp_url"),
    ],
)
def test_a_server_without_the_right_certificate_gets_nothing(keyfob, scheme, name, authority, remedy):
    tls = {"implicit_tls": certificate(name)} if scheme == "smtps" else {"tls_context": certificate(name)}
    with Server(**tls) as server:
        service = keyfob(settings(scheme, server.port, ca_file=str(WORK / f"{authority}.pem")))
        expect(service.sign_up(BOB), 201)
        wait_for_line(service, "mails cannot be sent")
        log = service.log.read_text()
        assert "certificate" in log and remedy in log, log
        assert (server.mails, server.attempts) == ([], 0)
        assert wait_for_state(service, "waiting")["attempts"] == 0


def test_a_server_without_starttls_gets_nothing(keyfob):
    with Server() as server:
        service = keyfob(settings("smtp", server.port))
        expect(service.sign_up(BOB), 201)
        wait_for_line(service, "the server does not offer STARTTLS")
        assert server.attempts == 0


def test_the_wrong_kind_of_tls_is_told_with_the_remedy(keyfob):
    with Server(implicit_tls=certificate()) as server:
        service = keyfob(settings("smtp", server.port))
        expect(service.sign_up(BOB), 201)
        wait_for_line(service, "a server that expects TLS from the start needs smtps://")
    with Server(tls_context=certificate()) as server:
        service = keyfob(settings("smtps", server.port))
        expect(service.sign_up(BOB), 201)
        wait_for_line(service, "a server that expects STARTTLS needs smtp://")


def test_a_login_that_is_missing_or_wrong_lets_all_mails_wait(keyfob):
    with Server(users=[("keyfob", "right")], auth_require_tls=False) as server:
        missing = keyfob(settings("smtp+plain", server.port))
        wrong = keyfob(settings("smtp+plain", server.port, "keyfob:violet-otter@localhost"))
        for service, cause in [(missing, "the server takes no mail from this sender"), (wrong, "authentication: ")]:
            expect(service.sign_up(BOB), 201)
            wait_for_line(service, cause)
            assert wait_for_state(service, "waiting")["attempts"] == 0
            assert "violet-otter" not in service.log.read_text()
        assert server.mails == []


def test_a_server_that_says_nothing_does_not_hold_up_anything_else(keyfob):
    with Silent() as silent:
        service = keyfob(settings("smtp+plain", silent.port))
        expect(service.sign_up(BOB), 201)
        wait_for_line(service, f"no answer within {TIMEOUT_SECONDS} s")
        begin = time.monotonic()
        service.member("eve@example.com")
        service.stop()
        assert time.monotonic() - begin < 20


# What goes wrong for one mail.


def test_not_now_is_tried_again(keyfob):
    with Server(on_recipient=says("451 4.3.0 come back later")) as server:
        service = keyfob(settings("smtp+plain", server.port))
        expect(service.sign_up(BOB), 201)
        mail = wait_for_state(service, "waiting", "come back later")
        assert mail["attempts"] == 1 and 15 < seconds_until(mail["next_attempt_at"]) < 40, mail
        server.on_recipient = None
        retry(service)
        arrived(server)
        assert wait_for_state(service, "sent")["error"] is None


@pytest.mark.parametrize("place", ["on_recipient", "on_data"])
def test_a_refusal_is_for_good_and_stops_no_other_mail(keyfob, place):
    with Server(**{place: says("550 5.1.1 no such user")}) as server:
        service = keyfob(settings("smtp+plain", server.port))
        expect(service.sign_up(BOB), 201)
        mail = wait_for_state(service, "failed", "no such user")
        assert mail["attempts"] == 1 and mail["next_attempt_at"] is None
        setattr(server, place, None)
        expect(service.sign_up("eve@example.com"), 201)
        (other,) = arrived(server)
        assert other["To"] == "eve@example.com"
        retry(service)
        arrived(server, 2)


def test_a_server_that_hangs_before_it_has_the_mail_gets_it_later(keyfob):
    with Server(on_recipient=hangs()) as server:
        service = keyfob(settings("smtp+plain", server.port))
        expect(service.sign_up(BOB), 201)
        mail = wait_for_state(service, "waiting", f"no answer within {TIMEOUT_SECONDS} s")
        assert "it may have arrived" not in mail["error"]
        assert seconds_until(mail["next_attempt_at"]) < 40
        assert server.mails == []


@pytest.mark.parametrize("behaviour", [hangs, hangs_up])
def test_a_mail_that_may_have_arrived_waits_long_and_keeps_its_id(keyfob, behaviour):
    with Server(on_data=behaviour()) as server:
        service = keyfob(settings("smtp+plain", server.port))
        expect(service.sign_up(BOB), 201)
        mail = wait_for_state(service, "waiting", "it may have arrived")
        assert 600 < seconds_until(mail["next_attempt_at"]) <= 900, mail
        first = [mail["Message-ID"] for mail in server.mails]
        server.on_data = None
        retry(service)
        wait_for_state(service, "sent")
        ids = {mail["Message-ID"] for mail in server.mails}
        assert len(ids) == 1 and ids.issuperset(first), "whoever gets both can tell that they are one"


def test_a_stop_lets_the_mail_under_way_be_handed_over(keyfob):
    with Server(on_data=hangs(1)) as server:
        service = keyfob(settings("smtp+plain", server.port))
        for number in range(3):
            expect(service.sign_up(f"a{number}@example.com"), 201)
        until("a mail is under way", lambda: server.attempts > 0)
        service.stop()
        states = [mail["state"] for mail in listed(service)]
        assert "sending" not in states and states.count("sent") == len(server.mails) > 0, states
        service.process = None


# Several processes.


@contextlib.contextmanager
def database():
    name = f"keyfob_mail_{uuid.uuid4().hex[:12]}"

    def run(statement):
        subprocess.run(["psql", "--quiet", "--no-psqlrc", POSTGRES_URL, "-c", statement], check=True, timeout=30)

    run(f"CREATE DATABASE {name}")
    try:
        yield f"{POSTGRES_URL.rsplit('/', 1)[0]}/{name}"
    finally:
        run(f"DROP DATABASE {name} WITH (FORCE)")


def test_two_replicas_on_postgresql_send_each_mail_once():
    with database() as url, Server() as server, contextlib.ExitStack() as started:
        mail = settings("smtp+plain", server.port) | {"KEYFOB__DATABASE__URL": url}
        services = []
        for _ in range(2):
            services.append(Service(more=mail).start())
            started.callback(services[-1].stop)
        for number in range(40):
            answer = services[number % 2].post("/signup", {"email": f"a{number}@example.com", "password": PASSWORD})
            expect(answer, 201)
        mails = arrived(server, 40)
        until("nothing waits", lambda: all(mail["state"] == "sent" for mail in listed(services[0])))
        assert len(mails) == len({mail["Message-ID"] for mail in mails}) == len({mail["To"] for mail in mails}) == 40
