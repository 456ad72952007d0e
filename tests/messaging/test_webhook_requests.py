"""Requests to the webhooks in every form that providers and programs between send them."""

import gzip
import io
import json
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from contacts.models import Contact
from messaging import replies
from messaging.models import WebhookEvent
from messaging.webhooks import MAX_BODY_BYTES, application
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)
CASES = json.loads(
    (Path(__file__).parent.parent / "data" / "cases" / "receipts" / "requests.json").read_text()
)
TOKEN = {"HTTP_X_WEBHOOK_TOKEN": "sandbox"}
JSON = "application/json"


def request(body, path="delivery", content_type=JSON, method="POST", chunked=False, **headers):
    """Send a request to the WSGI application; return the status and the text of the answer."""
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": f"/webhooks/mitto/{path}",
        "CONTENT_TYPE": content_type,
        "wsgi.input": io.BytesIO(body),
        **TOKEN,
        **headers,
    }
    if chunked:
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    else:
        environ["CONTENT_LENGTH"] = str(len(body))
    status = []
    answer = application(environ, lambda line, headers: status.append(int(line.split()[0])))
    return status[0], b"".join(answer).decode()


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
        chunked="Transfer-Encoding" in headers,
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


def test_a_chunked_body_is_read_to_the_same_limit():
    body = b'{"messageId":"A","deliveryStatus":"Sent"}'
    assert request(body + b" " * (MAX_BODY_BYTES - len(body)), chunked=True)[0] == 202
    assert request(body + b" " * (MAX_BODY_BYTES - len(body) + 1), chunked=True)[0] == 413
    assert set(stored()) == {"A"}


def test_json_that_is_called_a_form_is_json():
    form = "application/x-www-form-urlencoded"
    assert request(b'{"messageId":"A","deliveryStatus":"Sent"}', content_type=form)[0] == 202
    assert set(stored()) == {"A"}
