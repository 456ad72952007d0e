"""The client's reading of Mitto's answers, against the sandbox and against servers that break."""

import http.server
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from messaging import mitto

KEY, ACCOUNT = "sandbox", "00000000-0000-4000-8000-0000000000aa"
SMS = mitto.OutgoingSms("+306900000001", "Hello", "TESTSHOP")


def client(url, **options):
    return mitto.MittoClient(base_url=url, api_key=KEY, traffic_account_id=ACCOUNT, **options)


@pytest.fixture
def answering():
    """Starts a server that gives one fixed answer; returns its address."""
    servers = []

    def serve(status, headers, body=b"{}"):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_bulk_call_and_a_single_call_give_ids_in_order(sandbox):
    mine = client(sandbox.url)
    bulk = mine.send_bulk_or_singly_if_unsupported([SMS, SMS._replace(destination="12"), SMS])
    assert isinstance(bulk, mitto.Accepted) and bulk.bulk_id
    assert [bool(item.message_id) for item in bulk.items] == [True, False, True]
    single = mine.send_one(SMS)
    assert isinstance(single, mitto.Accepted) and single.items[0].message_id


def test_the_status_of_a_message_is_read(sandbox):
    mine = client(sandbox.url)
    sent = mine.send_one(SMS)
    report = mine.fetch_message_status(sent.items[0].message_id)
    assert isinstance(report, mitto.MessageReport)
    assert report.delivery_status in ("Sent", "Delivered") and report.updated_at
    assert mine.fetch_message_status("01NOBODY") == mitto.NotFound()
    stranger = mitto.MittoClient(base_url=sandbox.url, api_key="x", traffic_account_id=ACCOUNT)
    assert isinstance(stranger.fetch_message_status("01NOBODY"), mitto.CallRefused)


def test_retry_after_is_read_as_seconds_and_as_a_date(answering):
    assert client(answering(429, {"Retry-After": "7"})).send_one(SMS).retry_after == 7
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    wait = client(answering(503, {"Retry-After": later})).send_one(SMS).retry_after
    assert 80 < wait <= 90
    for unknown in ("soon", "nan", "inf"):
        assert client(answering(429, {"Retry-After": unknown})).send_one(SMS).retry_after is None


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://no-such-host.invalid", "https://expects.tls"]
)
def test_what_fails_before_a_byte_is_sent_was_not_taken(url, answering):
    if url.startswith("https"):
        url = answering(200, {}).replace("http:", "https:")
    assert isinstance(client(url).send_one(SMS), mitto.RetryLater)


def test_a_connection_that_breaks_after_the_request_is_ambiguous():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up():
            connection, _ = server.accept()
            connection.recv(65536)
            connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert isinstance(client(url).send_one(SMS), mitto.Ambiguous)


def test_redirects_are_not_followed_with_the_key(answering):
    answer = client(answering(302, {"Location": "http://127.0.0.1:1/"})).send_one(SMS)
    assert isinstance(answer, mitto.Ambiguous)


def test_words_of_a_refusal_hide_phone_numbers(answering):
    refused = client(answering(400, {}, b'{"message": "bad number +306900000001"}')).send_one(SMS)
    assert isinstance(refused, mitto.CallRefused) and "690" not in refused.error
