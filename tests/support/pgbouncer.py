"""PgBouncer before the test's PostgreSQL."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support.installation import free_port
from tests.support.programs import as_ordinary_user, find_program
from tests.support.waiting import answers, wait_until


@contextlib.contextmanager
def pgbouncer(database_url: str, folder: Path, pool_mode: str) -> Iterator[str]:
    """Run one in this mode before the server of the address, and yield its own address."""
    program = find_program("pgbouncer", "pgbouncer")
    parts, port = urlsplit(database_url), free_port()
    sockets = parse_qs(parts.query)["host"][0]
    config = folder / "pgbouncer.ini"
    config.write_text(
        f"""
[databases]
* = host={sockets} port=5432 user={parts.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {pool_mode}
max_client_conn = 200
default_pool_size = 50
"""
    )
    process = subprocess.Popen(
        as_ordinary_user([program, "-q", str(config)]), stdout=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: answers(port))
        yield f"postgres://{parts.username}@127.0.0.1:{port}{parts.path}"
    finally:
        process.terminate()
        process.wait()
