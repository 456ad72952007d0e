"""Alerts by e-mail and webhook: told when a problem stays, and once more when it is over."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from django.core import mail
from django.core.management import call_command
from django.db import connection

from astronote.models import AuditEntry, User
from astronote.operations.alerts import Alerts
from astronote.queues import jobs, recurring
from messaging import sending_stop
from messaging.statuses import StopReason

pytestmark = pytest.mark.django_db(transaction=True)


class Hook:
    """A webhook of a chat: what was posted to it, and the status that it answers."""

    def __init__(self):
        self.posted, self.status = [], 200
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posted.append(json.loads(body)["text"])
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *_):
                """Nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook(settings):
    made = Hook()
    settings.ALERT_WEBHOOK_URL = made.url
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def operator(client, settings):
    settings.EMAIL_URL = "smtp://127.0.0.1:25"
    call_command("create_operator", "me@example.com", role="operator", password="a-long-one-9")
    client.force_login(User.objects.get(email="me@example.com"))
    return client


def test_a_problem_that_stays_is_told_once_and_so_is_its_end(hook):
    alerts = Alerts()
    alerts.tell_alerts()
    assert hook.posted == []  # it may be a restart
    alerts.tell_alerts()
    alerts.tell_alerts()
    assert any("No scheduler is running" in text for text in hook.posted)
    assert len(hook.posted) == len(set(hook.posted)) == 2  # and no workers
    assert "http://127.0.0.1:1/admin/" in hook.posted[0]
    jobs.redis_connection().set(recurring.HEARTBEAT_KEY, 1)
    alerts.tell_alerts()
    alerts.tell_alerts()
    assert hook.posted[2:] == [text for text in hook.posted if text.startswith("Over: No sched")]
    assert len(hook.posted) == 3


def test_a_problem_that_could_not_be_told_is_told_later(hook):
    hook.status = 500
    alerts = Alerts()
    alerts.tell_alerts()
    alerts.tell_alerts()
    failed = len(hook.posted)
    hook.status = 200
    alerts.tell_alerts()
    alerts.tell_alerts()
    assert failed == 2 and len(hook.posted) == 4


def test_an_operator_switches_mails_on_and_gets_those_of_a_stop(operator):
    page = operator.get("/admin/account/")
    assert "Switch on" in page.text
    operator.post("/admin/account/alerts/")
    assert AuditEntry.objects.filter(action="alerts switched on").exists()
    sending_stop.stop_sending(StopReason.ACCOUNT_REFUSED, by="test", details="401")
    alerts = Alerts()
    alerts.tell_alerts()
    alerts.tell_alerts()
    told = [message for message in mail.outbox if "refuse" in message.body]
    assert [message.to for message in told] == [["me@example.com"]]
    operator.post("/admin/account/alerts/")
    mail.outbox.clear()
    sending_stop.resume_sending(StopReason.ACCOUNT_REFUSED, by="test")
    alerts.tell_alerts()
    assert not mail.outbox


def test_a_database_that_does_not_answer_is_told_too(hook):
    alerts = Alerts()
    alerts.tell_alerts()
    connection.close()
    name = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "nothing_here"
    try:
        alerts.tell_alerts()
        alerts.tell_alerts()
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name
    assert any("PostgreSQL cannot be reached" in text for text in hook.posted)
    assert not any(text.startswith("Over") for text in hook.posted)
