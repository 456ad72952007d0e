"""Every form in which Mitto may answer, against the sandbox's switches (mitto-api, section 10)."""

import http.server
import json
import threading

import pytest
import requests
from django.core.exceptions import ValidationError
from django.core.management import call_command

from campaigns import enqueue
from campaigns.models import CampaignMessage
from messaging import mitto, polling, receipts, sending, sending_stop
from messaging.batch_queue import claim_next_batch
from messaging.models import Batch, WebhookEvent
from tests.messaging.test_mitto_client import SMS, answering, client  # noqa: F401 - a fixture
from tests.support.factories import make_campaign, make_list, make_store

BAD = SMS._replace(destination="12")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("status", [200, 201, 202])
@pytest.mark.parametrize("id_name", ["messageId", "id", "top"])
def test_any_2xx_and_an_id_by_any_name_is_an_acceptance(sandbox, status, id_name):
    sandbox.behave(accept_status=status, id_name=id_name)
    mine = client(sandbox.url)
    for result in (mine.send_bulk_or_singly_if_unsupported([SMS, SMS]), mine.send_one(SMS)):
        assert isinstance(result, mitto.Accepted)
        assert all(item.message_id for item in result.items)


def test_a_bad_number_fails_only_if_mitto_has_words_for_it(sandbox):
    mine = client(sandbox.url)
    items = {}
    for how in ("item", "bare", "errors"):
        sandbox.behave(bad_number=how)
        items[how] = mine.send_bulk_or_singly_if_unsupported([SMS, BAD]).items
    assert all(good.message_id for good, _ in items.values())
    assert items["item"][1] == mitto.SentItem(None, "destination is not E.164")
    assert items["bare"][1] == items["errors"][1] == mitto.SentItem(None, "")


def test_problem_details_keep_their_words(sandbox):
    sandbox.behave(bad_number="problem")
    result = client(sandbox.url).send_bulk_or_singly_if_unsupported([SMS, BAD])
    assert isinstance(result, mitto.CallRefused) and result.status_code == 400
    assert "One or more validation errors" in result.error
    assert "destination is not E.164" in result.error


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'"no credit for +306900000001"', ["no credit for +", "\x80¢"][0]),
        (b'{"error": {"code": 17, "message": "blocked"}}', "blocked; code 17"),
        (b'{"title": "Bad", "detail": "Sender", "status": 400}', "Bad; Sender"),
        (b'{"errors": {"sms.sender": ["too long"]}}', "sms.sender: too long"),
        (b'{"errors": [{"description": "unknown route"}]}', "unknown route"),
        (b"<html>Forbidden</html>", "Forbidden"),
    ],
)
def test_a_refusal_keeps_its_words_without_numbers(answering, body, words):  # noqa: F811
    refused = client(answering(403, {}, body)).send_one(SMS)
    assert isinstance(refused, mitto.CallRefused)
    assert words in refused.error and "690" not in refused.error


@pytest.mark.parametrize("word", [0, "0", None, False, ""])
def test_an_error_zero_is_no_error(answering, word):  # noqa: F811
    body = json.dumps({"error": word, "code": word}).encode()
    assert client(answering(200, {}, body)).send_one(SMS).items == [mitto.SentItem(None, "")]


def test_items_that_name_their_numbers_are_matched_by_them(sandbox):
    sandbox.behave(fault="reordered_items", items_name_destination=1)
    messages = [SMS._replace(destination=f"+30690000000{n}") for n in range(3)]
    items = client(sandbox.url).send_bulk_or_singly_if_unsupported(messages).items
    numbers = {message["id"]: message["destination"] for message in sandbox.messages()}
    assert [numbers[item.message_id] for item in items] == [m.destination for m in messages]


@pytest.mark.parametrize("status", [404, 405])
def test_where_there_are_no_bulk_calls_messages_go_out_one_by_one(sandbox, caplog, status):
    sandbox.behave(without_bulk=status)
    result = client(sandbox.url).send_bulk_or_singly_if_unsupported([SMS, BAD, SMS])
    assert [bool(item.message_id) for item in result.items] == [True, False, True]
    assert result.items[1].error
    assert "no sendmessagesbulk" in caplog.text


def test_bulk_calls_are_tried_again_after_a_while(sandbox, monkeypatch):
    sandbox.behave(without_bulk=404)
    mine = client(sandbox.url)
    mine.send_bulk_or_singly_if_unsupported([SMS, SMS])
    sandbox.behave(without_bulk=0)
    calls = sandbox.summary()["calls"]
    mine.send_bulk_or_singly_if_unsupported([SMS, SMS])
    assert sandbox.summary()["calls"] == calls + 2
    monkeypatch.setattr(mitto, "NO_BULK_SECONDS", 0)
    sandbox.behave(without_bulk=404)
    mine = client(sandbox.url)
    mine.send_bulk_or_singly_if_unsupported([SMS, SMS])
    sandbox.behave(without_bulk=0)
    assert mine.send_bulk_or_singly_if_unsupported([SMS, SMS]).bulk_id


@pytest.fixture
def campaign():
    store = make_store()
    return enqueue.enqueue_campaign(make_campaign(store, make_list(store, 6)).pk)


def statuses():
    return sorted(CampaignMessage.objects.values_list("status", flat=True))


def test_a_batch_of_single_sends_that_stops_goes_on_with_the_rest(
    sandbox, campaign, settings, monkeypatch
):
    sandbox.behave(without_bulk=404)
    settings.QUEUE_RATE_MAX = 1000
    sending._cached_client.cache_clear()
    monkeypatch.setattr(mitto, "MAX_SINGLE_SENDS_SECONDS", 0)
    results = []
    while (result := sending.process_next_batch()) != "none due":
        results.append(str(result))
    assert results == ["deferred"] * 5 + ["accepted"]
    assert statuses() == ["sent"] * 6
    assert (sandbox.summary()["accepted"], sandbox.summary()["duplicates"]) == (6, 0)


def test_an_item_without_id_and_words_is_unknown(campaign):
    batch = claim_next_batch()
    messages = sending.mark_submitting(batch)
    items = [mitto.SentItem(f"id{n}") for n in range(4)]
    items += [mitto.SentItem(None, "bad number"), mitto.SentItem(None)]
    assert (
        sending.settle_halve_or_requeue_batch(batch, messages, mitto.Accepted(items)) == "accepted"
    )
    assert statuses() == ["failed"] + ["sent"] * 4 + ["unknown"]


def test_a_call_is_capped_by_its_bytes(campaign, settings, monkeypatch):
    monkeypatch.setattr(mitto, "MAX_CALL_BYTES", 1000)
    store = make_store("bob")
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 6)).pk)
    batches = Batch.objects.filter(owner=store)
    assert batches.count() > 1 and sum(batches.values_list("size", flat=True)) == 6


def test_a_message_that_fails_after_it_was_accepted_has_failed(sandbox, campaign):
    sandbox.behave(fails_after_acceptance=1, receipt_delay_ms=0)
    assert sending.process_next_batch() == "accepted"
    Batch.objects.update(settled_at="2026-01-01T00:00:00Z")
    polling._poll_and_record_statuses(Batch.objects.all())
    assert statuses() == ["failed"] * 6
    assert "cannot be reached" in CampaignMessage.objects.first().last_error
    assert receipts.apply_received_receipts()["applied"] == 0


@pytest.fixture
def polled(sandbox, campaign):
    """Send the campaign in an order that Mitto does or does not keep, and query its messages."""

    def poll(**switches):
        sandbox.behave(receipt_delay_ms=0, **switches)
        assert sending.process_next_batch() == "accepted"
        Batch.objects.update(settled_at="2026-01-01T00:00:00Z")
        return polling._poll_and_record_statuses(Batch.objects.all())

    return poll


def test_a_status_of_another_message_is_not_applied_and_all_sending_stops(polled, caplog, capsys):
    assert polled(fault="reordered_items")["mismatched"] == 6
    assert statuses() == ["sent"] * 6
    (said,) = sending_stop.describe_stops()
    assert "names other texts or numbers for 6 message IDs" in said and said in caplog.text
    assert "+3069" not in caplog.text
    assert WebhookEvent.objects.filter(event_type="poll", status="failed").count() == 6

    call_command("sending", "go-on", "mismatched_ids")
    assert "Sending is not stopped" in capsys.readouterr().out
    assert polling._poll_and_record_statuses(Batch.objects.all())["mismatched"] == 6
    assert sending_stop.describe_stops() == []


def test_parts_that_mitto_counts_otherwise_raise_an_alert(polled, caplog):
    assert polled(parts_in_status=3)["final"] == 6
    assert "counts other parts than we do, of 6 messages" in caplog.text


@pytest.fixture
def proxy(settings):
    """Calls to Mitto go through a proxy; returns the list of what it has passed on."""
    passed_on = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = requests.request(
                self.command, self.path, data=body, headers=dict(self.headers), timeout=30
            )
            passed_on.append(f"{self.command} {self.path}")
            self.send_response(answer.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def do_GET(self):
            self.do_POST()

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        settings.MITTO_PROXY = f"http://127.0.0.1:{server.server_port}"
        yield passed_on
        server.shutdown()


def test_sends_and_status_queries_go_through_the_proxy(proxy, polled, sandbox):
    assert polled()["final"] == 6
    assert sandbox.summary()["accepted"] == 6
    api = f"{sandbox.url}/api/v1.1/Messages"
    ids = CampaignMessage.objects.values_list("provider_message_id", flat=True)
    assert proxy[0] == f"POST {api}/sendmessagesbulk"
    assert set(proxy[1:]) == {f"GET {api}/{provider_id}" for provider_id in ids}


def test_a_proxy_that_refuses_stops_the_account_and_loses_nothing(campaign, settings, answering):  # noqa: F811
    settings.MITTO_PROXY = answering(407, {}, b"log in first")
    assert sending.process_next_batch() == "account refused"
    assert "407: log in first" in sending_stop.describe_stops()[0]
    assert statuses() == ["queued"] * 6


def test_a_sender_with_an_inner_space_stands_on_the_message(sandbox):
    store = make_store(sender_name="My Shop 24")
    store.full_clean(exclude=["password"])
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    assert sending.process_next_batch() == "accepted"
    assert [message["sender"] for message in sandbox.messages()] == ["My Shop 24"]


@pytest.mark.parametrize("sender", [" Shop", "Shop ", "My  ", "My\tShop", "My\u00a0Shop"])
def test_a_sender_with_another_or_an_outer_space_is_refused(sender):
    store = make_store()
    store.sender_name = sender
    with pytest.raises(ValidationError, match="inner spaces"):
        store.full_clean(exclude=["password"])
