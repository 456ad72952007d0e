"""The web server as it runs: receipts posted over HTTP, and its end."""

import contextlib
import gzip
import os
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import orjson
import pytest
import requests
from django.db import connection, transaction

from astronote.accounts.sessions import SessionStore
from astronote.common.sql import rows
from astronote.processes import supervisor
from astronote.processes.web_server import MAX_HEAD_BYTES
from campaigns import enqueue
from campaigns.models import CampaignMessage
from messaging.links import signed_unsubscribe_url
from messaging.models import WebhookEvent
from messaging.webhooks import MAX_BODY_BYTES
from tests.benchmarks import slow
from tests.support.database import url_of_test_database
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.installation import free_port
from tests.support.posting import post_all
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@contextlib.contextmanager
def web_server(environment):
    """A server's process and address."""
    port = free_port()
    process = subprocess.Popen(supervisor.web_command(port, 1), env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(address))
        yield process, address
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def web(environment_of_processes):
    """A server of the test's own, which it may kill: its process and address."""
    with web_server(environment_of_processes) as started:
        yield started


@pytest.fixture(scope="module")
def web_of_module(django_db_setup):
    """The address of a server for all tests of a module: to start one takes seconds."""
    with web_server(os.environ | {"DATABASE_URL": url_of_test_database()}) as (_, address):
        yield address


def answers(address):
    try:
        return requests.get(f"{address}/healthz", timeout=5).ok
    except (requests.ConnectionError, requests.Timeout):  # its port is open before it has started
        return False


def test_receipts_of_many_connections_are_all_stored_once(web_of_module):
    address = web_of_module
    bodies = [orjson.dumps({"messageId": f"m{n}", "status": "Delivered"}) for n in range(500)]
    posted = post_all(
        f"{address}/webhooks/mitto/delivery", bodies * 2, connections=16, token="sandbox"
    )
    assert posted.refused == 0
    assert WebhookEvent.objects.count() == 500
    wrong = post_all(f"{address}/webhooks/mitto/delivery", bodies, connections=1, token="wrong")
    assert wrong.refused == 1
    assert requests.get(f"{address}/webhooks/mitto/strange", timeout=5).status_code == 404
    assert requests.put(f"{address}/webhooks/mitto/delivery", timeout=5).status_code == 405


def test_a_server_that_is_killed_leaves_nothing_behind(web):
    process, address = web
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: not answers(address))


RECEIPT = b'{"messageId":"A","deliveryStatus":"Delivered"}'
SECRET = {"X-Webhook-Token": "sandbox"}


def test_two_hundred_half_sent_bodies_do_not_delay_the_others(web_of_module):
    address = web_of_module
    paths = ["/webhooks/mitto/delivery", "/webhooks/mitto/inbound", "/admin/login/", "/healthz"]
    health, receipts = [], []
    with contextlib.ExitStack() as stack:
        for number in range(200):
            stack.enter_context(slow.half_sent_body(address, paths[number % len(paths)]))
        session = stack.enter_context(requests.Session())
        for number in range(100):
            began = time.perf_counter()
            session.get(f"{address}/healthz").raise_for_status()
            health.append(time.perf_counter() - began)
            began = time.perf_counter()
            event = {"messageId": f"m{number}", "status": "Sent"}
            url = f"{address}/webhooks/mitto/delivery"
            session.post(url, json=event, headers=SECRET).raise_for_status()
            receipts.append(time.perf_counter() - began)
    assert WebhookEvent.objects.count() == 100
    assert sorted(health)[98] < 0.2 and sorted(receipts)[98] < 0.2


def test_half_sent_bodies_and_presses_during_a_call_do_not_delay_the_others(web, worker, sandbox):
    """The benchmark `slow` in small; there are more senders and presses than threads."""
    _, address = web
    sandbox.behave(latency_ms=30_000)
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 2)).pk)
    process = worker("rqworker", "sms")
    wait_until(lambda: CampaignMessage.objects.filter(batch__status="submitting").exists())
    link = signed_unsubscribe_url(CampaignMessage.objects.earliest("pk").tracking_id)
    waits = slow.crowd_and_measure(address, urlsplit(link).path, 80)
    assert CampaignMessage.objects.filter(batch__status="submitting").exists()
    process.kill()
    assert waits.refused_presses == 0
    assert WebhookEvent.objects.filter(event_type="dlr").count() == slow.SAMPLES
    # Without a thread of its own each would wait for the call or for a sender: half a minute.
    assert waits.p99(waits.health) < 5 and waits.p99(waits.receipts) < 5


def test_public_pages_that_wait_take_no_thread_from_operators(web_of_module):
    address = web_of_module
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    page = (
        address
        + urlsplit(signed_unsubscribe_url(CampaignMessage.objects.earliest("pk").tracking_id)).path
    )
    with contextlib.ExitStack() as stack:
        visitors = stack.enter_context(ThreadPoolExecutor(40))
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE campaigns_campaignmessage IN ACCESS EXCLUSIVE MODE")
            visits = [visitors.submit(requests.get, page, timeout=60) for _ in range(40)]
            wait_until(lambda: _waiting_for_locks() >= 8)
            assert requests.get(f"{address}/admin/login/", timeout=20).status_code == 200
            assert not any(visit.done() for visit in visits)
        assert {visit.result().status_code for visit in visits} == {200}


def _waiting_for_locks() -> int:
    [(waiting,)] = rows("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return waiting


def test_a_request_without_a_secret_is_refused_before_its_body(web_of_module):
    address = web_of_module
    with slow.half_sent_body(address, "/webhooks/mitto/delivery", header="X-A: b") as connection:
        connection.settimeout(2)
        assert connection.recv(100).startswith(b"HTTP/1.1 401")


def test_a_signed_body_is_awaited_for_seconds_only(web_of_module):
    address = web_of_module
    header = "X-Mitto-Signature: 00"
    with slow.half_sent_body(address, "/webhooks/mitto/delivery", header=header) as connection:
        connection.settimeout(9)
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
    with slow.half_sent_body(
        address, "/webhooks/mitto/delivery", header=header, length=1_000_000
    ) as connection:
        connection.settimeout(2)
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_bodies_in_chunks_are_read_to_the_same_limit(web_of_module):
    address = web_of_module
    url = f"{address}/webhooks/mitto/delivery"

    def chunks(size):
        yield RECEIPT
        yield b" " * (size - len(RECEIPT))

    assert requests.post(url, data=chunks(MAX_BODY_BYTES), headers=SECRET).status_code == 202
    assert requests.post(url, data=chunks(MAX_BODY_BYTES + 1), headers=SECRET).status_code == 413
    packed = gzip.compress(b" " * (MAX_BODY_BYTES + 1))
    headers = SECRET | {"Content-Encoding": "gzip"}
    assert requests.post(url, data=packed, headers=headers).status_code == 413
    assert requests.post(url, data=gzip.compress(RECEIPT), headers=headers).status_code == 202
    assert WebhookEvent.objects.count() == 1


def test_pages_forms_and_files_go_through_the_server(web_of_module):
    address = web_of_module
    with requests.Session() as session:
        page = session.get(f"{address}/admin/login/")
        assert page.ok and "csrftoken" in session.cookies
        style = page.text.split('rel="stylesheet"')[0].rsplit('href="', 1)[1].split('"')[0]
        assert "{" in session.get(address + style).text, "a file, in chunks"
        form = {"csrfmiddlewaretoken": session.cookies["csrftoken"], "username": "x" * 100_000,
                "password": "Ω"}  # fmt: skip
        answer = session.post(
            f"{address}/admin/login/", data=form, headers={"Referer": f"{address}/admin/login/"}
        )
        assert answer.status_code == 200 and "Please enter" in answer.text
        assert session.head(f"{address}/healthz").status_code == 200
        assert session.get(f"{address}/Ω?x=%CE%A9").status_code == 404


def test_a_long_head_is_refused_and_http2_is_not_spoken(web_of_module):
    address = web_of_module
    longest = MAX_HEAD_BYTES - 2000
    assert requests.get(f"{address}/s/x", headers={"User-Agent": "a" * longest}).status_code == 404
    for headers in ({"User-Agent": "a" * 100_000}, {f"X-{n}": "a" * 50 for n in range(2000)}):
        assert requests.get(f"{address}/s/x", headers=headers).status_code == 431
    assert requests.get(f"{address}/s/{'x' * 100_000}").status_code in (414, 431)
    host, port = urlsplit(address).netloc.split(":")
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
        assert not connection.recv(9).startswith(b"\0\0"), "a frame of settings"


def test_a_header_with_an_underscore_is_not_taken_for_the_proxys(web_of_module):
    address = web_of_module
    assert (
        requests.post(
            f"{address}/webhooks/mitto/delivery",
            data=RECEIPT,
            headers={"X_Webhook_Token": "sandbox"},
        ).status_code
        == 401
    )
    with requests.Session() as visitor:
        visitor.get(f"{address}/admin/login/")
        token = visitor.cookies["csrftoken"]
        for header, status in (("X_CSRFToken", 403), ("X-CSRFToken", 200)):
            answer = visitor.post(
                f"{address}/admin/login/", {"username": "x"}, headers={header: token}
            )
            assert answer.status_code == status, header


def test_a_large_body_is_refused_before_it_comes_unless_an_operator_uploads_a_file(
    web_of_module, client, admin_user
):
    address = web_of_module
    key = SessionStore()
    key["_auth_user_id"] = str(admin_user.pk)
    key.create()
    host, port = urlsplit(address).hostname, urlsplit(address).port
    upload, elsewhere = "/admin/contacts/contactimport/add/", "/admin/login/"
    for path, cookie, refused in (
        (upload, "", True), (upload, "sessionid=x", True), (upload, "sessionid=%00", True),
        (elsewhere, f"sessionid={key.session_key}", True),
        (upload, f"sessionid={key.session_key}", False),
    ):  # fmt: skip
        with socket.create_connection((host, port), timeout=10) as sender:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n"
            sender.sendall(f"{head}Content-Length: 50000000\r\n\r\n".encode() + b"x" * 1000)
            sender.settimeout(3)
            try:
                answer = sender.recv(100)
            except TimeoutError:
                answer = b"waits for the rest"
        assert (b" 413 " in answer) == refused, (path, cookie, answer)
    client.force_login(admin_user)
    cookies = {"sessionid": client.cookies["sessionid"].value}
    for _ in range(17):  # one after the other more than are received at one time
        answer = requests.post(address + upload, data=b"x" * 1_100_000, cookies=cookies, timeout=30)
        assert answer.status_code == 403, "received, and refused for want of a token"
    endless = (b"x" * 100_000 for _ in range(30))
    assert requests.post(address + elsewhere, data=endless, timeout=30).status_code == 413
