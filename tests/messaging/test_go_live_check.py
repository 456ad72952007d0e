"""`manage.py mitto_check` against the sandbox in each of its switches."""

import io
import re

import pytest
from django.core.management import CommandError, call_command

from messaging import sending
from messaging.models import WebhookEvent
from tests.astronote.test_web import web_of_module  # noqa: F401 - a fixture
from tests.support.sandbox import SandboxProcess
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.end_to_end]
PHONE = "+306900000001"


@pytest.fixture
def check(settings, web_of_module):  # noqa: F811
    """Run the command against a sandbox with these switches; return what it printed."""
    address = web_of_module
    settings.PUBLIC_WEB_BASE_URL = address
    settings.MITTO_SENDER = "TESTSHOP"

    def run(*, wait=10, webhook="/webhooks/mitto/delivery", fails=False, **switches):
        switches = {"receipt_delay_ms": 0} | switches
        options = [
            part
            for name, value in switches.items()
            for part in (f"--{name.replace('_', '-')}", str(value))
        ]
        url = address + webhook if webhook else ""
        with SandboxProcess("--webhook", url, *options) as sandbox:
            settings.MITTO_API_BASE = sandbox.url
            sending._cached_client.cache_clear()
            out = io.StringIO()
            try:
                call_command("mitto_check", PHONE, wait=wait, stdout=out)
                assert not fails, out.getvalue()
            except CommandError:
                assert fails, out.getvalue()
        printed = out.getvalue()
        assert not re.search(r"690000", printed), "numbers are masked"
        return printed

    return run


def test_an_account_that_works_is_ready(check):
    printed = check()
    assert "one call with three messages: 200 {" in printed, "word for word"
    assert "works    a call with many messages is accepted with status 200" in printed
    assert "a bad number alone is refused, with words: destination is not E.164" in printed
    assert "receipts come; their fields: deliveryStatus, description, destination" in printed
    assert "names its text, so the poller compares the order" in printed
    assert 'webhook: {"method":"POST"' in printed and '"x-webhook-token":"•••"' in printed
    assert printed.rstrip().endswith("Ready.")


@pytest.mark.parametrize(
    ("switches", "said"),
    [
        ({"accept_status": 201}, "accepted with status 201"),
        ({"accept_status": 202}, "accepted with status 202"),
        ({"id_name": "id"}, "messages.id"),
        ({"bad_number": "bare"}, "an item without words"),
        ({"bad_number": "errors"}, "errors"),
        (
            {"bad_number": "problem"},
            "has the whole call refused (400): Messages: dest",
        ),
        (
            {"bad_number": "string"},
            "has the whole call refused (400): One message of the call: dest",
        ),
        ({"without_bulk": 404, "id_name": "top"}, "there are no calls with many messages (404)"),
        ({"without_bulk": 405}, "there are no calls with many messages (405)"),
        ({"max_bytes": 350}, "a call of its size is refused (413)"),
        ({"fails_after_acceptance": 1}, "Failure"),
        ({"webhook_chunked": 1}, '"transfer-encoding":"chunked"'),
        ({"envelope": "data"}, "receipts come"),
        ({"envelope": "messages", "webhook_shape": "message"}, "conversation"),
        ({"webhook_shape": "classic"}, "receipts have no time that can be read"),
        ({"webhook_shape": "query", "webhook_secret": "query"}, "token=•••"),
        ({"webhook_secret": "path"}, "receipts come"),
        ({"webhook_secret": "signature"}, "receipts come"),
        ({"items_name_destination": 1}, "messages.destination"),
    ],
)
def test_what_is_known_is_said_whatever_mitto_does(check, switches, said):
    assert said in check(**switches)


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"webhook_shape": "classic", "envelope": "message"},
        {"webhook_shape": "message", "envelope": "payload"},
    ],
)
def test_a_stop_is_noticed_in_each_shape(check, switches):
    assert "no reply came" not in check(reply_text="STOP", **switches)
    # The request is kept before it is read.
    replies = WebhookEvent.objects.filter(event_type="inbound")
    wait_until(lambda: set(replies.values_list("consent_request", flat=True)) == {"stop"})


@pytest.mark.parametrize(
    ("switches", "said"),
    [
        ({"fault": "unauthorized"}, "set MITTO_API_KEY, register this machine's address"),
        ({"account_status": 403}, "the account is refused (403)"),
        ({"fault": "error_after"}, "the call was not accepted: answered 500: internal error"),
        ({"fault": "drop_after"}, "the connection broke before an answer"),
        ({"fault": "missing_items"}, "the answer names 2 messages of 3"),
        ({"parts_in_status": 4}, "ask Mitto to switch Unicode on"),
        ({"webhook": "", "wait": 0}, "have Mitto post to"),
        ({"webhook": "/webhooks/mitto/strange", "wait": 0}, "no receipt came"),
    ],
)
def test_what_is_missing_is_said_with_what_to_set(check, switches, said):
    printed = check(fails=True, **switches)
    assert said in printed and "MISSING" in printed


def test_messages_in_another_order_are_noticed_by_their_texts(check):
    assert "MISSING  " in (printed := check(fails=True, fault="reordered_items"))
    assert "a good message was not accepted" in printed or "another text" in printed
