"""Receipts go on coming in while the web server is replaced, and none is refused."""

import contextlib
import os
import signal
import socket
import subprocess
import threading

import pytest
import requests

from astronote.processes import supervisor
from messaging.models import WebhookEvent
from tests.support.installation import free_port
from tests.support.waiting import answers, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = {"X-Webhook-Token": "sandbox"}
SENDERS = 4


class Receipts:
    """Posts receipts without a pause, each on a connection of its own, as long as it is open.

    As the proxies of `deploy/` do, it repeats a request whose connection was closed without an
    answer: the server has closed it before it read anything.
    """

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/webhooks/mitto/delivery"
        self.taken, self.refused = [], []
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(n,)) for n in range(SENDERS)]

    def _post(self, sender):
        number = 0
        while not self._is_over.is_set():
            receipt = {"messageId": f"m{sender}-{number}", "status": "Delivered"}
            number += 1
            try:
                answer = self._post_again_if_closed(receipt)
                (self.taken if answer.ok else self.refused).append(answer.status_code)
            except requests.RequestException as error:
                self.refused.append(error)

    def _post_again_if_closed(self, receipt):
        try:
            return requests.post(self.url, json=receipt, headers=SECRET, timeout=40)
        except requests.ConnectionError as error:
            if "without response" not in str(error):
                raise
            return requests.post(self.url, json=receipt, headers=SECRET, timeout=40)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        wait_until(lambda: len(self.taken) > 20)
        return self

    def __exit__(self, *exc):
        seen = len(self.taken)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: len(self.taken) > seen + 20)
        self._is_over.set()
        for thread in self._threads:
            thread.join()


def children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout
    return {int(child) for child in found.split()}


def test_serve_replaces_its_web_processes_at_sighup_without_refusing_a_receipt(worker):
    port = free_port()
    process = worker("serve", PORT=str(port), WEB_CONCURRENCY="2", START_WORKER="0")
    wait_until(lambda: answers(port))
    assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=40).ok
    (web,) = children(process.pid)
    wait_until(lambda: len(children(web)) >= 3)  # two, and what watches their resources
    before = children(web)
    with Receipts(port) as receipts:
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(before & children(web)) == len(before) - 2, seconds=90)
    assert receipts.refused == []
    assert WebhookEvent.objects.count() == len(receipts.taken)
    assert children(process.pid) == {web}


def test_serve_replaces_its_workers_at_sighup(worker):
    port = free_port()
    few = {f"{name}_CONCURRENCY": "1" for name in
           ("WORKER", "SCHEDULER", "WATCHDOG", "WEB")}  # fmt: skip
    process = worker("serve", PORT=str(port), **few)
    wait_until(lambda: answers(port))
    assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=40).ok
    before = children(process.pid)
    process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(children(process.pid) & before) == 1, seconds=60)
    wait_until(lambda: len(children(process.pid)) == len(before), seconds=60)


def test_a_web_server_on_systemds_socket_is_restarted_without_refusing_a_receipt(
    environment_of_processes,
):
    """The test is in systemd's place: it opens the socket and passes it to each server."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port = listener.getsockname()[1]
    command = subprocess.list2cmdline(supervisor.manage_command("web", "--processes", "1"))

    def start():
        return subprocess.Popen(
            ["sh", "-c", f"LISTEN_PID=$$ LISTEN_FDS=1 exec {command}"],
            env=environment_of_processes,
            preexec_fn=lambda: os.dup2(listener.fileno(), 3),
            pass_fds=(3,),
        )

    server = start()
    try:
        with Receipts(port) as receipts:
            for _ in range(2):
                server.terminate()
                assert server.wait(40) == 0
                server = start()
                taken = len(receipts.taken)
                wait_until(lambda: len(receipts.taken) > taken + 20)  # noqa: B023
    finally:
        server.terminate()
        server.wait()
        listener.close()
    assert receipts.refused == []
    assert WebhookEvent.objects.count() == len(receipts.taken)


def test_an_address_in_use_is_said_in_one_line(environment_of_processes):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            supervisor.manage_command("web", "--port", port),
            env=environment_of_processes, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert f"127.0.0.1:{port} cannot be listened on: Address already in use" in done.stderr


def test_it_listens_where_it_is_told_to(worker):
    port = free_port()
    worker("web", BIND_ADDRESS="127.0.0.2", PORT=str(port))

    def ok():
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.2:{port}/healthz", timeout=5).ok

    wait_until(ok)
    assert not answers(port)
