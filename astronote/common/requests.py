"""A request as paths see it that are answered without Django: its head, and a body read on demand.

The web server's side is in `astronote/rsgi.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import NamedTuple


class RequestRefused(Exception):
    """A request is answered with this status and error text; nothing is stored."""

    def __init__(self, status: HTTPStatus, error: str) -> None:
        self.status, self.error = status, error
        super().__init__(error)


class RequestHead(NamedTuple):
    """What of a request is known before its body.

    Args:
        method: in capitals.
        path: decoded.
        query_string: as it was sent, without the question mark.
        header: returns the value of a header by its name in small letters; empty if it is not sent.
        all_headers: returns the names and values of all headers.
    """

    method: str
    path: str
    query_string: str
    header: Callable[[str], str]
    all_headers: Callable[[], Iterable[tuple[str, str]]]


class Answer(NamedTuple):
    """The answer to a request; the body is JSON."""

    status: HTTPStatus
    body: bytes = b""
    retry_after: int | None = None

    def headers(self) -> list[tuple[str, str]]:
        """The headers of the answer."""
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(self.body))),
            ("x-content-type-options", "nosniff"),
        ]
        if self.retry_after is not None:
            headers.append(("retry-after", str(self.retry_after)))
        return headers


class BodyLimit(NamedTuple):
    """How large a body may be, and how many seconds it may take to come."""

    size: int
    seconds: float


# Reads the body within a limit; raises RequestRefused if it is larger or slower.
ReadBody = Callable[[BodyLimit], Awaitable[bytes]]
