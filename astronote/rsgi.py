"""The application that the web server runs: requests are taken in without a thread.

granian calls `application` in an event loop for each request as soon as its head has come. A body
is awaited here, within limits of size and time, and only then a thread is taken for Django. So a
sender that is slow, or never ends, costs a socket and no thread. As a WSGI application granian
takes a thread first, and 80 half-sent bodies stop a site of 32 threads.

Paths of `registry.async_paths` are answered in the event loop itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import urlsplit

import orjson
from granian.rsgi import ProtocolClosed, ProtocolError

from astronote.common.requests import Answer, BodyLimit, ReadBody, RequestHead, RequestRefused
from astronote.wsgi import application as wsgi_application

# After Django is set up.
from django.conf import settings  # isort: skip
from django.db import close_old_connections  # isort: skip
from django.http import parse_cookie  # isort: skip
from django.utils import timezone  # isort: skip
from astronote.models import Session  # isort: skip
from astronote.operations import registry  # isort: skip

log = logging.getLogger(__name__)

OPERATOR_THREADS, PUBLIC_THREADS = 24, 8  # for Django
OPERATOR_PREFIXES = ("/admin/", "/readyz", "/metrics")
MEMORY_BYTES = 65_536  # of a body for Django; a larger one goes to a file without a name
# A body must come within this time, and as much longer as it takes at this rate.
BODY_SECONDS, MIN_BYTES_PER_SECOND = 30.0, 50_000
LARGE_BYTES = 1_000_000
MAX_LARGE_BODIES = 16  # that are being received at one time
FORM_BYTES = 1_000_000  # of an import's form beside its file

ASYNC_PATHS = tuple((path.prefix, path.answer) for path in registry.async_paths)
_operator_threads = ThreadPoolExecutor(OPERATOR_THREADS, thread_name_prefix="operators")
# A crowd on a public page waits in line here, and takes no thread from operators. More threads
# would answer it no sooner, and delay the event loop: each that computes may hold the interpreter.
_public_threads = ThreadPoolExecutor(PUBLIC_THREADS, thread_name_prefix="public")
_large_bodies = asyncio.Semaphore(MAX_LARGE_BODIES)


async def application(scope: Any, protocol: Any) -> None:
    """Answer a request (granian's RSGI)."""
    if scope.proto != "http":
        protocol.close(404)
        return
    try:
        if scope.path == "/healthz":  # by no thread: it does not wait behind requests that do
            protocol.response_str(HTTPStatus.OK, [("content-type", "text/plain")], "ok\n")
            return
        for prefix, answer in ASYNC_PATHS:
            if scope.path.startswith(prefix):
                head = RequestHead(
                    scope.method,
                    scope.path,
                    scope.query_string,
                    partial(_header_or_empty, scope.headers),
                    scope.headers.items,
                )
                _respond(protocol, await answer(head, _build_limited_body_reader(scope, protocol)))
                return
        await _answer_by_django_or_refuse(scope, protocol)
    except RequestRefused as refused:
        _respond(protocol, Answer(refused.status, orjson.dumps({"error": refused.error})))
    except ProtocolClosed:
        log.debug("the client left before it had its answer")
    except Exception:
        log.exception("a request was not answered")
        with contextlib.suppress(ProtocolError):  # the answer had begun
            _respond(protocol, Answer(HTTPStatus.INTERNAL_SERVER_ERROR))


def _header_or_empty(headers: Any, name: str) -> str:
    value: str = headers.get(name) or ""
    return value


def _respond(protocol: Any, answer: Answer) -> None:
    protocol.response_bytes(answer.status, answer.headers(), answer.body)


def _build_limited_body_reader(scope: Any, protocol: Any) -> ReadBody:
    """A function that reads the request's body within limits."""

    async def read(limit: BodyLimit) -> bytes:
        declared = scope.headers.get("content-length") or ""
        is_declared = declared.isdecimal()
        if is_declared and int(declared) > limit.size:
            raise _too_large_error(limit.size)
        try:
            async with asyncio.timeout(limit.seconds):
                # The server takes no more than is declared. Chunk by chunk costs twice as much.
                return await protocol() if is_declared else await _read_chunks(protocol, limit.size)
        except TimeoutError:
            raise _too_slow_error() from None

    return read


async def _read_chunks(protocol: Any, max_size: int) -> bytes:
    chunks, size = [], 0
    async for chunk in protocol:
        size += len(chunk)
        if size > max_size:
            raise _too_large_error(max_size)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large_error(size: int) -> RequestRefused:
    return RequestRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {size} bytes")


def _too_slow_error() -> RequestRefused:
    return RequestRefused(HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time")


async def _answer_by_django_or_refuse(scope: Any, protocol: Any) -> None:
    """Receive the body, then let Django answer in a thread."""
    loop = asyncio.get_running_loop()
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as body:
        has_body = "content-length" in scope.headers or "transfer-encoding" in scope.headers
        size = await _save_body_and_get_size_or_raise(scope, protocol, body) if has_body else 0
        environ = _build_environ(scope, body, size)
        threads = _operator_threads if scope.path.startswith(OPERATOR_PREFIXES) else _public_threads
        await loop.run_in_executor(threads, _run_django_and_respond, environ, protocol, loop)


async def _save_body_and_get_size_or_raise(scope: Any, protocol: Any, body: IO[bytes]) -> int:
    """Write the body to a file; return its size.

    More than LARGE_BYTES is read only on the upload paths, and only of who is logged in.

    Raises:
        RequestRefused: if it is too large, too slow, or one of too many large ones.
    """
    max_size = settings.IMPORT_MAX_MB * 2**20 + FORM_BYTES
    size, is_large = 0, False
    declared = scope.headers.get("content-length") or ""
    if declared.isdecimal() and int(declared) > LARGE_BYTES:
        await _require_upload_path_and_operator_session_or_refuse(scope)
    try:
        async with asyncio.timeout(BODY_SECONDS) as timeout:
            deadline = timeout.when() or 0.0
            async for chunk in protocol:
                size += len(chunk)
                if size > max_size:
                    raise _too_large_error(max_size)
                if size > LARGE_BYTES and not is_large:
                    if not declared:
                        await _require_upload_path_and_operator_session_or_refuse(scope)
                    if _large_bodies.locked():
                        raise RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, "too many uploads")
                    await _large_bodies.acquire()
                    is_large = True
                body.write(chunk)
                timeout.reschedule(deadline + size / MIN_BYTES_PER_SECOND)
    except TimeoutError:
        raise _too_slow_error() from None
    finally:
        if is_large:
            _large_bodies.release()
    body.seek(0)
    return size


async def _require_upload_path_and_operator_session_or_refuse(scope: Any) -> None:
    """Let a large body go on.

    Raises:
        RequestRefused: if the path takes none, or nobody is logged in.
    """
    is_taken = any(scope.path == upload.path for upload in registry.upload_paths)
    key = parse_cookie(scope.headers.get("cookie") or "").get(settings.SESSION_COOKIE_NAME, "")
    loop = asyncio.get_running_loop()
    if not is_taken or not await loop.run_in_executor(
        _operator_threads, _is_unexpired_session_of_active_operator, key
    ):
        raise _too_large_error(LARGE_BYTES)


def _is_unexpired_session_of_active_operator(key: str) -> bool:
    """Whether the key is that of a session of an active operator; the page asks for more."""
    if not key.isalnum():
        return False
    close_old_connections()
    sessions = Session.objects.filter(session_key=key, expire_date__gt=timezone.now())
    return sessions.filter(account__is_active=True, account__is_staff=True).exists()


def _build_environ(scope: Any, body: IO[bytes], size: int) -> dict[str, Any]:
    """The WSGI environment of a request whose body has come."""
    server = urlsplit(f"//{scope.server}")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server.hostname or "",
        "SERVER_PORT": str(server.port or settings.PORT),
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" in name:
            continue  # it would be taken for the header with a hyphen, which a proxy may vouch for
        key = f"HTTP_{name.upper().replace('-', '_')}"
        separator = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
    if "HTTP_HOST" not in environ and scope.authority:
        environ["HTTP_HOST"] = scope.authority
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ["CONTENT_LENGTH"] = str(size) if size else ""
    return environ


def _run_django_and_respond(
    environ: dict[str, Any], protocol: Any, loop: asyncio.AbstractEventLoop
) -> None:
    """Run Django in this thread and pass its answer on."""
    status, headers = 500, []

    def start_response(line: str, fields: list[tuple[str, str]], *_: Any) -> Callable[..., Any]:
        nonlocal status, headers
        status, headers = (
            int(line.split(" ", 1)[0]),
            [(name.lower(), value) for name, value in fields],
        )
        return _refuse_write

    response = wsgi_application(environ, start_response)
    try:
        if getattr(response, "streaming", True):
            _stream_response(response, protocol, loop, status, headers)
        else:
            protocol.response_bytes(status, headers, b"".join(response))
    finally:
        if close := getattr(response, "close", None):
            close()


def _refuse_write(data: bytes) -> None:
    raise NotImplementedError("Django does not write by the function of start_response")


def _stream_response(
    response: Iterable[bytes],
    protocol: Any,
    loop: asyncio.AbstractEventLoop,
    status: int,
    headers: list[tuple[str, str]],
) -> None:
    """Pass an answer on chunk by chunk, each when the one before was taken."""
    transport = protocol.response_stream(status, headers)
    for chunk in response:
        asyncio.run_coroutine_threadsafe(_send_chunk(transport, chunk), loop).result()


async def _send_chunk(transport: Any, chunk: bytes) -> None:
    await transport.send_bytes(chunk)
