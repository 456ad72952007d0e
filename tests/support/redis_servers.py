"""Redis servers of other kinds than the test's: a Sentinel with its master, and one with TLS."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.installation import free_port
from tests.support.programs import find_program
from tests.support.waiting import answers, wait_until

PASSWORD = "a-password-of-the-tests"


class RedisServer:
    """A Debian `redis-server` that listens on a port, with further options."""

    def __init__(
        self, folder: Path, *lines: str, tls: bool = False, sentinel: bool = False
    ) -> None:
        self.port = free_port()
        folder.mkdir()
        ports = [f"port 0\ntls-port {self.port}"] if tls else [f"port {self.port}"]
        config = folder / "server.conf"
        config.write_text("\n".join([*ports, f"dir {folder}", *lines]) + "\n")
        program = find_program("redis-server", "redis-server")
        self.process = subprocess.Popen(
            [program, str(config), *(["--sentinel"] if sentinel else [])],
            stdout=subprocess.DEVNULL,
        )
        wait_until(lambda: answers(self.port))

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def sentinel(folder: Path) -> Iterator[tuple[str, RedisServer]]:
    """A master with a password, its replica and a Sentinel; yields its address and the master."""
    password = [f"requirepass {PASSWORD}", f"masterauth {PASSWORD}", 'save ""']
    servers = [RedisServer(folder / "master", *password)]
    try:
        master = servers[0]
        servers.append(
            RedisServer(folder / "replica", *password, f"replicaof 127.0.0.1 {master.port}")
        )
        servers.append(
            RedisServer(
                folder / "sentinel",
                f"sentinel monitor shop 127.0.0.1 {master.port} 1",
                f"sentinel auth-pass shop {PASSWORD}",
                "sentinel down-after-milliseconds shop 1000",
                "sentinel failover-timeout shop 5000",
                sentinel=True,
            )
        )
        yield f"redis+sentinel://:{PASSWORD}@127.0.0.1:{servers[-1].port}/shop/0", master
    finally:
        for server in servers:
            server.stop()


@contextlib.contextmanager
def redis_with_tls(folder: Path) -> Iterator[str]:
    """A server that takes TLS and a user of its own only; yields its address."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    server = RedisServer(
        folder / "tls",
        f"tls-cert-file {certificate}",
        f"tls-key-file {key}",
        "tls-auth-clients no",
        f"user astronote on >{PASSWORD} ~* &* +@all",
        "user default off",
        'save ""',
        tls=True,
    )
    try:
        yield (
            f"rediss://astronote:{PASSWORD}@127.0.0.1:{server.port}/0?ssl_ca_certs={certificate}"
        )
    finally:
        server.stop()
