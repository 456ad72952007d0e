"""A server that behaves as Mitto's messaging API, with a ledger of what it accepted and faults.

It knows nothing of Django; `manage.py mitto_sandbox` and `python -m messaging.sandbox` run it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import gc
import hashlib
import heapq
import hmac
import itertools
import os
import random
import re
import signal
import time
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import orjson
from aiohttp import web

E164 = re.compile(r"\+[1-9]\d{6,14}")
SENDER = re.compile(r"[A-Za-z0-9]{3,11}|\+\d{7,15}")
FAULTS = [
    "none", "unauthorized", "bad_request", "too_many", "too_many_bare", "unavailable",
    "unavailable_bare", "unavailable_after", "error_before", "error_after", "drop_before",
    "drop_after", "timeout_before", "timeout_after", "not_json", "missing_items", "extra_items",
    "reordered_items", "no_bulk_id",
]  # fmt: skip
RECEIPTS = ["normal", "early", "late", "twice", "reordered", "never"]


@dataclass
class Behaviour:
    """The switches; each can be changed while the sandbox runs."""

    latency_ms: int = 0
    receipt_delay_ms: int = 200
    late_ms: int = 5000
    undelivered_share: float = 0.0
    receipts: str = "normal"
    receipts_per_call: int = 100
    fault: str = "none"
    fault_share: float = 1.0
    fault_count: int | None = None
    retry_after_s: int = 1
    timeout_ms: int = 60000
    bulk_cap: int = 5000
    status_latency_ms: int = 0
    status_404_share: float = 0.0


class Message:
    """One accepted message; slots, since there may be millions."""

    __slots__ = ("accepted_at", "bulk_id", "destination", "fails", "id", "sender", "text")

    def __init__(self, row: list) -> None:
        self.id, self.destination, self.text, self.sender, self.accepted_at, self.bulk_id = row[:6]
        self.fails = row[6]


class Sandbox:
    def __init__(
        self, *, key: str, seed: int, ledger: Path | None, webhook: str, secret: str,
        behaviour: Behaviour,
    ) -> None:  # fmt: skip
        self.key, self.seed, self.webhook, self.secret = key, seed, webhook, secret
        self.behaviour = behaviour
        self.messages: dict[str, Message] = {}
        self.calls = self.asked = 0
        self.posted = {"Sent": 0, "Delivered": 0, "Failure": 0}
        self.failed_posts = 0
        self._due: list[tuple[float, int, Message, str, float]] = []
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._ledger_path = ledger
        self._ledger = None
        if ledger:
            if ledger.exists():
                with open(ledger, "rb") as file:
                    for line in file:
                        with contextlib.suppress(orjson.JSONDecodeError):  # cut off by a kill
                            message = Message(orjson.loads(line))
                            self.messages[message.id] = message
            self._ledger = open(ledger, "ab", buffering=0)

    # Sending

    async def bulk(self, request: web.Request) -> web.StreamResponse:
        return await self._send(request, bulk=True)

    async def single(self, request: web.Request) -> web.StreamResponse:
        return await self._send(request, bulk=False)

    async def _send(self, request: web.Request, *, bulk: bool) -> web.StreamResponse:
        behaviour = self.behaviour
        # Read first: a caller that hangs up afterwards has sent its messages all the same.
        data = await request.read()
        arrived = time.time()
        self.calls += 1
        fault = self._draw_fault()
        if behaviour.latency_ms:
            await asyncio.sleep(behaviour.latency_ms / 1000)
        if fault == "unauthorized" or request.headers.get("X-Mitto-API-Key") != self.key:
            return _error(401, "the API key is missing or invalid")
        if fault == "bad_request":
            return _error(400, "the request is not valid")
        if fault in ("too_many", "too_many_bare", "unavailable", "unavailable_bare"):
            wait = {} if fault.endswith("bare") else {"Retry-After": str(behaviour.retry_after_s)}
            return _error(429 if fault.startswith("too") else 503, "try again later", wait)
        if fault == "error_before":
            return _error(500, "internal error")
        if fault == "drop_before":
            return _drop(request)
        if fault == "timeout_before":
            await asyncio.sleep(behaviour.timeout_ms / 1000)
            return _error(504, "too late")
        try:
            body = orjson.loads(data)
            entries = body["messages"] if bulk else [body]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _error(400, "the body cannot be read")
        if len(entries) > behaviour.bulk_cap:
            return _error(400, f"more than {behaviour.bulk_cap} messages")
        answer = self._accept(entries, fault, arrived)
        if answer is None:
            return _error(400, "no message of the call is valid")
        if behaviour.receipts == "early":
            await self._post_due_now()
        if fault in ("error_after", "unavailable_after"):
            return _error(500 if fault == "error_after" else 503, "internal error")
        if fault == "drop_after":
            return _drop(request)
        if fault == "timeout_after":
            await asyncio.sleep(behaviour.timeout_ms / 1000)
        if fault == "not_json":
            return web.Response(text="<html>OK</html>", content_type="text/html")
        if not bulk:
            answer.pop("bulkId", None)
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    def _draw_fault(self) -> str:
        behaviour = self.behaviour
        if behaviour.fault == "none" or behaviour.fault_count == 0:
            return "none"
        if random.Random(f"{self.seed}:{self.calls}").random() >= behaviour.fault_share:
            return "none"
        if behaviour.fault_count is not None:
            behaviour.fault_count -= 1
        return behaviour.fault

    def _accept(self, entries: list[dict], fault: str, now: float) -> dict | None:
        """Write the valid messages to the ledger, then answer; None if none is valid."""
        bulk_id = f"bulk-{self.calls}-{int(now * 1000)}"
        items, lines, accepted = [], [], []
        for entry, message_id in zip(entries, _new_ids(now, len(entries)), strict=True):
            problem = _invalid(entry)
            if problem:
                items.append({"error": problem})
                continue
            sms, destination = entry["sms"], entry["destination"]
            fails = self._fails(destination, sms["text"])
            row = [message_id, destination, sms["text"], sms["sender"], now, bulk_id, fails]
            lines.append(orjson.dumps(row))
            accepted.append(Message(row))
            items.append({"messageId": row[0], "trafficAccountId": entry["trafficAccountId"]})
        if not accepted:
            return None
        if self._ledger:
            self._ledger.write(b"\n".join(lines) + b"\n")
        for message in accepted:
            self.messages[message.id] = message
            self._schedule(message, now)
        if fault == "missing_items":
            items = items[:-1]
        elif fault == "extra_items":
            items = [*items, {"messageId": _new_ids(now, 1)[0]}]
        elif fault == "reordered_items":
            items = items[::-1]
        answer = {"bulkId": bulk_id, "messages": items}
        if fault == "no_bulk_id":
            del answer["bulkId"]
        return answer

    def _fails(self, destination: str, text: str) -> bool:
        """Whether the message is never delivered; the same seed decides the same."""
        if not self.behaviour.undelivered_share:
            return False
        fate = hashlib.sha256(f"{self.seed}:{destination}:{text}".encode()).digest()
        return int.from_bytes(fate[:4]) / 2**32 < self.behaviour.undelivered_share

    # Status and receipts

    async def status(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("X-Mitto-API-Key") != self.key:
            return _error(401, "the API key is missing or invalid")
        if self.behaviour.status_latency_ms:
            await asyncio.sleep(self.behaviour.status_latency_ms / 1000)
        message = self.messages.get(request.match_info["id"])
        self.asked += 1
        draw = random.Random(f"{self.seed}:asked:{self.asked}").random()
        if message is None or draw < self.behaviour.status_404_share:
            return _error(404, "no such message")
        age = (time.time() - message.accepted_at) * 1000
        word = "Sent"
        if age >= self.behaviour.receipt_delay_ms:
            word = "Failure" if message.fails else "Delivered"
        body = _receipt(message, word, time.time()) | {"messageParts": 1}
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    def _schedule(self, message: Message, now: float) -> None:
        behaviour = self.behaviour
        if not self.webhook or behaviour.receipts == "never":
            return
        final = "Failure" if message.fails else "Delivered"
        delay = behaviour.receipt_delay_ms / 1000
        if behaviour.receipts == "early":
            delay = 0
        if behaviour.receipts == "late":
            delay += behaviour.late_ms / 1000
        due = now + delay
        done = (due, final, now + 1)
        planned = [done]
        if behaviour.receipts == "twice":
            planned = [done, done]
        elif behaviour.receipts == "reordered":
            planned = [done, (due + 0.2, "Sent", now)]
        for when, word, at in planned:
            heapq.heappush(self._due, (when, next(self._order), message, word, at))
        self._wake.set()

    def _next_receipt(self) -> dict:
        """The one that is due first, taken from the list."""
        _, _, message, word, at = heapq.heappop(self._due)
        return _receipt(message, word, at)

    async def post_receipts(self) -> None:
        """Post what is due, by the list, for ever."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            while True:
                self._wake.clear()
                now = time.time()
                if not self._due or self._due[0][0] > now:
                    wait = self._due[0][0] - now if self._due else None
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), wait)
                    continue
                chunk = []
                while self._due and self._due[0][0] <= now:
                    chunk.append(self._next_receipt())
                    if len(chunk) == self.behaviour.receipts_per_call:
                        break
                await self._post(session, chunk)

    async def _post_due_now(self) -> None:
        """Post all that is due before the caller gets its answer."""
        receipts = [self._next_receipt() for _ in range(len(self._due))]
        size = self.behaviour.receipts_per_call
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            for start in range(0, len(receipts), size):
                await self._post(session, receipts[start : start + size])

    async def _post(self, session: aiohttp.ClientSession, receipts: list[dict]) -> None:
        body = orjson.dumps(receipts)
        headers = {
            "Content-Type": "application/json",
            "X-Webhook-Token": self.secret,
            "X-Webhook-Signature": hmac.new(self.secret.encode(), body, "sha256").hexdigest(),
        }
        for attempt in range(20):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with session.post(self.webhook, data=body, headers=headers) as answer:
                    if answer.status < 300:
                        for receipt in receipts:
                            self.posted[receipt["deliveryStatus"]] += 1
                        return
            await asyncio.sleep(min(0.1 * 2**attempt, 5))
        self.failed_posts += 1

    # Control

    async def summary(self, request: web.Request) -> web.Response:
        seen: dict[tuple, int] = {}
        for m in self.messages.values():
            key = (m.destination, m.text, m.sender)
            seen[key] = seen.get(key, 0) + 1
        return web.json_response(
            {
                "accepted": len(self.messages),
                "calls": self.calls,
                "duplicates": sum(count - 1 for count in seen.values()),
                "receipts_posted": self.posted,
                "receipts_pending": len(self._due),
                "failed_posts": self.failed_posts,
            }
        )

    async def listing(self, request: web.Request) -> web.Response:
        wanted = request.query.get("destination")
        rows = [
            {name: getattr(m, name) for name in Message.__slots__}
            for m in self.messages.values()
            if wanted in (None, m.destination)
        ]
        after, limit = int(request.query.get("after", 0)), int(request.query.get("limit", 10000))
        return web.json_response(rows[after : after + limit])

    async def behave(self, request: web.Request) -> web.Response:
        if request.method == "PUT":
            changes = await request.json()
            known = {field.name for field in fields(Behaviour)}
            if not set(changes) <= known:
                return _error(400, f"unknown switches: {sorted(set(changes) - known)}")
            for name, value in changes.items():
                setattr(self.behaviour, name, value)
        return web.json_response(asdict(self.behaviour))

    async def reset(self, request: web.Request) -> web.Response:
        self.messages.clear()
        self._due.clear()
        self.calls = 0
        if self._ledger:
            self._ledger.truncate(0)
        return web.json_response({})

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.add_routes(
            [
                web.post("/api/{version}/Messages/sendmessagesbulk", self.bulk),
                web.post("/api/{version}/Messages/send", self.single),
                web.get("/api/{version}/Messages/{id}", self.status),
                web.get("/_sandbox/summary", self.summary),
                web.get("/_sandbox/messages", self.listing),
                web.get("/_sandbox/behaviour", self.behave),
                web.put("/_sandbox/behaviour", self.behave),
                web.post("/_sandbox/reset", self.reset),
            ]
        )
        return app


def _invalid(entry: dict) -> str:
    sms = entry.get("sms") if isinstance(entry, dict) else None
    if not isinstance(sms, dict) or not entry.get("trafficAccountId"):
        return "trafficAccountId and sms are required"
    if not E164.fullmatch(str(entry.get("destination") or "")):
        return "destination is not E.164"
    if not SENDER.fullmatch(str(sms.get("sender") or "")):
        return "sender is not valid"
    return "" if sms.get("text") else "text is empty"


def _receipt(message: Message, word: str, at: float) -> dict:
    return {
        "messageId": message.id,
        "deliveryStatus": word,
        "updatedAt": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "description": "the subscriber cannot be reached" if word == "Failure" else None,
        "destination": message.destination,
    }


_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def _new_ids(now: float, count: int) -> list[str]:
    """So many ids of 26 letters that sort by time, as Mitto's do."""
    milliseconds = int(now * 1000)
    first = "".join(_LETTERS[(milliseconds >> shift) & 31] for shift in range(45, -1, -5))
    drawn = "".join(random.choices(_LETTERS, k=16 * count))
    return [first + drawn[start : start + 16] for start in range(0, len(drawn), 16)]


def _error(status: int, message: str, headers: dict | None = None) -> web.Response:
    return web.json_response({"message": message}, status=status, headers=headers)


def _drop(request: web.Request) -> web.StreamResponse:
    if request.transport:
        request.transport.abort()
    return web.Response(status=500)


def add_arguments(parser: argparse.ArgumentParser, *, port: int, key: str, secret: str) -> None:
    """The options of both entry points."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=port, help="0 picks a free one")
    parser.add_argument("--key", default=key, help="API key that callers must send")
    parser.add_argument("--secret", default=secret, help="secret of the receipts it posts")
    parser.add_argument("--webhook", default="", help="address that receipts are posted to")
    parser.add_argument("--ledger", type=Path, help="file that keeps what was accepted")
    parser.add_argument("--seed", type=int, default=1, help="decides fates and faults")
    parser.add_argument("--die-with-parent", action="store_true")
    for field in fields(Behaviour):
        kind = {"float": float, "str": str}.get(str(field.type), int)
        choices = {"fault": FAULTS, "receipts": RECEIPTS}.get(field.name)
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=kind, default=field.default, choices=choices
        )


def run(options: dict) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    if options["die_with_parent"]:
        parent = os.getppid()
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
        if os.getppid() != parent:
            return
    # It keeps every message it takes: to look through them for garbage is a tenth of its work.
    gc.set_threshold(100_000, 100, 100)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options))


async def _serve(options: dict) -> None:
    sandbox = Sandbox(
        key=options["key"], seed=options["seed"], ledger=options["ledger"],
        webhook=options["webhook"], secret=options["secret"],
        behaviour=Behaviour(**{f.name: options[f.name] for f in fields(Behaviour)}),
    )  # fmt: skip
    runner = web.AppRunner(sandbox.app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, options["host"], options["port"], shutdown_timeout=0.5)
    await site.start()
    port = runner.addresses[0][1]
    print(f"Mitto sandbox listening on http://{options['host']}:{port}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    poster = asyncio.create_task(sandbox.post_receipts())
    await stop.wait()
    poster.cancel()
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, port=8025, key="sandbox", secret="sandbox")
    run(vars(parser.parse_args()))
