"""REDIS_URL as django-rq's options: over TCP or a socket, with TLS, ACL and Sentinel.

| URL | Redis or Valkey |
|---|---|
| `redis://user:password@host:6379/0`, `valkey://…` | over TCP |
| `rediss://…`, `valkeys://…` | over TLS; `?ssl_ca_certs=/path/to/ca.pem` names the authority |
| `unix:///path/to.sock?db=0` | over a socket of this machine |
| `redis+sentinel://user:password@host:26379,host:26379/service/0` | the master by Sentinel |
| `rediss+sentinel://…` | the same over TLS, Sentinel too |

Users and passwords of Sentinel itself are `?sentinel_username=…&sentinel_password=…`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.connection import parse_url

from astronote.queues.redis_retry import RetryInOutermostCallOnly
from astronote.queues.sentinel_connections import (
    ReconnectingSentinelConnection,
    SentinelTLSConnection,
)

SENTINEL_PORT = 26379
PLAIN_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}
SOCKET_SECONDS = 5  # the client's own default, which django-rq takes away for Sentinel


def build_queue_options(redis_url: str) -> dict[str, Any]:
    """What django-rq needs to connect, in the form of an entry of RQ_QUEUES.

    Raises:
        ValueError: if the URL cannot be read, without the URL, which may hold a password.
    """
    scheme, separator, rest = redis_url.partition("://")
    if not separator:
        raise ValueError("cannot be read, expected redis://host:port/0")
    if scheme in ("redis+sentinel", "rediss+sentinel"):
        return _sentinel_options(redis_url, is_tls=scheme.startswith("rediss"))
    try:
        found = parse_url(f"{PLAIN_SCHEMES.get(scheme, scheme)}://{rest}")
    except ValueError:
        raise ValueError(
            "cannot be read, expected redis://host:port/0 (rediss, valkey, unix, redis+sentinel)"
        ) from None
    found.pop("connection_class", None)
    options: dict[str, Any] = {
        "HOST": found.pop("host", "localhost"),
        "PORT": found.pop("port", 6379),
        "DB": found.pop("db", 0),
        "USERNAME": found.pop("username", None),
        "PASSWORD": found.pop("password", None),
        "SSL": scheme in ("rediss", "valkeys"),
        "SSL_CERT_REQS": found.pop("ssl_cert_reqs", "required"),
    }
    if path := found.pop("path", None):
        found["unix_socket_path"] = path
    return options | {
        "REDIS_CLIENT_KWARGS": {"retry": RetryInOutermostCallOnly.one_retry_without_wait()} | found
    }


def _sentinel_options(url: str, *, is_tls: bool) -> dict[str, Any]:
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    service, _, database = parts.path.strip("/").partition("/")
    query = dict(parse_qsl(parts.query))
    sentinel = {
        name.removeprefix("sentinel_"): query.pop(name)
        for name in ("sentinel_username", "sentinel_password")
        if name in query
    }
    tls = {"ssl": True} | query if is_tls else query
    try:
        if not service or not hosts:
            raise ValueError
        addresses = [_parse_sentinel_address(host) for host in hosts.split(",")]
        number = int(database or 0)
    except ValueError:
        raise ValueError(
            "cannot be read, expected redis+sentinel://user:password@host:port,host:port/service/0"
        ) from None
    return {
        "SENTINELS": addresses,
        "MASTER_NAME": unquote(service),
        "DB": number,
        "USERNAME": unquote(username) or None,
        "PASSWORD": unquote(password) or None,
        "SOCKET_TIMEOUT": SOCKET_SECONDS,
        "CONNECTION_KWARGS": tls
        | {
            "connection_class": SentinelTLSConnection if is_tls else ReconnectingSentinelConnection,
            "retry": RetryInOutermostCallOnly.one_retry_without_wait(),
        },
        "SENTINEL_KWARGS": tls
        | sentinel
        | {"retry": RetryInOutermostCallOnly.one_retry_without_wait()},
    }


def _parse_sentinel_address(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError
    return parts.hostname, parts.port or SENTINEL_PORT
