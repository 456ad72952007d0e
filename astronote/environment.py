"""Reading the environment: the value of every variable, and what is wrong with it.

The variables are declared in `environment_variables.py`; `settings.py` reads every value once.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from astronote.environment_parsers import parse_strong_secret
from astronote.environment_variables import GENERATED, Variable, variables
from astronote.processes import embedded

ROOT = Path(__file__).resolve().parent.parent


def read_environment(root: Path = ROOT) -> dict[str, Any]:
    """Return every variable's value by name.

    `.env` files in `root` and its two parents fill in what the process environment leaves out,
    the nearest first.

    Raises:
        ImproperlyConfigured: naming every variable that is missing or cannot be used, a line each.
    """
    for folder in (root, *list(root.parents)[:2]):
        if (folder / ".env").is_file():
            environ.Env.read_env(folder / ".env", overwrite=False)
    is_embedded = not os.environ.get("DATABASE_URL")
    values: dict[str, Any] = {}
    problems = []
    # Those that name another variable in their default come last.
    for variable in sorted(variables(), key=lambda variable: "{" in (variable.local or "")):
        try:
            values[variable.name] = _parse_value_default_or_new_secret_or_raise(
                variable, is_embedded=is_embedded, root=root, values=values
            )
        except ValueError as error:
            problems.append(str(error))
    problems += _find_problems_between_variables(values)
    if problems:
        raise ImproperlyConfigured("\n".join(problems))
    if not values["ALLOWED_HOSTS"]:
        public = urlsplit(values["PUBLIC_WEB_BASE_URL"]).hostname or ""
        own = ["localhost", "127.0.0.1", "[::1]"] if is_embedded else []
        values["ALLOWED_HOSTS"] = list(dict.fromkeys([public, *own]))
    return values


def _parse_value_default_or_new_secret_or_raise(
    variable: Variable, *, is_embedded: bool, root: Path, values: Mapping[str, Any]
) -> Any:
    """The variable's value; `values` are those of other variables so far.

    Raises:
        ValueError: with the variable's name and what to set.
    """
    given = os.environ.get(variable.name)
    if given in (None, "") and variable.default != "":
        given = variable.default
        if is_embedded and variable.local is not None:
            given = variable.local.format_map(defaultdict(str, values))
        if given is None:
            raise ValueError(
                f"{variable.name} is not set: {variable.meaning}; "
                "set it in the environment or in .env"
            )
        if given == GENERATED:
            return _read_or_create_secret_in_file(variable.name, root)
    elif given is None:
        given = variable.local if is_embedded and variable.local is not None else ""
    try:
        return variable.parse(given)
    except ValueError as error:
        detail = str(error) if "expected" in str(error) else "expected a number"
        if detail.startswith(("is too weak", "cannot be read")):  # these hold a secret
            raise ValueError(f"{variable.name} {detail}") from None
        raise ValueError(f"{variable.name}={given!r} cannot be read: {detail}") from None


def _find_problems_between_variables(values: dict[str, Any]) -> Iterator[str]:
    """What is wrong with variables together; those that could not be read are absent."""
    if values.get("HTTPS") and values.get("TRUSTED_PROXIES") == []:
        yield (
            "TRUSTED_PROXIES is not set: with HTTPS=1 a proxy must say which requests came by"
            " https; set its address, such as 127.0.0.1, or HTTPS=0"
        )
    if values.get("EMAIL_URL") and not values.get("EMAIL_FROM"):
        yield "EMAIL_FROM is not set: mails need a sender, such as astronote@example.com"
    mitto = urlsplit(values.get("MITTO_API_BASE", "")).hostname
    if mitto not in ("localhost", "127.0.0.1", "::1"):
        for secret in values.get("WEBHOOK_SECRET", []):
            try:
                parse_strong_secret(secret)
            except ValueError as error:
                yield f"WEBHOOK_SECRET {error}"
                break


def _read_or_create_secret_in_file(name: str, root: Path) -> str:
    """A secret of an embedded installation: created once, stored beside its data."""
    path = root / ".astronote" / name.lower()
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as draft:
            draft.write(secrets.token_urlsafe(50))
            draft.flush()
            with contextlib.suppress(FileExistsError):  # another process created it first
                os.link(draft.name, path)
    return path.read_text()


def build_unreachable_message(server: str, url_variable: str, detail: str) -> str:
    """One line for a server that does not answer: what to start, or what to set."""
    if os.environ.get(url_variable):
        return f"{server} cannot be reached at {url_variable}: {detail}"
    return (
        f"{server} is not running: start `manage.py services` in another terminal, "
        f"or set {url_variable}"
    )


def database_url_or_embedded(values: dict[str, Any]) -> str:
    """The address of PostgreSQL: DATABASE_URL, or that of the embedded server."""
    return values["DATABASE_URL"] or embedded.database_url(ROOT)


def redis_url_or_embedded(values: dict[str, Any]) -> str:
    """The address of Redis: REDIS_URL, or that of the embedded server."""
    return values["REDIS_URL"] or embedded.redis_url(ROOT)
