"""Webhook requests as they came, kept for a day while a go-live check runs, in Redis.

Only requests that name a message or a number of the check are kept, without secrets and numbers.
`go_live_check.py` shows them. Nobody has published a real webhook of Mitto: this is how an
installation gets to know its own.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import NamedTuple

import orjson
from redis.exceptions import RedisError

from astronote.common.requests import RequestHead
from astronote.queues import jobs
from contacts.phones import phone_hash
from messaging.mitto import mask_runs_of_7_or_more_digits

log = logging.getLogger(__name__)

MARKS_KEY, REQUESTS_KEY = "astronote:go-live-marks", "astronote:go-live-requests"
SECONDS, MAX_REQUESTS, MAX_BYTES = 86400, 100, 10_000
LOOK_SECONDS = 5  # between looks whether a check runs
SECRET_HEADERS = re.compile(r"token|secret|signature|authorization|cookie|key", re.IGNORECASE)
_WORDS = re.compile(rb"[0-9A-Za-z-]{7,64}")


class _Marks(NamedTuple):
    """Hashes of what the requests of a running check name, and until when they are believed."""

    hashes: frozenset[bytes]
    until: float


_marks = _Marks(frozenset(), 0.0)


def delete_kept_requests_and_watched_names() -> None:
    """Forget the requests of an earlier check."""
    jobs.redis_connection().delete(MARKS_KEY, REQUESTS_KEY)


def keep_requests_naming_for_a_day(names: Iterable[str]) -> None:
    """Keep the requests that name one of these numbers or message IDs, for a day."""
    redis = jobs.redis_connection()
    redis.sadd(MARKS_KEY, *(phone_hash(name.lstrip("+")) for name in names))
    redis.expire(MARKS_KEY, SECONDS)


def read_masked_kept_requests() -> list[str]:
    """The requests kept, in the order in which they came."""
    return [text.decode() for text in jobs.redis_connection().lrange(REQUESTS_KEY, 0, -1)]


def keep_request_in_thread_if_watched(head: RequestHead, body: bytes, threads: Executor) -> None:
    """Keep a request of a running check, in a thread; costs nothing while none runs."""
    if _marks.hashes or time.monotonic() > _marks.until:
        threads.submit(_keep_masked_request_if_watched, head, body, dict(head.all_headers()))


def _keep_masked_request_if_watched(
    head: RequestHead, body: bytes, headers: dict[str, str]
) -> None:
    global _marks
    try:
        redis = jobs.redis_connection()
        if time.monotonic() > _marks.until:
            hashes = frozenset(redis.smembers(MARKS_KEY))
            _marks = _Marks(hashes, time.monotonic() + LOOK_SECONDS)
        content = f"{head.query_string} ".encode() + body[:MAX_BYTES]
        if not _marks.hashes:
            return
        words = {word.decode() for word in _WORDS.findall(content)}
        if not any(phone_hash(word).encode() in _marks.hashes for word in words):
            return
        text = orjson.dumps(
            {
                "method": head.method,
                "path": "/".join(head.path.split("/")[:4]),
                "query": _mask_secrets_and_numbers_in_query(head.query_string),
                "headers": {
                    name: "•••"
                    if SECRET_HEADERS.search(name)
                    else mask_runs_of_7_or_more_digits(value)
                    for name, value in headers.items()
                },
                "body": mask_runs_of_7_or_more_digits(body[:MAX_BYTES].decode(errors="replace")),
            }
        )
        redis.rpush(REQUESTS_KEY, text)
        redis.ltrim(REQUESTS_KEY, 0, MAX_REQUESTS - 1)
        redis.expire(REQUESTS_KEY, SECONDS)
    except RedisError as error:
        log.warning("a request of the go-live check was not kept: %s", type(error).__name__)


def _mask_secrets_and_numbers_in_query(query: str) -> str:
    return mask_runs_of_7_or_more_digits(re.sub(r"(token|secret)=[^&]*", r"\1=•••", query))
