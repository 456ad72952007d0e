"""Programs of the system that a few tests need: found, or the test is skipped by name."""

import os
import shutil

import pytest


def find_program(name: str, package: str) -> str:
    """The path of a program; skips the test without it, and says so in the summary."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed (Debian: {package})")
    return path


def as_ordinary_user(command: list[str]) -> list[str]:
    """The command in a form in which it does not see that root runs it, and may do as much."""
    return ["unshare", "--user", "--map-user=1000", *command] if os.geteuid() == 0 else command
