"""The web server as it runs: receipts posted over HTTP, and its end."""

import signal
import subprocess

import orjson
import pytest
import requests

from astronote.processes import supervisor
from messaging.models import WebhookEvent
from tests.support.installation import free_port
from tests.support.posting import post_all
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def web(environment_of_processes):
    """The server's process and address."""
    port = free_port()
    process = subprocess.Popen(supervisor.web_command(port, 1), env=environment_of_processes)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(address))
        yield process, address
    finally:
        process.terminate()
        process.wait()


def answers(address):
    try:
        return requests.get(f"{address}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_receipts_of_many_connections_are_all_stored_once(web):
    _, address = web
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
