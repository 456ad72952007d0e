"""The embedded servers: their data survives, and they end with their parent."""

import os
import signal
import socket
import subprocess
import sys
import time

import psycopg
import pytest

from astronote.processes import embedded

pytestmark = pytest.mark.end_to_end

STARTER = """
import sys, time
from astronote.processes.embedded import EmbeddedServices
with EmbeddedServices(sys.argv[1]) as services:
    print("started", *services.started, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def root(tmp_path):
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    return tmp_path


def start(root):
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(root)], stdout=subprocess.PIPE, text=True
    )
    with process.stdout as output:
        assert output.readline() == "started postgres redis\n"
    return process


def ask(root, query):
    folder = embedded.socket_folder(root)
    with psycopg.connect(host=str(folder), user="app", dbname="app", autocommit=True) as session:
        answer = session.execute(query)
        return answer.fetchone() if answer.description else None


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_servers_end_with_a_killed_parent_and_keep_their_data(root):
    process = start(root)
    ask(root, "CREATE TABLE kept AS SELECT 42 AS answer")
    process.kill()
    process.wait()
    wait_until(lambda: not embedded.postgres_is_running(root))
    wait_until(lambda: not embedded.redis_is_running(root))
    with embedded.EmbeddedServices(root):
        assert ask(root, "SELECT answer FROM kept") == (42,)


def test_the_next_start_works_after_everything_was_killed(root):
    process = start(root)
    ask(root, "CREATE TABLE kept AS SELECT 42 AS answer")
    pid = int((root / ".astronote" / "postgres" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()
    wait_until(lambda: not embedded.postgres_is_running(root))
    with embedded.EmbeddedServices(root):
        assert ask(root, "SELECT answer FROM kept") == (42,)


def test_two_checkouts_do_not_meet_and_a_second_starter_uses_what_runs(root):
    first, second = root / "first", root / "second"
    first.mkdir()
    second.mkdir()
    with embedded.EmbeddedServices(first) as one, embedded.EmbeddedServices(second) as two:
        assert one.started == two.started == ["postgres", "redis"]
        ask(first, "CREATE TABLE only_here (n int)")
        assert ask(second, "SELECT to_regclass('only_here')") == (None,)
        with embedded.EmbeddedServices(first) as again:
            assert again.started == []
        assert embedded.postgres_is_running(first)


def test_an_interrupted_first_start_is_done_again(root):
    (root / ".astronote" / "postgres.new").mkdir(parents=True)
    (root / ".astronote" / "postgres.new" / "half").write_text("done")
    with embedded.EmbeddedServices(root, redis=False):
        assert ask(root, "SELECT 1") == (1,)


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
SOMEBODY = 54321
OTHERS = [
    pytest.param(
        embedded.NOBODY,
        marks=pytest.mark.skipif(
            embedded._find_server_user_or_raise().uid == embedded.NOBODY,
            reason="without user namespaces the server of root runs as nobody",
        ),
    ),
    SOMEBODY,
]


@as_root
@pytest.mark.parametrize("uid", OTHERS)
def test_no_other_user_of_the_machine_reaches_servers_or_data(root, uid):
    """Not even where earlier versions left the folder of the sockets open."""
    folder = embedded.socket_folder(root)
    folder.mkdir(mode=0o777)
    with embedded.EmbeddedServices(root):
        data = root / ".astronote"
        attempts = [
            lambda: socket.socket(socket.AF_UNIX).connect(str(folder / ".s.PGSQL.5432")),
            lambda: socket.socket(socket.AF_UNIX).connect(str(folder / "valkey.sock")),
            lambda: os.listdir(data),
            lambda: os.listdir(data / "postgres"),
        ]
        refused = sum(1 << number for number in range(len(attempts)))
        assert as_another_user(uid, attempts, PermissionError) == refused
        folder.chmod(0o777)
        assert as_another_user(uid, attempts, PermissionError) == refused, "the sockets are closed"
        assert ask(root, "SELECT 1") == (1,)


@as_root
@pytest.mark.parametrize("uid", OTHERS)
def test_postgresql_refuses_another_user_who_reaches_its_socket(root, uid):
    """The kernel says who asks, so no permission of a folder matters; as any account."""
    folder = embedded.socket_folder(root)
    with embedded.EmbeddedServices(root, redis=False):
        ask(root, "CREATE ROLE nobody LOGIN SUPERUSER")
        folder.chmod(0o777)
        (folder / ".s.PGSQL.5432").chmod(0o777)
        attempts = [
            lambda name=name: psycopg.connect(host=str(folder), user=name, dbname="app")
            for name in ("app", "nobody", "postgres")
        ]
        assert as_another_user(uid, attempts, psycopg.OperationalError) == 0b111
        assert ask(root, "SELECT 1") == (1,)
        log = (root / ".astronote" / "postgres.log").read_text()
        assert 'authentication failed for user "app"' in log


def test_data_of_a_version_that_trusted_everybody_is_kept_and_closed(root):
    with embedded.EmbeddedServices(root, redis=False):
        ask(root, "CREATE TABLE kept AS SELECT 42 AS answer")
    data = root / ".astronote" / "postgres"
    (data / "pg_hba.conf").write_text("local all all trust\n")
    for name in ("pg_hba.conf", "pg_ident.conf"):
        (root / ".astronote" / name).unlink()
    with embedded.EmbeddedServices(root, redis=False):
        assert ask(root, "SELECT answer FROM kept") == (42,)
        query = "SELECT array_agg(auth_method) FROM pg_hba_file_rules"
        assert ask(root, query) == (["peer"],)


@as_root
def test_a_folder_that_somebody_else_made_is_not_used(root):
    """A server of theirs may listen in it, and read all that we send."""
    folder = embedded.socket_folder(root)
    folder.mkdir()
    os.chown(folder, SOMEBODY, SOMEBODY)
    with pytest.raises(embedded.EmbeddedError, match="belongs to somebody else"):
        embedded.EmbeddedServices(root).start()
    folder.rmdir()
    elsewhere = root / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    folder.symlink_to(elsewhere)
    with pytest.raises(embedded.EmbeddedError, match="belongs to somebody else"):
        embedded.EmbeddedServices(root).start()
    assert elsewhere.stat().st_mode & 0o777 == 0o755, "its permissions are not ours to change"
    folder.unlink()


def as_another_user(uid, attempts, refusal):
    """Which attempts are refused to another user, as bits."""
    pid = os.fork()
    if pid == 0:
        refused = 0
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        for number, attempt in enumerate(attempts):
            try:
                attempt()
            except refusal:
                refused |= 1 << number
        os._exit(refused)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
