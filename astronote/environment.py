"""Every environment variable: its type, default and meaning, declared once.

The settings read their values here; `.env.example` and the README's table are written from here.
What the values are used for is in `settings.py`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any

import environ
from crontab import CronTab
from django.core.exceptions import ImproperlyConfigured

from astronote import embedded

ROOT = Path(__file__).resolve().parent.parent
TRUE_WORDS = {"1", "true", "yes", "on"}
GENERATED = "generated"
FALSE_WORDS = {"0", "false", "no", "off", ""}


def text(value: str) -> str:
    return value


def boolean(value: str) -> bool:
    word = value.strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError("expected 1 or 0 (true, false, yes, no, on, off)")


def whole(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value)
        if number < minimum or (maximum is not None and number > maximum):
            bounds = f"{minimum} or more" if maximum is None else f"{minimum} to {maximum}"
            raise ValueError(f"expected a whole number, {bounds}")
        return number

    return parse


def minutes(value: str) -> float:
    number = float(value)
    if not 0 < number < 1e6:
        raise ValueError("expected a number of minutes above 0")
    return number


def seconds(value: str) -> float:
    number = float(value)
    if not 0 < number < 1e6:
        raise ValueError("expected a number of seconds above 0")
    return number


def cron(value: str) -> str:
    try:
        CronTab(value)
    except ValueError:
        raise ValueError("expected five cron fields, such as '0 2 * * *'") from None
    return value


def clock(value: str) -> time:
    try:
        return time.fromisoformat(value)
    except ValueError:
        raise ValueError("expected a time of day, such as 22:00") from None


def words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def one_of(*allowed: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return value

    return parse


def http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("expected an address beginning with http:// or https://")
    return value.rstrip("/")


@dataclass(frozen=True)
class Variable:
    """One environment variable.

    `default` None means required; `local` is the default while PostgreSQL is embedded (no
    DATABASE_URL), so that a newcomer needs no `.env`.
    """

    name: str
    parse: Callable[[str], Any]
    default: str | None
    meaning: str
    local: str | None = None


SECTIONS: dict[str, list[Variable]] = {
    "Servers": [
        Variable("DATABASE_URL", text, "", "PostgreSQL; empty: an embedded server is used"),
        Variable(
            "REDIS_URL",
            text,
            "",
            "Redis 6.2 or later, or Valkey; empty: an embedded server is used",
        ),
        Variable("DATABASE_CONN_MAX_AGE", whole(0), "600", "seconds a connection is kept"),
    ],
    "Web": [
        Variable(
            "SECRET_KEY", text, None, "signs sessions and links; long and random", local=GENERATED
        ),
        Variable(
            "SECRET_KEY_FALLBACKS",
            words,
            "",
            "earlier SECRET_KEYs, by comma, whose sessions and links still hold",
        ),
        Variable(
            "PHONE_HASH_KEY",
            text,
            None,
            "keys the hashes of suppressed numbers; never change it, or opt-outs are forgotten",
            local=GENERATED,
        ),
        Variable("DEBUG", boolean, "0", "Django's debug pages; never in production"),
        Variable(
            "ALLOWED_HOSTS",
            words,
            "",
            "host names the site answers to, by comma",
            local="localhost,127.0.0.1,[::1]",
        ),
        Variable(
            "PUBLIC_WEB_BASE_URL",
            http_url,
            None,
            "address customers reach us at, for links in messages",
            local="http://127.0.0.1:8000",
        ),
        Variable("HTTPS", boolean, "1", "redirect to https and use secure cookies", local="0"),
        Variable("WEB_CONCURRENCY", whole(1, 64), "2", "web processes of `manage.py serve`"),
        Variable("PORT", whole(1, 65535), "8000", "port of `manage.py serve`"),
        Variable("LOG_LEVEL", one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO", "least severe"),
        Variable("LOG_FORMAT", one_of("text", "json"), "text", "form of log lines"),
    ],
    "Workers": [
        Variable("WORKER_CONCURRENCY", whole(1, 256), "5", "processes on the sms queue"),
        Variable("SCHEDULER_CONCURRENCY", whole(1, 256), "2", "processes on the scheduler queue"),
        Variable(
            "CONTACT_IMPORT_CONCURRENCY",
            whole(1, 256),
            "1",
            "processes on the contact_import queue",
        ),
        Variable(
            "STATUS_REFRESH_CONCURRENCY",
            whole(1, 256),
            "1",
            "processes on the status_refresh queue",
        ),
        Variable(
            "DELIVERY_STATUS_POLLER_CONCURRENCY",
            whole(1, 256),
            "1",
            "processes on the delivery_status_poller queue",
        ),
        Variable("WATCHDOG_CONCURRENCY", whole(1, 256), "1", "processes on the watchdog queue"),
        Variable("START_WORKER", boolean, "1", "`manage.py serve` also runs workers and scheduler"),
        Variable(
            "SCHEDULE_SWEEP_INTERVAL_MS",
            whole(1000),
            "60000",
            "between looks for due campaigns, ms",
        ),
        Variable(
            "BIRTHDAY_AUTOMATION_CRON", cron, "0 0 * * *", "when birthday messages go out (UTC)"
        ),
        Variable(
            "DELIVERY_POLL_INTERVAL_MS", whole(1000), "300000", "between delivery status polls, ms"
        ),
        Variable("STATUS_REFRESH_ENABLED", boolean, "1", "status refresh recurs"),
        Variable("STATUS_REFRESH_INTERVAL", whole(1000), "600000", "between status refreshes, ms"),
        Variable("RUN_BIRTHDAY_ON_START", boolean, "0", "run birthdays when the scheduler starts"),
        Variable(
            "RUN_PII_RETENTION_ON_START", boolean, "0", "run retention when the scheduler starts"
        ),
    ],
    "Queues": [
        Variable("QUEUE_DISABLED", boolean, "0", "nothing is enqueued and workers do not start"),
        Variable(
            "QUEUE_ATTEMPTS",
            whole(1, 100),
            "1",
            "attempts of an SMS batch; above 1 a send without an answer is repeated: duplicates",
        ),
        Variable("QUEUE_BACKOFF_MS", whole(0), "3000", "first wait before another attempt, ms"),
        Variable(
            "QUEUE_RATE_MAX", whole(1), "20", "calls to Mitto per window, all workers together"
        ),
        Variable("QUEUE_RATE_DURATION_MS", whole(1), "1000", "length of that window, ms"),
    ],
    "Mitto": [
        Variable(
            "MITTO_API_BASE",
            http_url,
            "https://messaging.mittoapi.com",
            "address of the Mitto API",
            local="http://127.0.0.1:8025",
        ),
        Variable("MITTO_API_VERSION", text, "v1.1", "version segment of the API's paths"),
        Variable("MITTO_API_KEY", text, None, "key of the Mitto account", local="sandbox"),
        Variable(
            "MITTO_TRAFFIC_ACCOUNT_ID",
            text,
            None,
            "UUID of the traffic account",
            local="00000000-0000-4000-8000-0000000000aa",
        ),
        Variable("MITTO_SENDER", text, "", "sender ID for stores that have none"),
        Variable("MITTO_CONNECT_TIMEOUT", seconds, "5", "wait for a connection, s"),
        Variable("MITTO_READ_TIMEOUT", seconds, "30", "wait for an answer, s"),
        Variable(
            "STATUS_RATE_MAX", whole(1), "200", "status queries to Mitto a second, all together"
        ),
        Variable(
            "RATE_LIMIT_TRAFFIC_ACCOUNT_MAX", whole(0), "0", "messages a second, all; 0: no limit"
        ),
        Variable(
            "RATE_LIMIT_TENANT_MAX", whole(0), "0", "messages a second of one store; 0: no limit"
        ),
        Variable(
            "MITTO_SANDBOX_PORT", whole(1, 65535), "8025", "port of `manage.py mitto_sandbox`"
        ),
        Variable(
            "WEBHOOK_SECRET",
            words,
            "",
            "secrets that webhooks accept, by comma; empty: webhooks are closed",
            local="sandbox",
        ),
    ],
    "Sending": [
        Variable(
            "SMS_BATCH_SIZE", whole(1, 5000), "1000", "messages in a batch, one provider call"
        ),
        Variable(
            "OPT_OUT_LINE",
            text,
            "Opt out: {{unsubscribe_link}}",
            "what marketing texts end with, such as: Reply STOP to opt out",
        ),
        Variable(
            "CREDIT_RESERVATION_TTL_MINUTES", minutes, "1440", "life of a credit reservation, min"
        ),
        Variable(
            "CAMPAIGN_LIFE_HOURS", whole(1), "72", "what is delayed longer than that is skipped, h"
        ),
        Variable("QUIET_HOURS_ENABLED", boolean, "0", "nothing goes out in quiet hours"),
        Variable("QUIET_HOURS_START", clock, "22:00", "their begin, in the store's time zone"),
        Variable("QUIET_HOURS_END", clock, "09:00", "their end; the same as the begin: none"),
        Variable("QUIET_HOURS_ALLOW_MARKETING", boolean, "0", "marketing goes out all the same"),
        Variable("QUIET_HOURS_ALLOW_SERVICE", boolean, "0", "service messages go out all the same"),
        Variable("OWNER_SMS_PER_MINUTE", whole(0), "0", "messages of a store; 0: no limit"),
        Variable("OWNER_SMS_PER_DAY", whole(0), "0", "messages of a store in 24 h; 0: no limit"),
        Variable("CONTACT_MARKETING_PER_DAY", whole(0), "0", "to one contact in 24 h; 0: no limit"),
        Variable(
            "CONTACT_MARKETING_PER_WEEK", whole(0), "0", "to one contact in 7 days; 0: no limit"
        ),
        Variable(
            "DEFAULT_PHONE_REGION", text, "GR", "country of national phone numbers of a store"
        ),
    ],
    "Watchdog": [
        Variable("STUCK_SENDING_MINUTES", minutes, "10", "a campaign is stuck after, min"),
        Variable("STUCK_LOCKED_MINUTES", minutes, "5", "a claimed batch is abandoned after, min"),
        Variable("WATCHDOG_INTERVAL", whole(1000), "300000", "between watchdog runs, ms"),
    ],
    "Import": [
        Variable("IMPORT_MAX_MB", whole(1, 4096), "200", "largest file that is accepted, MB"),
        Variable(
            "IMPORT_FILE_RETENTION_HOURS", whole(0), "24", "uploaded file is deleted after, h"
        ),
    ],
    "Privacy": [
        Variable("PII_RETENTION_DAYS", whole(1), "90", "after an opt-out or event, days"),
        Variable(
            "PII_INACTIVE_DAYS",
            whole(0),
            "0",
            "customers neither messaged nor changed for so many days go too; 0: they stay",
        ),
        Variable(
            "PII_RETENTION_ACTION",
            one_of("anonymise", "delete"),
            "anonymise",
            "what becomes of a customer past his time; statistics stay either way",
        ),
        Variable("PII_RETENTION_CRON", cron, "0 2 * * *", "when retention runs (UTC)"),
    ],
}


def variables() -> Iterator[Variable]:
    """Every declared variable, in the order of the documentation."""
    for section in SECTIONS.values():
        yield from section


def read(root: Path = ROOT) -> dict[str, Any]:
    """Return every variable's value by name.

    `.env` files in `root` and its two parents fill in what the process environment leaves out,
    the nearest first (overview, Notes).

    Raises:
        ImproperlyConfigured: naming the variable that is missing or malformed.
    """
    for folder in (root, *list(root.parents)[:2]):
        if (folder / ".env").is_file():
            environ.Env.read_env(folder / ".env", overwrite=False)
    local = not os.environ.get("DATABASE_URL")
    return {variable.name: _value(variable, local=local, root=root) for variable in variables()}


def _value(variable: Variable, *, local: bool, root: Path) -> Any:
    given = os.environ.get(variable.name)
    if given in (None, "") and variable.default != "":
        given = variable.local if local and variable.local is not None else variable.default
        if given is None:
            raise ImproperlyConfigured(
                f"{variable.name} is not set: {variable.meaning}; "
                "set it in the environment or in .env"
            )
        if given == GENERATED:
            return _generated(variable.name, root)
    elif given is None:
        given = variable.local if local and variable.local is not None else ""
    try:
        return variable.parse(given)
    except ValueError as error:
        detail = str(error) if "expected" in str(error) else "expected a number"
        raise ImproperlyConfigured(f"{variable.name}={given!r} cannot be read: {detail}") from None


def _generated(name: str, root: Path) -> str:
    """A secret of an embedded installation: made once, kept beside its data."""
    path = root / ".astronote" / name.lower()
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as draft:
            draft.write(secrets.token_urlsafe(50))
            draft.flush()
            with contextlib.suppress(FileExistsError):  # another process was first
                os.link(draft.name, path)
    return path.read_text()


def unreachable(server: str, variable: str, detail: str) -> str:
    """One line for a server that does not answer: what to start, or what to set."""
    if os.environ.get(variable):
        return f"{server} cannot be reached at {variable}: {detail}"
    return (
        f"{server} is not running: start `manage.py services` in another terminal, "
        f"or set {variable}"
    )


def database_url(values: dict[str, Any]) -> str:
    return values["DATABASE_URL"] or embedded.database_url(ROOT)


def redis_url(values: dict[str, Any]) -> str:
    return values["REDIS_URL"] or embedded.redis_url(ROOT)


def env_example() -> str:
    """The text of `.env.example`: every variable with its default and meaning."""
    lines = ["# Every variable Astronote reads, with its default. Copy to .env and fill in.", ""]
    for title, section in SECTIONS.items():
        lines.append(f"# {title}")
        for variable in section:
            local = f"; {variable.local} while embedded" if variable.local else ""
            need = "required" if variable.default is None else "default"
            lines.append(f"# {variable.meaning} ({need}{local})")
            value = variable.default if variable.default is not None else ""
            lines.append(f"{variable.name}={_quoted(value)}")
        lines.append("")
    return "\n".join(lines)


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value


def markdown_table() -> str:
    """The README's table of variables."""
    lines = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for title, section in SECTIONS.items():
        lines.append(f"| **{title}** | | |")
        for variable in section:
            default = "required" if variable.default is None else f"`{variable.default}`"
            default = "–" if variable.default == "" else default
            if variable.local is not None:
                default += f" (embedded: `{variable.local}`)"
            lines.append(f"| `{variable.name}` | {default} | {variable.meaning} |")
    return "\n".join(lines)
