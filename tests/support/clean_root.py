"""A Dockerfile's lines tried without Docker: in clean Debian roots, with chroot.

It is no image. What the base image brings, Debian's own Python stands for; layers, networks and
limits of an engine are not tried.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# In the place of the base image python:3.11-slim-bookworm.
BASE_PACKAGES = "ca-certificates,python3,python3-venv,python-is-python3"
# What the compose file's `read_only`, `cap_drop`, `no-new-privileges` and `tmpfs` make of it.
LOCKED_UP = (
    "mount --bind {root} {root} && mount -o remount,bind,ro {root} && "
    "mount -t tmpfs tmpfs {root}/tmp && mount -t tmpfs tmpfs {root}/dev/shm && "
)
# How this machine reaches the registries.
NETWORK = ("PIP_CERT", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MOUNTED = "{locked_up} mount -t proc proc {root}/proc && exec {command}"


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Each instruction and its arguments, with continued lines joined."""
    lines = (line for line in dockerfile.splitlines() if not re.match(r"\s*(#|$)", line))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, arguments = line.split(maxsplit=1)
        yield name.upper(), arguments


@dataclass
class Stage:
    """What the lines of one FROM have made.

    Attributes:
        root: the folder that holds its file system.
        variables: its environment.
        user: whom CMD runs as.
    """

    root: Path
    folder: str = "/"
    user: str = "root"
    variables: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    command: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)

    def build_command(self, command: list[str], **variables: str) -> list[str]:
        """The command line that runs a command of the container as its user, locked up as there."""
        inside = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups",
                  "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", *command]  # fmt: skip
        return self._enter(inside, LOCKED_UP, variables)

    def _enter(self, command: list[str], locked_up: str, variables: dict[str, str]) -> list[str]:
        settings = [f"{name}={value}" for name, value in (self.variables | variables).items()]
        there = ["sh", "-c", 'cd "$0" && exec "$@"', self.folder]
        line = ["env", "-i", *settings, "chroot", str(self.root), *there, *command]
        script = MOUNTED.format(
            root=self.root, locked_up=locked_up.format(root=self.root), command=shlex.join(line)
        )
        return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script]

    def run(self, arguments: str) -> None:
        """RUN: with a shell, as root.

        Raises:
            AssertionError: with the end of what it said.
        """
        assert self.user == "root", "the line would run as another user"
        network = {name: os.environ[name] for name in NETWORK if name in os.environ}
        done = subprocess.run(
            self._enter(["/bin/sh", "-c", arguments], "", network), capture_output=True, text=True
        )
        assert done.returncode == 0, f"RUN {arguments}: {done.stdout[-500:]} {done.stderr[-1500:]}"
        self.ran.append(arguments)


def build(dockerfile: Path, context: Path, place: Path) -> Stage:
    """Carry out each line of a Dockerfile below a folder, and return the last stage."""
    base, stages = place / "base", {}
    make = ["debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", "bookworm", str(base)]
    # What it mounts goes with its namespace, however it ends.
    subprocess.run(["unshare", "--mount", *make], check=True, stdout=subprocess.DEVNULL)
    for path in ("etc/resolv.conf", CERTIFICATES):
        shutil.copy(f"/{path}", base / path)
    for name, arguments in instructions(dockerfile.read_text()):
        if name == "FROM":
            stage = Stage(place / f"stage{len(stages)}")
            subprocess.run(["cp", "-a", str(base), str(stage.root)], check=True)
            stages[arguments.split(" AS ")[-1]] = stage
        elif name == "WORKDIR":
            stage.folder = arguments
            (stage.root / arguments.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "ENV":
            settings = (each.split("=", 1) for each in shlex.split(arguments))
            path = stage.variables["PATH"]
            stage.variables |= {key: value.replace("$PATH", path) for key, value in settings}
        elif name == "COPY":
            copy(arguments, stage, stages, context)
        elif name == "RUN":
            stage.run(arguments)
        elif name == "USER":
            stage.user = arguments
        elif name == "CMD":
            stage.command = json.loads(arguments)
        else:
            assert name in ("EXPOSE", "STOPSIGNAL"), f"{name} is not known here"
    return stage


def copy(arguments: str, stage: Stage, stages: dict[str, Stage], context: Path) -> None:
    """COPY: from another stage, or from the context without what .dockerignore names."""
    *options, source, target = arguments.split()
    where = stage.root / stage.folder.lstrip("/") / target
    if options:
        other = stages[options[0].removeprefix("--from=")]
        subprocess.run(["cp", "-a", f"{other.root}{source}", str(where)], check=True)
        return
    ignored = [line for line in (context / ".dockerignore").read_text().splitlines() if line]

    def ignore(folder: str, names: list[str]) -> set[str]:
        def path(name: str) -> str:
            return os.path.relpath(os.path.join(folder, name), context)

        return {
            name
            for name in names
            for pattern in ignored
            if fnmatch.fnmatch(path(name), pattern)
            or (pattern.startswith("**/") and fnmatch.fnmatch(name, pattern[3:]))
        }

    if (context / source).is_dir():
        shutil.copytree(context / source, where, ignore=ignore, dirs_exist_ok=True)
    else:
        shutil.copy(context / source, where)
