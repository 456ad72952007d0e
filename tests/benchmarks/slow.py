"""Slow strangers: half-sent bodies, and presses on one opt-out link during a call to Mitto.

The p99 of `/healthz` and of a receipt beside the bodies alone, and beside both; `size` is that of
both crowds.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Event
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

from tests.benchmarks.result import Result
from tests.support.installation import Installation
from tests.support.waiting import wait_until

SIZES = [200]
WEB = True
VARIABLES = {"WEBHOOK_SECRET": "sandbox"}
CALL_SECONDS = 15
SAMPLES = 100
SLOW_PATHS = ("/webhooks/mitto/delivery", "/webhooks/mitto/inbound", "/admin/login/", "/healthz")
_ready: Event
_start: Event
SECRET = {"X-Webhook-Token": "sandbox"}


class Waits(NamedTuple):
    """Seconds by address, sorted; and how the presses were answered."""

    health: list[float]
    receipts: list[float]
    presses: list[float]
    refused_presses: int

    @staticmethod
    def p99(waits: list[float]) -> float:
        return waits[int(len(waits) * 0.99) - 1]


def run(place: Installation, size: int) -> list[Result]:
    from campaigns import enqueue
    from campaigns.models import CampaignMessage
    from messaging.links import signed_unsubscribe_url
    from tests.support.factories import make_campaign, make_list, make_store

    site = f"http://127.0.0.1:{place.web_port}"
    wait_until(lambda: _answers(site))
    place.behave(latency_ms=CALL_SECONDS * 1000)
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 5)).pk)
    place.start("sms", "rqworker sms")
    wait_until(lambda: CampaignMessage.objects.filter(batch__status="submitting").exists())
    link = signed_unsubscribe_url(CampaignMessage.objects.earliest("pk").tracking_id)
    quiet_health, quiet_receipts = measure_beside_half_sent_bodies(site, size)
    waits = crowd_and_measure(site, urlsplit(link).path, size)
    assert CampaignMessage.objects.filter(batch__status="submitting").exists(), "the call has ended"
    return [
        Result(
            "slow",
            what,
            size,
            "ms",
            ours=Waits.p99(taken) * 1000,
            also={"worst ms": round(taken[-1] * 1000), "refused presses": waits.refused_presses},
        )
        for what, taken in (
            ("/healthz beside half bodies, p99", quiet_health),
            ("receipt beside half bodies, p99", quiet_receipts),
            ("/healthz, p99", waits.health),
            ("receipt, p99", waits.receipts),
            ("press, p99", waits.presses),
        )
    ]


def measure_beside_half_sent_bodies(site: str, size: int) -> tuple[list[float], list[float]]:
    """How long `/healthz` and a receipt take beside so many half bodies, sorted."""
    with contextlib.ExitStack() as stack:
        for number in range(size):
            stack.enter_context(half_sent_body(site, SLOW_PATHS[number % len(SLOW_PATHS)]))
        return _ask_and_post(site)


def _ask_and_post(site: str) -> tuple[list[float], list[float]]:
    health: list[float] = []
    receipts: list[float] = []
    with requests.Session() as session:
        for _ in range(SAMPLES):
            with measured(health):
                session.get(f"{site}/healthz", timeout=60).raise_for_status()
            event = {"messageId": f"slow{time.time_ns()}", "status": "Sent"}
            with measured(receipts):
                url = f"{site}/webhooks/mitto/delivery"
                session.post(url, json=event, headers=SECRET, timeout=60).raise_for_status()
    return sorted(health), sorted(receipts)


def crowd_and_measure(site: str, link_path: str, size: int) -> Waits:
    """Send so many half bodies and press the link as often; ask and post meanwhile."""
    with contextlib.ExitStack() as stack:
        for number in range(size):
            stack.enter_context(half_sent_body(site, SLOW_PATHS[number % len(SLOW_PATHS)]))
        # In a process of their own: in this one, the presses would hold up what is measured.
        spawn = multiprocessing.get_context("spawn")
        ready, start = spawn.Event(), spawn.Event()
        pool = stack.enter_context(spawn.Pool(1, _keep_events, (ready, start)))
        presses = pool.apply_async(_press_together, (site + link_path, size))
        assert ready.wait(60), "the crowd does not come"
        start.set()
        health, receipts = _ask_and_post(site)
        seconds, statuses = zip(*presses.get(120), strict=True)
    return Waits(health, receipts, sorted(seconds), sum(status != 200 for status in statuses))


def _keep_events(ready: Event, start: Event) -> None:
    global _ready, _start
    _ready, _start = ready, start


def _press_together(url: str, size: int) -> list[tuple[float, int]]:
    """Press the link so many times at once; the seconds and the status of each answer."""
    os.nice(10)  # a crowd takes no processor time from the server it presses on

    def press(_: int) -> tuple[float, int]:
        _start.wait()
        began = time.perf_counter()
        status = requests.post(url, timeout=60).status_code
        return time.perf_counter() - began, status

    with ThreadPoolExecutor(size) as pressers:
        answers = pressers.map(press, range(size))
        _ready.set()
        return list(answers)


@contextlib.contextmanager
def measured(waits: list[float]):
    began = time.perf_counter()
    yield
    waits.append(time.perf_counter() - began)


def half_sent_body(
    site: str, path: str, *, header: str = "X-Webhook-Token: sandbox", length: int = 1000
) -> socket.socket:
    """A connection on which a body was begun and does not end."""
    address = urlsplit(site)
    connection = socket.create_connection((address.hostname, address.port))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{header}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + b'{"messageId":')
    return connection


def _answers(site: str) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"{site}/healthz", timeout=5).ok
    return False
