"""The sandbox: a server that behaves like Mitto's messaging API, with faults on request.

`manage.py mitto_sandbox` and `python -m messaging.sandbox` run it, without Django. The client of
Mitto is in `mitto.py`, what the sandbox takes and writes in `sandbox_bodies.py`.
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
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import orjson
from aiohttp import web

from messaging.sandbox_bodies import (
    CHOICES,
    REPLY,
    Behaviour,
    Message,
    classic_receipt,
    message_object,
    message_problem_or_empty,
    new_message_ids,
    receipt_body,
    reply_body,
    status_of_receipt,
)

PR_SET_PDEATHSIG = 1  # of prctl(2)


class _Receipt(NamedTuple):
    """A receipt to be posted at a time; `order` keeps equal times in their order."""

    due: float
    order: int
    message: Message
    provider_status: str
    updated_at: float


class Sandbox:
    """The state of the sandbox, and its HTTP handlers.

    The ledger is a file with one line for each accepted message. A restart reads it again.
    """

    def __init__(
        self,
        *,
        key: str,
        seed: int,
        ledger: Path | None,
        webhook: str,
        secret: str,
        behaviour: Behaviour,
    ) -> None:
        self.key, self.seed, self.webhook, self.secret = key, seed, webhook, secret
        self.behaviour = behaviour
        self.messages: dict[str, Message] = {}
        self.calls = self.status_queries = 0
        self.posted = {"Sent": 0, "Delivered": 0, "Failure": 0}
        self.failed_posts = 0
        self._receipts: list[_Receipt] = []  # a heap, by time
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._ledger = open(ledger, "ab", buffering=0) if ledger else None
        if ledger:
            self._load_messages_from_ledger(ledger)

    def _load_messages_from_ledger(self, path: Path) -> None:
        with open(path, "rb") as file:
            for line in file:
                # The last line is incomplete if the process was killed.
                with contextlib.suppress(orjson.JSONDecodeError):
                    message = Message(orjson.loads(line))
                    self.messages[message.id] = message

    # Sending

    async def send_bulk(self, request: web.Request) -> web.StreamResponse:
        """POST sendmessagesbulk."""
        return await self._answer_send_call(request, bulk=True)

    async def send_one(self, request: web.Request) -> web.StreamResponse:
        """POST send."""
        return await self._answer_send_call(request, bulk=False)

    async def _answer_send_call(self, request: web.Request, *, bulk: bool) -> web.StreamResponse:
        behaviour = self.behaviour
        # Read first: a caller that closes the connection afterwards has still sent its messages.
        data = await request.read()
        received_at = time.time()
        self.calls += 1
        fault = self._draw_fault_and_count_down()
        if behaviour.latency_ms:
            await asyncio.sleep(behaviour.latency_ms / 1000)
        if refusal := self._account_refusal_or_none(request):
            return refusal
        failure = await self._fault_answer_before_accepting(request, fault)
        if failure is not None:
            return failure
        if bulk and behaviour.without_bulk:
            return _error_response(behaviour.without_bulk, "there is no such resource")
        if bulk and 0 < behaviour.max_bytes < len(data):
            return _error_response(413, "the request is too large")
        entries = self._read_entries_or_refuse(data, bulk=bulk)
        if isinstance(entries, web.Response):
            return entries
        answer = self._accept_valid_messages(entries, fault, received_at)
        if answer is None:
            return _error_response(400, "no message of the call is valid")
        if behaviour.receipts == "early":
            await self._post_all_receipts_even_if_not_due()
        failure = await self._fault_answer_after_accepting(request, fault)
        if failure is not None:
            return failure
        if not bulk:
            answer.pop("bulkId", None)
            if behaviour.id_name == "top":
                [answer] = answer["messages"]
        return web.Response(
            body=orjson.dumps(answer),
            content_type="application/json",
            status=behaviour.accept_status,
        )

    def _read_entries_or_refuse(self, data: bytes, *, bulk: bool) -> list[Any] | web.Response:
        """The messages of a call, or the answer with which the whole call is refused."""
        try:
            body = orjson.loads(data)
            entries: list[Any] = body["messages"] if bulk else [body]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _error_response(400, "the body cannot be read")
        if len(entries) > self.behaviour.bulk_cap:
            return _error_response(400, f"more than {self.behaviour.bulk_cap} messages")
        bad_numbers = self.behaviour.bad_numbers.split(",")
        if any(
            isinstance(entry, dict) and entry.get("destination") in bad_numbers for entry in entries
        ):
            return _error_response(400, "a destination is not valid")
        if self.behaviour.bad_number in ("problem", "string"):
            problems = [problem for problem in map(message_problem_or_empty, entries) if problem]
            if problems and self.behaviour.bad_number == "string":
                return web.json_response(f"One message of the call: {problems[0]}", status=400)
            if problems:
                return _problem_details_response(problems)
        return entries

    def _account_refusal_or_none(self, request: web.Request) -> web.Response | None:
        if request.headers.get("X-Mitto-API-Key") != self.key:
            return _error_response(401, "the API key is missing or invalid")
        if self.behaviour.account_status:
            return _error_response(self.behaviour.account_status, "the account may not send")
        return None

    async def _fault_answer_before_accepting(
        self, request: web.Request, fault: str
    ) -> web.StreamResponse | None:
        """Answer as the fault demands, if it comes before any message is accepted."""
        match fault:
            case "unauthorized":
                return _error_response(401, "the API key is missing or invalid")
            case "bad_request":
                return _error_response(400, "the request is not valid")
            case "too_many" | "too_many_bare" | "unavailable" | "unavailable_bare":
                retry_after = {"Retry-After": str(self.behaviour.retry_after_s)}
                headers = {} if fault.endswith("bare") else retry_after
                return _error_response(
                    429 if fault.startswith("too") else 503, "try again later", headers
                )
            case "error_before":
                return _error_response(500, "internal error")
            case "drop_before":
                return _close_connection_unanswered(request)
            case "timeout_before":
                await asyncio.sleep(self.behaviour.timeout_ms / 1000)
                return _error_response(504, "too late")
        return None

    async def _fault_answer_after_accepting(
        self, request: web.Request, fault: str
    ) -> web.StreamResponse | None:
        """Answer as the fault demands, if it comes after the messages were accepted."""
        match fault:
            case "error_after":
                return _error_response(500, "internal error")
            case "unavailable_after":
                return _error_response(503, "internal error")
            case "drop_after":
                return _close_connection_unanswered(request)
            case "timeout_after":
                await asyncio.sleep(self.behaviour.timeout_ms / 1000)
            case "not_json":
                return web.Response(text="<html>OK</html>", content_type="text/html")
        return None

    def _draw_fault_and_count_down(self) -> str:
        behaviour = self.behaviour
        if behaviour.fault == "none" or behaviour.fault_count == 0:
            return "none"
        if random.Random(f"{self.seed}:{self.calls}").random() >= behaviour.fault_share:
            return "none"
        if behaviour.fault_count is not None:
            behaviour.fault_count -= 1
        return behaviour.fault

    def _accept_valid_messages(
        self, entries: list[Any], fault: str, now: float
    ) -> dict[str, Any] | None:
        """Write valid messages to the ledger and schedule their receipts.

        Returns:
            The answer, or None if no message is valid.
        """
        bulk_id = f"bulk-{self.calls}-{int(now * 1000)}"
        behaviour = self.behaviour
        id_name = "messageId" if behaviour.id_name == "messageId" else "id"
        items, lines, accepted, errors = [], [], [], []
        for entry, message_id in zip(entries, new_message_ids(now, len(entries)), strict=True):
            problem = message_problem_or_empty(entry)
            if problem:
                items.append({"error": problem} if behaviour.bad_number == "item" else {})
                errors.append(problem)
                continue
            sms, destination = entry["sms"], entry["destination"]
            fails = bool(behaviour.fails_after_acceptance) or self._is_in_undelivered_share(
                destination, sms["text"]
            )
            row = [message_id, destination, sms["text"], sms["sender"], now, bulk_id, fails]
            lines.append(orjson.dumps(row))
            accepted.append(Message(row))
            item = {id_name: row[0], "trafficAccountId": entry["trafficAccountId"]}
            if behaviour.items_name_destination:
                item["destination"] = destination
            items.append(item)
        if not accepted:
            return None
        if self._ledger:
            self._ledger.write(b"\n".join(lines) + b"\n")
        for message in accepted:
            self.messages[message.id] = message
            self._schedule_receipts(message, now)
        if fault == "missing_items":
            items = items[:-1]
        elif fault == "extra_items":
            items = [*items, {"messageId": new_message_ids(now, 1)[0]}]
        elif fault == "reordered_items":
            items = items[::-1]
        answer: dict[str, Any] = {"bulkId": bulk_id, "messages": items}
        if errors and behaviour.bad_number == "errors":
            answer["errors"] = errors
        if fault == "no_bulk_id":
            del answer["bulkId"]
        return answer

    def _is_in_undelivered_share(self, destination: str, text: str) -> bool:
        """Whether the message is not delivered, decided by seed, number and text."""
        if not self.behaviour.undelivered_share:
            return False
        digest = hashlib.sha256(f"{self.seed}:{destination}:{text}".encode()).digest()
        return int.from_bytes(digest[:4]) / 2**32 < self.behaviour.undelivered_share

    # Status and receipts

    async def answer_status_query(self, request: web.Request) -> web.StreamResponse:
        """GET the status of a message."""
        if refusal := self._account_refusal_or_none(request):
            return refusal
        if self.behaviour.status_latency_ms:
            await asyncio.sleep(self.behaviour.status_latency_ms / 1000)
        message = self.messages.get(request.match_info["id"])
        self.status_queries += 1
        draw = random.Random(f"{self.seed}:asked:{self.status_queries}").random()
        if message is None or draw < self.behaviour.status_404_share:
            return _error_response(404, "no such message")
        age_ms = (time.time() - message.accepted_at) * 1000
        provider_status = "Sent"
        if age_ms >= self.behaviour.receipt_delay_ms:
            provider_status = "Failure" if message.fails else "Delivered"
        body = message_object(message, provider_status, time.time())
        body["messageParts"] = self.behaviour.parts_in_status
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    def _schedule_receipts(self, message: Message, now: float) -> None:
        behaviour = self.behaviour
        if not self.webhook or behaviour.receipts == "never":
            return
        final_status = "Failure" if message.fails else "Delivered"
        delay = behaviour.receipt_delay_ms / 1000
        if behaviour.receipts == "early":
            delay = 0
        if behaviour.receipts == "late":
            delay += behaviour.late_ms / 1000
        due = now + delay
        final = (due, final_status, now + 1)
        planned = [final]
        if behaviour.receipts == "twice":
            planned = [final, final]
        elif behaviour.receipts == "reordered":
            planned = [final, (due + 0.2, "Sent", now)]
        if behaviour.reply_text and not message.fails:
            planned.append((due, REPLY, now + 1))
        for when, provider_status, updated_at in planned:
            receipt = _Receipt(when, next(self._order), message, provider_status, updated_at)
            heapq.heappush(self._receipts, receipt)
        self._wake.set()

    def _pop_next_receipt_body(self) -> dict[str, Any]:
        """Remove the receipt that is due first, and return its body."""
        _, _, message, provider_status, updated_at = heapq.heappop(self._receipts)
        if provider_status == REPLY:
            return reply_body(message, self.behaviour)
        match self.behaviour.webhook_shape:
            case "classic" | "query":
                return classic_receipt(message, provider_status)
            case "message":
                return message_object(message, provider_status, updated_at)
        return receipt_body(message, provider_status, updated_at)

    async def post_due_receipts_forever(self) -> None:
        """Post receipts when they are due, until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            while True:
                self._wake.clear()
                now = time.time()
                if not self._receipts or self._receipts[0].due > now:
                    wait = self._receipts[0].due - now if self._receipts else None
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), wait)
                    continue
                chunk = []
                while self._receipts and self._receipts[0].due <= now:
                    chunk.append(self._pop_next_receipt_body())
                    if len(chunk) == self.behaviour.receipts_per_call:
                        break
                await self._post_receipts_with_retries(session, chunk)

    async def _post_all_receipts_even_if_not_due(self) -> None:
        """Post all receipts, due or not."""
        receipts = [self._pop_next_receipt_body() for _ in range(len(self._receipts))]
        size = self.behaviour.receipts_per_call
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            for start in range(0, len(receipts), size):
                await self._post_receipts_with_retries(session, receipts[start : start + size])

    async def _post_receipts_with_retries(
        self, session: aiohttp.ClientSession, receipts: list[dict[str, Any]]
    ) -> None:
        is_single = self.behaviour.webhook_shape in ("classic", "query")  # one event a request
        for events in [[receipt] for receipt in receipts] if is_single else [receipts]:
            if not await self._post_request_with_retries(session, events):
                self.failed_posts += 1
                return
        for receipt in receipts:
            if status := status_of_receipt(receipt):
                self.posted[status] += 1

    def _build_webhook_request(self, receipts: list[dict[str, Any]]) -> dict[str, Any]:
        """Method, address, headers and body of a request with receipts, as keyword arguments."""
        behaviour = self.behaviour
        content: Any = receipts[0] if behaviour.webhook_shape in ("classic", "query") else receipts
        if behaviour.envelope == "messages":
            content = {"messages": receipts}
        elif behaviour.envelope:
            content = {"id": "event", "type": "status", behaviour.envelope: content}
        body = b"" if behaviour.webhook_shape == "query" else orjson.dumps(content)
        url, params = self.webhook, {}
        headers = {"Content-Type": "Application/JSON; charset=utf-8"}
        match behaviour.webhook_secret:
            case "header":
                headers["X-Webhook-Token"] = self.secret
            case "query":
                params["token"] = self.secret
            case "path":
                url += f"/{self.secret}"
            case "signature":
                digest = hmac.new(self.secret.encode(), body, "sha256").hexdigest()
                headers["X-Webhook-Signature"] = digest
        if behaviour.webhook_shape == "query":
            params |= {name: str(value) for name, value in receipts[0].items()}
            return {"method": "GET", "url": url, "headers": headers, "params": params}
        chunks = _iter_chunks(body) if behaviour.webhook_chunked else body
        return {"method": "POST", "url": url, "headers": headers, "params": params, "data": chunks}

    async def _post_request_with_retries(
        self, session: aiohttp.ClientSession, receipts: list[dict[str, Any]]
    ) -> bool:
        """Send a request until it is accepted; return whether it was."""
        for attempt in range(20):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                request = self._build_webhook_request(receipts)
                async with session.request(**request) as answer:
                    if answer.status < 300:
                        return True
            await asyncio.sleep(min(0.1 * 2**attempt, 5))
        return False

    # Control

    async def count_messages_duplicates_and_receipts(self, request: web.Request) -> web.Response:
        """GET counts; messages with equal number, text and sender ID are duplicates."""
        copies = Counter((m.destination, m.text, m.sender) for m in self.messages.values())
        return web.json_response(
            {
                "accepted": len(self.messages),
                "calls": self.calls,
                "duplicates": sum(count - 1 for count in copies.values()),
                "receipts_posted": self.posted,
                "receipts_pending": len(self._receipts),
                "failed_posts": self.failed_posts,
            }
        )

    async def list_page_of_accepted_messages(self, request: web.Request) -> web.Response:
        """GET accepted messages, of one destination or all, from `after` on."""
        destination = request.query.get("destination")
        rows = [
            {name: getattr(m, name) for name in Message.__slots__}
            for m in self.messages.values()
            if destination in (None, m.destination)
        ]
        after, limit = int(request.query.get("after", 0)), int(request.query.get("limit", 10000))
        return web.json_response(rows[after : after + limit])

    async def get_or_change_behaviour(self, request: web.Request) -> web.Response:
        """GET the switches, or PUT some of them."""
        if request.method == "PUT":
            changes = await request.json()
            known = {field.name for field in fields(Behaviour)}
            if not set(changes) <= known:
                return _error_response(400, f"unknown switches: {sorted(set(changes) - known)}")
            for name, value in changes.items():
                setattr(self.behaviour, name, value)
        return web.json_response(asdict(self.behaviour))

    async def reset_all_but_behaviour(self, request: web.Request) -> web.Response:
        """POST: forget all messages, receipts and counts; the switches stay."""
        self.messages.clear()
        self._receipts.clear()
        self.calls = self.status_queries = self.failed_posts = 0
        self.posted = dict.fromkeys(self.posted, 0)
        if self._ledger:
            self._ledger.truncate(0)
        return web.json_response({})

    def build_app_with_routes(self) -> web.Application:
        """The HTTP application."""
        app = web.Application(client_max_size=64 * 2**20)
        app.add_routes(
            [
                web.post("/api/{version}/Messages/sendmessagesbulk", self.send_bulk),
                web.post("/api/{version}/Messages/send", self.send_one),
                web.get("/api/{version}/Messages/{id}", self.answer_status_query),
                web.get("/_sandbox/summary", self.count_messages_duplicates_and_receipts),
                web.get("/_sandbox/messages", self.list_page_of_accepted_messages),
                web.get("/_sandbox/behaviour", self.get_or_change_behaviour),
                web.put("/_sandbox/behaviour", self.get_or_change_behaviour),
                web.post("/_sandbox/reset", self.reset_all_but_behaviour),
            ]
        )
        return app


async def _iter_chunks(body: bytes) -> AsyncIterator[bytes]:
    """The body in small pieces, which makes the request chunked."""
    for start in range(0, len(body), 64):
        yield body[start : start + 64]


def _error_response(
    status: int, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    return web.json_response({"message": message}, status=status, headers=headers)


def _problem_details_response(problems: list[str]) -> web.Response:
    """A 400 for the whole call, as ASP.NET writes it."""
    body = {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "errors": {"Messages": problems},
    }
    return web.json_response(body, status=400, content_type="application/problem+json")


def _close_connection_unanswered(request: web.Request) -> web.StreamResponse:
    """Close the connection without an answer."""
    if request.transport:
        request.transport.abort()
    return web.Response(status=500)


def add_arguments(parser: argparse.ArgumentParser, *, port: int, key: str, secret: str) -> None:
    """Add the options of the sandbox to a parser; `port`, `key` and `secret` are defaults."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=port, help="0 picks a free one")
    parser.add_argument("--key", default=key, help="API key that callers must send")
    parser.add_argument("--secret", default=secret, help="secret of the posted receipts")
    parser.add_argument("--webhook", default="", help="address that receipts are posted to")
    parser.add_argument("--ledger", type=Path, help="file in which accepted messages are stored")
    parser.add_argument("--seed", type=int, default=1, help="decides which messages and calls fail")
    parser.add_argument("--die-with-parent", action="store_true")
    for field in fields(Behaviour):
        kind = {"float": float, "str": str}.get(str(field.type), int)
        choices = CHOICES.get(field.name)
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=kind, default=field.default, choices=choices
        )


def run(options: dict[str, Any]) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        options: of `add_arguments`, by name.
    """
    if options["die_with_parent"]:
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            return
    # All messages stay in memory; looking through them for garbage takes a tenth of the time.
    gc.set_threshold(100_000, 100, 100)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve_and_post_receipts_until_signal(options))


async def _serve_and_post_receipts_until_signal(options: dict[str, Any]) -> None:
    sandbox = Sandbox(
        key=options["key"],
        seed=options["seed"],
        ledger=options["ledger"],
        webhook=options["webhook"],
        secret=options["secret"],
        behaviour=Behaviour(**{f.name: options[f.name] for f in fields(Behaviour)}),
    )
    runner = web.AppRunner(sandbox.build_app_with_routes(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, options["host"], options["port"], shutdown_timeout=0.5)
    await site.start()
    port = runner.addresses[0][1]
    print(f"Mitto sandbox listening on http://{options['host']}:{port}", flush=True)  # noqa: T201
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    poster = asyncio.create_task(sandbox.post_due_receipts_forever())
    await stop.wait()
    poster.cancel()
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, port=8025, key="sandbox", secret="sandbox")
    run(vars(parser.parse_args()))
