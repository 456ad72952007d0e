"""Posting many requests over a few connections that stay open, and how long each took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit


class Posted(NamedTuple):
    """What came of a run: seconds in all and by percentile, and how many answers were not 202."""

    seconds: float
    p50: float
    p99: float
    refused: int


def post_all(url: str, bodies: list[bytes], *, connections: int, token: str) -> Posted:
    """Post each body once, as fast as the server answers, over so many connections."""
    return asyncio.run(_post_all(urlsplit(url), bodies, connections, token))


class _Connection(asyncio.Protocol):
    """Posts the next body when the last is answered; an answer has no body of its own."""

    def __init__(self, head: bytes, bodies: Iterator[bytes], took: list[float]) -> None:
        self.head, self.bodies, self.took = head, bodies, took
        self.refused = 0
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        self.transport = transport
        self._post()

    def _post(self) -> None:
        body = next(self.bodies, None)
        if body is None:
            self.transport.close()
            return
        self.began = time.perf_counter()
        self.transport.write(b"%s%d\r\n\r\n%s" % (self.head, len(body), body))

    def data_received(self, data: bytes) -> None:
        self.took.append(time.perf_counter() - self.began)
        if data.startswith(b"HTTP/1.1 202") and data.endswith(b"\r\n\r\n"):
            self._post()
        else:
            self.refused = 1
            self.transport.close()

    def connection_lost(self, error) -> None:
        self.ended.set_result(None)


async def _post_all(url, bodies: list[bytes], connections: int, token: str) -> Posted:
    head = (
        f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nX-Webhook-Token: {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    took: list[float] = []
    rest = iter(bodies)
    began = time.perf_counter()
    opened = [
        await asyncio.get_running_loop().create_connection(
            lambda: _Connection(head, rest, took), url.hostname, url.port
        )
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.ended for _, connection in opened))
    seconds = time.perf_counter() - began
    took.sort()
    refused = sum(connection.refused for _, connection in opened)
    return Posted(seconds, took[len(took) // 2], took[len(took) * 99 // 100], refused)
