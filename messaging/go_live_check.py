"""The go-live test of a Mitto account: what works, what Mitto answered, what to set.

Mitto has published little of what its API answers (docs/rules.md#mitto-send-answers). This sends
three messages to an operator's own phones and reports which of the unknowns are now known.
`manage.py mitto_check` runs it. No store pays for its messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
from django.conf import settings

from astronote.common.counts import counted_in_english
from messaging import kept_requests, mitto
from messaging.models import WebhookEvent
from messaging.statuses import WebhookEventType
from messaging.text import count_parts

BAD_NUMBER = "+99900"
POLL_SECONDS = 0.5
ACCOUNT_ADVICE = (
    "set MITTO_API_KEY, register this machine's address with Mitto, or set MITTO_PROXY to a proxy"
    " whose address is registered"
)

Result = TypeVar("Result")
Lines = Generator[str, None, Result]  # yields lines to be shown, and returns something


@dataclass
class Finding:
    """One line of the result: whether it works, what is known now, and what to set."""

    works: bool | None  # None: it is only good to know
    text: str
    advice: str = ""


@dataclass
class GoLiveCheck:
    """One run; `run` yields the lines as they become known.

    Args:
        client: of the account.
        numbers: the operator's phones, as E.164; the first and the last get a message.
        sender: the sender ID.
        wait_seconds: how long to wait for receipts and for a reply.
    """

    client: mitto.MittoClient
    numbers: Sequence[str]
    sender: str
    wait_seconds: float
    findings: list[Finding] = field(default_factory=list)

    def send_test_messages_and_report(self) -> Iterator[str]:
        """Do everything; each line is masked."""
        kept_requests.delete_kept_requests_and_watched_names()
        kept_requests.keep_requests_naming_for_a_day(self.numbers)
        stamp = time.strftime("%H:%M:%S")
        messages = [
            mitto.OutgoingSms(self.numbers[0], f"Δοκιμή {stamp}. Απαντήστε STOP.", self.sender),
            mitto.OutgoingSms(self.numbers[-1], f"Test {stamp}. Answer STOP.", self.sender),
            mitto.OutgoingSms(BAD_NUMBER, f"Test {stamp}", self.sender),
        ]
        ids = yield from self._send_in_bulk_or_singly_and_add_findings(messages)
        if ids:
            kept_requests.keep_requests_naming_for_a_day(ids.values())
            for text, message_id in ids.items():
                yield from self._query_status_and_add_findings(text, message_id)
            yield from self._await_webhooks_and_add_findings(list(ids.values()))
        yield ""
        for finding in self.findings:
            sign = {True: "works  ", False: "MISSING", None: "known  "}[finding.works]
            yield f"{sign}  {finding.text}"
            if finding.advice:
                yield f"         {finding.advice}"

    @property
    def passed(self) -> bool:
        """Whether nothing is missing."""
        return not any(finding.works is False for finding in self.findings)

    def _add_finding(self, works: bool | None, text: str, advice: str = "") -> None:
        self.findings.append(Finding(works, text, advice))

    def _send_in_bulk_or_singly_and_add_findings(
        self, messages: list[mitto.OutgoingSms]
    ) -> Lines[dict[str, str]]:
        """Send the messages; return the IDs of the good ones by text."""
        raw = yield from self._call_and_show_answer_or_add_finding(
            "one call with three messages", self.client.prepare_bulk_call(messages)
        )
        if raw is None:
            return {}
        if raw.status in mitto.ACCOUNT_REFUSALS:
            self._add_finding(False, f"the account is refused ({raw.status})", ACCOUNT_ADVICE)
            return {}
        if raw.status in mitto.NO_BULK_STATUSES:
            self._add_finding(
                None,
                f"there are no calls with many messages ({raw.status}): they go out one by one",
                "ask Mitto for sendmessagesbulk, or set MITTO_API_VERSION; it is far slower so",
            )
            return (yield from self._send_singly_and_add_findings(messages))
        result = raw.interpret_as_send_result(messages)
        if isinstance(result, mitto.CallRefused):
            what = (
                "a call of its size is"
                if raw.status == 413
                else "one bad number has the whole call"
            )
            self._add_finding(
                None,
                f"{what} refused ({raw.status}): {result.error}",
                "nothing to set: such a batch is sent again in parts",
            )
            messages = messages[:2]
            raw = yield from self._call_and_show_answer_or_add_finding(
                "the two good ones", self.client.prepare_bulk_call(messages)
            )
            result = raw.interpret_as_send_result(messages) if raw else mitto.Ambiguous("no answer")
        if not isinstance(result, mitto.Accepted):
            self._add_finding(False, f"the call was not accepted: {result.error}")
            return {}
        assert raw is not None
        self._add_finding(True, f"a call with many messages is accepted with status {raw.status}")
        self._add_finding(
            None,
            f"the answer has these fields: {_comma_separated_field_names(raw.json_or_none())}",
        )
        if len(result.items) == 3:
            self._add_finding_of_bad_number(result.items[2])
        return self._ids_by_text_and_add_findings_of_refused(messages[:2], result.items)

    def _ids_by_text_and_add_findings_of_refused(
        self, messages: Sequence[mitto.OutgoingSms], items: Sequence[mitto.SentItem]
    ) -> dict[str, str]:
        for item in items[: len(messages)]:
            if not item.message_id:
                self._add_finding(
                    False, f"a good message was not accepted: {item.error or 'no words'}"
                )
        return {
            message.text: item.message_id
            for message, item in zip(messages, items, strict=False)
            if item.message_id
        }

    def _add_finding_of_bad_number(self, item: mitto.SentItem) -> None:
        if item.message_id:
            text = "a bad number is accepted, and fails later"
        elif item.error:
            text = f"a bad number alone is refused, with words: {item.error}"
        else:
            text = "a bad number has an item without words: such messages become unknown"
        self._add_finding(None, text)

    def _send_singly_and_add_findings(
        self, messages: list[mitto.OutgoingSms]
    ) -> Lines[dict[str, str]]:
        ids: dict[str, str] = {}
        for message in messages:
            raw = yield from self._call_and_show_answer_or_add_finding(
                "a single message", self.client.prepare_single_call(message)
            )
            result = (
                raw.interpret_as_send_result([message]) if raw else mitto.Ambiguous("no answer")
            )
            if message.destination == BAD_NUMBER:
                continue
            if isinstance(result, mitto.Accepted):
                ids |= self._ids_by_text_and_add_findings_of_refused([message], result.items)
            else:
                self._add_finding(False, f"a single message was not accepted: {result.error}")
        if ids:
            self._add_finding(True, "single messages are accepted")
        return ids

    def _query_status_and_add_findings(self, text: str, message_id: str) -> Iterator[str]:
        what = f"the status of a message ({'Greek' if not text.isascii() else 'GSM'})"
        raw = yield from self._call_and_show_answer_or_add_finding(
            what, self.client.prepare_status_call(message_id)
        )
        body = raw.json_or_none() if raw else None
        if raw is None or raw.status != 200 or not isinstance(body, dict):
            self._add_finding(
                None, f"{what}: no answer yet; the poller asks again after ten minutes"
            )
            return
        report = mitto.interpret_status_response(raw.status, {}, raw.content)
        assert isinstance(report, mitto.MessageReport)
        self._add_finding(
            bool(report.delivery_status), f"{what}: {report.delivery_status or 'no deliveryStatus'}"
        )
        if report.text and report.text != text:
            self._add_finding(
                False, f"{what}: Mitto names another text", "the order is not kept: ask Mitto"
            )
        elif report.text:
            self._add_finding(None, f"{what}: names its text, so the poller compares the order")
        parts = count_parts(text)
        if report.parts is not None:
            is_equal = report.parts == parts
            self._add_finding(
                is_equal,
                f"{what}: {counted_in_english(report.parts, 'part')}, we count {parts}",
                "" if is_equal else "ask Mitto to switch Unicode on for the traffic account",
            )

    def _await_webhooks_and_add_findings(self, ids: list[str]) -> Iterator[str]:
        """Wait until receipts and a reply have come, or the time is over, and show requests."""
        yield f"Waiting {self.wait_seconds:.0f} s for receipts. Answer STOP on one of the phones."
        until = time.monotonic() + self.wait_seconds
        shown = 0
        while True:
            kept = kept_requests.read_masked_kept_requests()
            for request in kept[shown:]:
                yield f"webhook: {request}"
            shown = len(kept)
            receipts = self._stored_receipts(ids)
            is_over = time.monotonic() > until
            if is_over or ({one.provider_message_id for one in receipts} >= set(ids) and shown):
                break
            time.sleep(POLL_SECONDS)
        base = f"{settings.PUBLIC_WEB_BASE_URL}/webhooks/mitto"
        if receipts:
            fields = sorted({name for one in receipts for name in one.payload or {}})
            self._add_finding(True, f"receipts come; their fields: {', '.join(fields)}")
            if not any(one.occurred_at for one in receipts):
                self._add_finding(
                    None, "receipts have no time that can be read: they count from arrival"
                )
        else:
            self._add_finding(
                False,
                "no receipt came",
                f"have Mitto post to {base}/delivery with a secret of WEBHOOK_SECRET: in the header"
                " X-Webhook-Token, as ?token=, or as the last part of the address",
            )
        replies = [request for request in kept if '/inbound"' in request or "STOP" in request]
        if not any("stop" in orjson.loads(one)["body"].lower() for one in replies):
            self._add_finding(None, "no reply came", f"have Mitto post replies to {base}/inbound")

    def _stored_receipts(self, ids: list[str]) -> list[WebhookEvent]:
        events = WebhookEvent.objects.filter(provider_message_id__in=ids)
        return list(events.filter(event_type=WebhookEventType.RECEIPT))

    def _call_and_show_answer_or_add_finding(
        self, what: str, call: Callable[[], mitto.RawAnswer | str]
    ) -> Lines[mitto.RawAnswer | None]:
        """Make a call and show what Mitto answered, word for word; return the answer or None."""
        answer = call()
        if isinstance(answer, str):
            self._add_finding(False, f"{what}: {answer}", ACCOUNT_ADVICE)
            yield f"{what}: {answer}"
            return None
        content = answer.content.decode(errors="replace")
        yield f"{what}: {answer.status} {mitto.mask_runs_of_7_or_more_digits(content)}"
        return answer


def _comma_separated_field_names(body: Any, prefix: str = "") -> str:
    """The names of the fields of an answer, with those of the objects within."""
    if isinstance(body, list):
        return _comma_separated_field_names(body[0], prefix) if body else f"{prefix} (empty)"
    if not isinstance(body, dict):
        return prefix
    return ", ".join(
        _comma_separated_field_names(value, f"{prefix}.{name}".lstrip("."))
        for name, value in body.items()
    )
