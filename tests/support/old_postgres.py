"""A proxy that makes the test's PostgreSQL say that it is version 14."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit


@contextlib.contextmanager
def postgres_that_says_14(database_url: str) -> Iterator[str]:
    """Relay to the server of the address, and yield the address of the relay."""
    parts = urlsplit(database_url)
    folder = parse_qs(parts.query)["host"][0]
    listener = socket.create_server(("127.0.0.1", 0))
    opened, threads = [listener], []

    def start(target: Callable[..., None], *arguments: socket.socket) -> None:
        threads.append(threading.Thread(target=target, args=arguments))
        threads[-1].start()

    def relay(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(re.sub(rb"(?<=server_version\0)\d\d", b"14", data))
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(f"{folder}/.s.PGSQL.5432")
                opened.extend([client, server])
                start(relay, client, server)
                start(relay, server, client)

    start(accept)
    try:
        port = listener.getsockname()[1]
        yield f"{parts.scheme}://{parts.username}@127.0.0.1:{port}{parts.path}"
    finally:
        for each in opened:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for each in opened:
            each.close()
