"""The stand-in for Mitto: its ledger outlives it, a seed decides, receipts come as asked."""

import http.server
import json
import threading
import time

import pytest
import requests

from messaging import mitto
from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.end_to_end


def send(sandbox, count, text="Hello"):
    client = mitto.MittoClient(base_url=sandbox.url, api_key="sandbox", traffic_account_id="a")
    return client.send_bulk_or_singly_if_unsupported(
        [mitto.OutgoingSms(f"+30690{n:07}", text, "TESTSHOP") for n in range(count)]
    )


@pytest.fixture
def webhook():
    """A server that keeps the receipts posted to it, in order."""
    receipts = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            receipts.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", receipts
    server.shutdown()
    server.server_close()


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_the_ledger_outlives_a_killed_sandbox(tmp_path):
    ledger = tmp_path / "ledger.jsonl"
    with SandboxProcess("--ledger", str(ledger)) as first:
        send(first, 50)
        first.process.kill()
        first.process.join()
    with ledger.open("ab") as file:
        file.write(b'["cut off')
    with SandboxProcess("--ledger", str(ledger)) as second:
        send(second, 50)
        summary = second.summary()
    assert (summary["accepted"], summary["duplicates"]) == (100, 50)


def test_the_same_seed_gives_the_same_faults_and_fates(tmp_path):
    def history(seed):
        with SandboxProcess("--seed", str(seed), "--undelivered-share", "0.5") as sandbox:
            sandbox.behave(fault="error_before", fault_share=0.5)
            answers = [type(send(sandbox, 3, text=str(n))).__name__ for n in range(12)]
            return answers, [m["fails"] for m in sandbox.messages()]

    assert history(1) == history(1)
    assert history(1) != history(2)


@pytest.mark.parametrize(
    ("receipts", "expected"),
    [("normal", ["Delivered"]), ("twice", ["Delivered"] * 2),
     ("reordered", ["Delivered", "Sent"]), ("late", ["Delivered"])],
)  # fmt: skip
def test_receipts_come_as_asked(webhook, receipts, expected):
    url, received = webhook
    with SandboxProcess("--webhook", url, "--receipts", receipts, "--late-ms", "300") as sandbox:
        send(sandbox, 1)
        wait_for(lambda: [r["deliveryStatus"] for r in received] == expected)


def test_early_receipts_come_before_the_answer(webhook):
    url, received = webhook
    with SandboxProcess("--webhook", url, "--receipts", "early") as sandbox:
        send(sandbox, 250)
        assert len(received) == 250


def test_receipts_that_never_come_leave_the_status_to_be_asked_for(webhook):
    url, received = webhook
    with SandboxProcess("--webhook", url, "--receipts", "never") as sandbox:
        answer = send(sandbox, 1)
        client = mitto.MittoClient(base_url=sandbox.url, api_key="sandbox", traffic_account_id="a")
        message_id = answer.items[0].message_id
        wait_for(lambda: client.fetch_message_status(message_id).delivery_status == "Delivered")
        assert received == []


def test_a_switch_that_does_not_exist_is_refused(sandbox):
    answer = requests.put(f"{sandbox.url}/_sandbox/behaviour", json={"no_such": 1}, timeout=5)
    assert answer.status_code == 400 and "no_such" in answer.text
