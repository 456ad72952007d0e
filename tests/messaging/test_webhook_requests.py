"""Requests to the webhooks in every form that providers and programs between send them."""

import gzip
import hmac
import io
import json
import resource
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from django.core.handlers.wsgi import WSGIRequest

from contacts.models import Contact
from messaging import replies
from messaging.models import WebhookEvent
from messaging.webhooks import MAX_BODY_BYTES, SIGNED_BODY_LIMIT, answer_webhook_through_django
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)
CASES = json.loads(
    (Path(__file__).parent.parent / "data" / "cases" / "receipts" / "requests.json").read_text()
)
TOKEN = {"HTTP_X_WEBHOOK_TOKEN": "sandbox"}
JSON = "application/json"


def request(body, path="delivery", content_type=JSON, method="POST", **headers):
    """Send a request to the view; return the status and the text of the answer.

    Bodies in chunks, and their limits, are tried at the web server (tests/astronote/test_web.py).
    """
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": f"/webhooks/mitto/{path}",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **TOKEN,
        **headers,
    }
    answer = answer_webhook_through_django(WSGIRequest(environ))
    return answer.status_code, answer.content.decode()


def stored():
    return {
        event.provider_message_id: (event.provider_status, event.status)
        for event in WebhookEvent.objects.all()
    }


@pytest.mark.parametrize("case", CASES, ids=[case["wanted"][:60] for case in CASES])
def test_requests_as_they_really_come(case, capfd):
    headers = dict(case.get("headers", {}))
    body = case["body"].encode(case.get("encoding", "utf-8"))
    if case.get("gzip"):
        body = gzip.compress(body)
    if body.startswith(b"nesting"):
        body = b"[" * 300 + b"]" * 300
    number = "+525587654321" if "+52" in case["wanted"] else "+306900000001"
    contact = Contact.objects.create(owner=make_store(), phone=number)
    status, answer = request(
        body,
        case.get("path", "delivery"),
        headers.get("Content-Type", JSON),
        HTTP_CONTENT_ENCODING=headers.get("Content-Encoding", ""),
    )
    if case["wanted"].startswith("400"):
        assert status == 400 and "\n" not in answer
        assert "Traceback" not in capfd.readouterr().err
        return
    assert status == 202, answer
    replies.apply_received_replies()
    contact.refresh_from_db()
    if "opts out" in case["wanted"]:
        assert not contact.is_subscribed
        return
    expected = {"A": ("failure" if "Failure" in case["body"] else "delivered", "received")}
    if "both" in case["wanted"]:
        expected["B"] = ("delivered", "received")
    if "digits" in case["wanted"]:
        expected = {"123456789012345678901234": ("delivered", "received")}
    assert stored() == expected


def test_a_cut_emoji_is_replaced_and_nothing_else_is_lost():
    request(
        rb'{"messageId":"A","deliveryStatus":"Delivered","description":"Ok \ud83d, \ud83d\ude00"}'
    )
    assert WebhookEvent.objects.get().payload["description"] == "Ok �, 😀"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_the_encoding_of_json_does_not_matter(encoding):
    text = '{"messageId":"A","deliveryStatus":"Failure","description":"reçu à la porte"}'
    assert request(text.encode(encoding))[0] == 202
    assert WebhookEvent.objects.get().payload["description"] == "reçu à la porte"


@pytest.mark.parametrize("declared", ["", "; charset=ISO-8859-7", '; Charset="windows-1253"'])
@pytest.mark.parametrize("text", ["ΣΤΟΠ", "σταμάτα", "Τέλος", "διαγράψτε με"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_greek_form_of_another_age_opts_out(text, declared, method):
    contact = Contact.objects.create(owner=make_store(), phone="+306900000001")
    fields = f"from=306900000001&text={quote_plus(text.encode('cp1253'))}"
    where = {"QUERY_STRING": fields} if method == "GET" else {}
    body = b"" if method == "GET" else fields.encode()
    form = "application/x-www-form-urlencoded"
    assert request(body, "inbound", form + declared, method, **where)[0] == 202
    assert replies.apply_received_replies()["stop"] == 1
    contact.refresh_from_db()
    assert not contact.is_subscribed


@pytest.mark.parametrize(
    "body",
    ['{"messages":[EVENT]}', '{"events":[EVENT,EVENT]}', '{"data":{"results":[EVENT]}}',
     '{"count":1,"page":{"of":2},"items":[EVENT]}', '{"message":EVENT}', "[EVENT]", "EVENT"],
)  # fmt: skip
def test_events_are_found_in_their_envelope(body):
    event = '{"messageId":"A","deliveryStatus":"Sent","sender":{"id":"s"},"parts":[{"id":"p"}]}'
    assert request(body.replace("EVENT", event).encode())[0] == 202
    assert stored() == {"A": ("sent", "received")}


def test_what_is_in_a_reply_is_no_envelope():
    Contact.objects.create(owner=make_store(), phone="+306900000001")
    more = [{"from": "+306900000002", "text": "hello"}]
    request(
        json.dumps({"from": "+306900000001", "text": "stop", "quoted": more}).encode(), "inbound"
    )
    assert replies.apply_received_replies()["stop"] == 1


def test_an_event_that_is_nested_too_deeply_costs_what_is_nested_alone():
    deep = "[" * 400 + "]" * 400
    good, bad = '{"messageId":"B","status":"Sent"}', '{"messageId":"A","status":"Sent","x":DEEP}'
    assert request(f"[{bad},{good}]".replace("DEEP", deep).encode())[0] == 202
    assert set(stored()) == {"A", "B"}


def test_nesting_without_end_is_refused_in_a_line():
    assert request(b"[" * 200_000) == (400, '{"error":"the body is not JSON"}')


@pytest.mark.parametrize(
    ("packed", "status"),
    [(gzip.compress(b" " * (MAX_BODY_BYTES + 1)), 413), (gzip.compress(b"[]")[:-9], 400),
     (b"no gzip", 400)],
    ids=["a bomb", "cut", "not gzip"],
)  # fmt: skip
def test_a_packed_body_that_cannot_be_used_is_refused(packed, status):
    assert request(packed, HTTP_CONTENT_ENCODING="gzip")[0] == status
    assert stored() == {}


def test_another_packing_is_refused_with_a_reason():
    assert request(b"[]", HTTP_CONTENT_ENCODING="br")[0] == 415


def test_json_that_is_called_a_form_is_json():
    form = "application/x-www-form-urlencoded"
    assert request(b'{"messageId":"A","deliveryStatus":"Sent"}', content_type=form)[0] == 202
    assert set(stored()) == {"A"}


@pytest.mark.parametrize(
    "event",
    [
        {"messageId": "A", "Sender": {"messagingAppIdentifier": "306900000001"}, "text": "STOP"},
        {"originator": "+306900000001", "message": {"text": "STOP"}},
        {"Source": "306900000001", "Body": {"text": "STOP"}, "createdAt": "2026-11-25T18:10:00Z"},
        {"id": "A", "conversation": {"participants": [{"messagingAppIdentifier": "421902023456"},
         {"messagingAppIdentifier": "306900000001"}]}, "to": "421902023456", "text": "STOP"},
        {"specversion": "1.0", "source": "/mitto/1234567", "id": "e", "data":
         {"from": "306900000001", "text": "STOP"}},
        {"payload": '{"from": "306900000001", "text": "STOP"}'},
        {"messages": [{"message": {"sender": {"name": "x", "id": "9", "messagingAppIdentifier":
         "306900000001"}, "text": "STOP", "deliveryStatus": "Received", "messageId": "A"}}]},
        {"FROM": "306900000001", "TEXT": "STOP", "status": "New", "id": "A"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["delivery", "inbound"])
def test_a_stop_counts_in_any_shape_and_at_either_address(event, path):
    contact = Contact.objects.create(owner=make_store(), phone="+306900000001")
    assert request(json.dumps(event).encode(), path)[0] == 202
    assert replies.apply_received_replies()["stop"] == 1
    contact.refresh_from_db()
    assert not contact.is_subscribed


@pytest.mark.parametrize("path", ["delivery", "inbound"])
@pytest.mark.parametrize(
    "event",
    [
        {"messageId": "A", "text": "Reply STOP", "deliveryStatus": "Delivered", "conversation":
         {"id": "c", "participants": []}, "requestInfo": {"sms": {"sender": "+421902023456",
         "text": "Reply STOP"}}, "sender": {"id": "s1", "name": "S", "messagingAppIdentifier":
         "421902023456"}},
        {"MESSAGEID": "A", "DELIVERYSTATUS": "DELIVERED"},
        {"MsgId": "A", "Status": "Delivered", "Receiver": "306900000001", "ErrorCode": "0"},
        {"data": {"payload": [{"message_id": "A", "delivery_status": "Delivered"}]}},
    ],
)  # fmt: skip
def test_a_receipt_is_one_in_any_shape_and_at_either_address(event, path):
    assert request(json.dumps(event).encode(), path)[0] == 202
    assert stored() == {"A": ("delivered", "received")}
    assert replies.apply_received_replies()["stop"] == 0


def test_one_event_that_cannot_be_read_costs_itself_alone():
    good = {"messageId": "A", "deliveryStatus": "Sent"}
    body = {"messages": [good, 7, None, {}, {"x": 1}, good | {"messageId": "B"}]}
    assert request(json.dumps(body).encode())[0] == 202
    assert stored().keys() == {"A", "B", ""}
    assert WebhookEvent.objects.filter(status="failed").count() == 4, "what was unreadable is kept"


def test_two_megabytes_of_empty_objects_are_one_event_and_cost_little():
    body = b"[" + b"{}," * (MAX_BODY_BYTES // 3 - 3) + b"{}]"
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert request(body)[0] == 202
    assert time.process_time() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert WebhookEvent.objects.count() == 1


@pytest.mark.parametrize("name", ["token", "secret"])
def test_the_secret_may_be_in_the_query_and_is_not_kept(name):
    nothing = {"HTTP_X_WEBHOOK_TOKEN": ""}
    body = b'{"messageId":"A","status":"Sent"}'
    assert request(body, QUERY_STRING=f"{name}=wrong", **nothing)[0] == 401
    assert request(body, QUERY_STRING=f"{name}=sandbox&status=x&mcc=202", **nothing)[0] == 202
    assert WebhookEvent.objects.get().payload == {"messageId": "A", "status": "Sent", "mcc": "202"}


def test_a_post_may_have_its_fields_in_the_query():
    assert request(b"", QUERY_STRING="msgid=A&status=DELIVERED&errorcode=0")[0] == 202
    assert stored() == {"A": ("delivered", "received")}


def test_a_signed_body_says_nothing_about_the_query():
    signature = hmac.new(b"sandbox", b"{}", "sha256").hexdigest()
    headers = {"HTTP_X_WEBHOOK_TOKEN": "", "HTTP_X_MITTO_SIGNATURE": signature}
    assert request(b"{}", QUERY_STRING="msgid=A&status=DELIVERED", **headers)[0] == 202
    assert "A" not in stored()
    body = b" " * SIGNED_BODY_LIMIT.size + b"{}"
    headers["HTTP_X_MITTO_SIGNATURE"] = hmac.new(b"sandbox", body, "sha256").hexdigest()
    assert request(body, **headers)[0] == 413


def test_error_zero_of_a_failure_is_no_error_code():
    request(b'{"msgid":"A","status":"FAILED","errorcode":"0","sendtime":"2026-11-25 18:10:00"}')
    event = WebhookEvent.objects.get()
    assert (event.error_code, event.occurred_at) == ("undelivered", None)


TIMES = json.loads(
    (Path(__file__).parent.parent / "data" / "cases" / "receipts" / "times.json").read_text()
)
READABLE, ODD = TIMES.values()


@pytest.mark.parametrize(("form", "when"), READABLE)
def test_the_time_of_a_receipt_is_read_in_each_usual_form(form, when):
    request(json.dumps({"messageId": "A", "status": "Delivered", "timestamp": when}).encode())
    read = WebhookEvent.objects.get().occurred_at
    assert read.replace(microsecond=0) == datetime(2026, 11, 25, 18, 10, tzinfo=UTC)


@pytest.mark.parametrize(("form", "when"), ODD)
def test_a_time_that_cannot_be_is_not_believed(form, when):
    request(json.dumps({"messageId": "A", "status": "Delivered", "timestamp": when}).encode())
    assert WebhookEvent.objects.get().occurred_at is None
