"""Every environment variable: its type, default and meaning, declared once.

`settings.py` reads every value once. `.env.example` and `docs/configuration.md` are generated from
here.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from crontab import CronTab
from django.core.exceptions import ImproperlyConfigured

from astronote.processes import embedded

ROOT = Path(__file__).resolve().parent.parent
TRUE_WORDS = {"1", "true", "yes", "on"}
GENERATED = "generated"
SECRET_CHARACTERS, DIFFERENT_CHARACTERS = 32, 10
FALSE_WORDS = {"0", "false", "no", "off", ""}


def parse_text_unchanged(value: str) -> str:
    """Any text."""
    return value


def parse_boolean(value: str) -> bool:
    """Yes or no, in one of the usual spellings."""
    spelling = value.strip().lower()
    if spelling in TRUE_WORDS:
        return True
    if spelling in FALSE_WORDS:
        return False
    raise ValueError("expected 1 or 0 (true, false, yes, no, on, off)")


def build_integer_parser(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """A parser of whole numbers within bounds."""

    def parse(value: str) -> int:
        number = int(value)
        if number < minimum or (maximum is not None and number > maximum):
            bounds = f"{minimum} or more" if maximum is None else f"{minimum} to {maximum}"
            raise ValueError(f"expected a whole number, {bounds}")
        return number

    return parse


def parse_positive_minutes(value: str) -> float:
    """A positive number of minutes."""
    number = float(value)
    if not 0 < number < 1e6:
        raise ValueError("expected a number of minutes above 0")
    return number


def parse_positive_seconds(value: str) -> float:
    """A positive number of seconds."""
    number = float(value)
    if not 0 < number < 1e6:
        raise ValueError("expected a number of seconds above 0")
    return number


def check_cron_expression(value: str) -> str:
    """A cron expression of five fields."""
    try:
        CronTab(value)
    except ValueError:
        raise ValueError("expected five cron fields, such as '0 2 * * *'") from None
    return value


def parse_time_of_day(value: str) -> time:
    """A time of day, such as 22:00."""
    try:
        return time.fromisoformat(value)
    except ValueError:
        raise ValueError("expected a time of day, such as 22:00") from None


def parse_comma_separated(value: str) -> list[str]:
    """A list of texts, separated by commas."""
    return [item.strip() for item in value.split(",") if item.strip()]


def parse_networks(value: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Addresses and networks, separated by commas."""
    try:
        return [ipaddress.ip_network(item) for item in parse_comma_separated(value)]
    except ValueError:
        raise ValueError("expected addresses or networks, such as 127.0.0.1,10.0.0.0/8") from None


def parse_strong_secret(value: str) -> str:
    """A secret that cannot be guessed.

    Raises:
        ValueError: without the secret, since errors are logged.
    """
    if len(value) < SECRET_CHARACTERS or len(set(value)) < DIFFERENT_CHARACTERS:
        raise ValueError(
            f"is too weak, expected {SECRET_CHARACTERS} random characters or more, such as from"
            " `openssl rand -base64 48`"
        )
    return value


def parse_database_url(value: str) -> str:
    """The address of a PostgreSQL; empty for the embedded one."""
    try:
        config = environ.Env.db_url_config(value) if value else None
    except (ValueError, KeyError, ImproperlyConfigured):
        config = {}
    if config is not None and config.get("ENGINE") != "django.db.backends.postgresql":
        raise ValueError("cannot be read, expected postgres://user:password@host:port/name")
    return value


def parse_redis_url(value: str) -> str:
    """The address of a Redis; empty for the embedded one."""
    if value and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("cannot be read, expected redis://host:port/0")
    return value


def build_choice_parser(*allowed: str) -> Callable[[str], str]:
    """A parser that accepts one of the given texts."""

    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return value

    return parse


def parse_url_without_final_slash(value: str) -> str:
    """An http or https address, returned without a final slash."""
    if not value.startswith(("http://", "https://")):
        raise ValueError("expected an address beginning with http:// or https://")
    return value.rstrip("/")


def parse_url_or_empty(value: str) -> str:
    """An http or https address, or nothing."""
    return parse_url_without_final_slash(value) if value else ""


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
        Variable(
            "DATABASE_URL",
            parse_database_url,
            "",
            "PostgreSQL; empty: an embedded server is used",
        ),
        Variable(
            "REDIS_URL",
            parse_redis_url,
            "",
            "Redis 6.2 or later, or Valkey; empty: an embedded server is used",
        ),
        Variable(
            "DATABASE_CONN_MAX_AGE",
            build_integer_parser(0),
            "600",
            "seconds that a database connection is reused",
        ),
    ],
    "Web": [
        Variable(
            "SECRET_KEY",
            parse_strong_secret,
            None,
            "signs sessions and links; 32 random characters or more",
            local=GENERATED,
        ),
        Variable(
            "SECRET_KEY_FALLBACKS",
            parse_comma_separated,
            "",
            "earlier SECRET_KEYs, separated by commas, whose sessions and links are still accepted",
        ),
        Variable(
            "PHONE_HASH_KEY",
            parse_strong_secret,
            None,
            "keys the hashes of suppressed numbers; 32 random characters or more; changed only"
            " together with PHONE_HASH_KEY_OLD, or opt-outs are forgotten",
            local=GENERATED,
        ),
        Variable(
            "PHONE_HASH_KEY_OLD",
            parse_text_unchanged,
            "",
            "the PHONE_HASH_KEY before, whose hashes still count; stays until"
            " `manage.py rotate_phone_hash_key` says that none is left",
        ),
        Variable("DEBUG", parse_boolean, "0", "Django's debug pages; never in production"),
        Variable(
            "ALLOWED_HOSTS",
            parse_comma_separated,
            "",
            "host names that the site answers to, separated by commas; empty: that of"
            " PUBLIC_WEB_BASE_URL, and while embedded this machine's",
        ),
        Variable(
            "PUBLIC_WEB_BASE_URL",
            parse_url_without_final_slash,
            None,
            "address of the site for customers, used in the links of messages",
            local="http://127.0.0.1:8000",
        ),
        Variable(
            "HTTPS", parse_boolean, "1", "redirect to https and use secure cookies", local="0"
        ),
        Variable(
            "HSTS_PRELOAD",
            parse_boolean,
            "0",
            "the domain and all its subdomains are for the browsers' preload list; hard to undo",
        ),
        Variable(
            "TRUSTED_PROXIES",
            parse_networks,
            "",
            "addresses or networks of proxies, separated by commas, that tell the visitor's address"
            " and scheme; required with HTTPS=1",
        ),
        Variable(
            "WEB_CONCURRENCY",
            build_integer_parser(1, 64),
            "2",
            "web processes of `manage.py serve`",
        ),
        Variable("PORT", build_integer_parser(1, 65535), "8000", "port of `manage.py serve`"),
        Variable(
            "LOG_LEVEL",
            build_choice_parser("DEBUG", "INFO", "WARNING", "ERROR"),
            "INFO",
            "least severe level that is logged",
        ),
        Variable("LOG_FORMAT", build_choice_parser("text", "json"), "text", "format of log lines"),
    ],
    "Workers": [
        Variable(
            "WORKER_CONCURRENCY", build_integer_parser(1, 256), "5", "processes on the sms queue"
        ),
        Variable(
            "SCHEDULER_CONCURRENCY",
            build_integer_parser(1, 256),
            "2",
            "processes on the scheduler queue",
        ),
        Variable(
            "CONTACT_IMPORT_CONCURRENCY",
            build_integer_parser(1, 256),
            "1",
            "processes on the contact_import queue",
        ),
        Variable(
            "STATUS_REFRESH_CONCURRENCY",
            build_integer_parser(1, 256),
            "1",
            "processes on the status_refresh queue",
        ),
        Variable(
            "DELIVERY_STATUS_POLLER_CONCURRENCY",
            build_integer_parser(1, 256),
            "1",
            "processes on the delivery_status_poller queue",
        ),
        Variable(
            "WATCHDOG_CONCURRENCY",
            build_integer_parser(1, 256),
            "1",
            "processes on the watchdog queue",
        ),
        Variable(
            "START_WORKER", parse_boolean, "1", "`manage.py serve` also runs workers and scheduler"
        ),
        Variable(
            "SCHEDULE_SWEEP_INTERVAL_MS",
            build_integer_parser(1000),
            "60000",
            "interval between looks for due campaigns, ms",
        ),
        Variable(
            "BIRTHDAY_AUTOMATION_CRON",
            check_cron_expression,
            "0 0 * * *",
            "when birthday messages are sent (UTC)",
        ),
        Variable(
            "DELIVERY_POLL_INTERVAL_MS",
            build_integer_parser(1000),
            "300000",
            "interval between delivery status polls, ms",
        ),
        Variable("STATUS_REFRESH_ENABLED", parse_boolean, "1", "status refresh recurs"),
        Variable(
            "STATUS_REFRESH_INTERVAL",
            build_integer_parser(1000),
            "600000",
            "interval between status refreshes, ms",
        ),
        Variable(
            "RUN_BIRTHDAY_ON_START", parse_boolean, "0", "run birthdays when the scheduler starts"
        ),
        Variable(
            "RUN_PII_RETENTION_ON_START",
            parse_boolean,
            "0",
            "run retention when the scheduler starts",
        ),
    ],
    "Queues": [
        Variable(
            "QUEUE_DISABLED", parse_boolean, "0", "nothing is enqueued and workers do not start"
        ),
        Variable(
            "QUEUE_ATTEMPTS",
            build_integer_parser(1, 100),
            "1",
            "attempts of an SMS batch; above 1 a send without an answer is repeated: duplicates",
        ),
        Variable(
            "QUEUE_BACKOFF_MS",
            build_integer_parser(0),
            "3000",
            "wait before the second attempt, doubled for each further one, ms",
        ),
        Variable(
            "QUEUE_RATE_MAX",
            build_integer_parser(1),
            "20",
            "calls to Mitto per window, all workers together",
        ),
        Variable(
            "QUEUE_RATE_DURATION_MS", build_integer_parser(1), "1000", "length of that window, ms"
        ),
    ],
    "Mitto": [
        Variable(
            "MITTO_API_BASE",
            parse_url_without_final_slash,
            "https://messaging.mittoapi.com",
            "address of the Mitto API",
            local="http://127.0.0.1:8025",
        ),
        Variable(
            "MITTO_API_VERSION", parse_text_unchanged, "v1.1", "version segment of the API's paths"
        ),
        Variable(
            "MITTO_API_KEY", parse_text_unchanged, None, "key of the Mitto account", local="sandbox"
        ),
        Variable(
            "MITTO_TRAFFIC_ACCOUNT_ID",
            parse_text_unchanged,
            None,
            "UUID of the traffic account",
            local="00000000-0000-4000-8000-0000000000aa",
        ),
        Variable("MITTO_SENDER", parse_text_unchanged, "", "sender ID for stores that have none"),
        Variable("MITTO_CONNECT_TIMEOUT", parse_positive_seconds, "5", "wait for a connection, s"),
        Variable("MITTO_READ_TIMEOUT", parse_positive_seconds, "30", "wait for an answer, s"),
        Variable(
            "MITTO_PROXY",
            parse_url_or_empty,
            "",
            "HTTP proxy for sends and status queries, where only its address is registered with"
            " Mitto; empty: none",
        ),
        Variable(
            "STATUS_RATE_MAX",
            build_integer_parser(1),
            "200",
            "status queries to Mitto per second, all workers together",
        ),
        Variable(
            "RATE_LIMIT_TRAFFIC_ACCOUNT_MAX",
            build_integer_parser(0),
            "0",
            "messages per second of all stores; 0: no limit",
        ),
        Variable(
            "RATE_LIMIT_TENANT_MAX",
            build_integer_parser(0),
            "0",
            "messages per second of one store; 0: no limit",
        ),
        Variable(
            "MITTO_SANDBOX_PORT",
            build_integer_parser(1, 65535),
            "8025",
            "port of `manage.py mitto_sandbox`",
        ),
        Variable(
            "WEBHOOK_SECRET",
            parse_comma_separated,
            "",
            "secrets that webhooks accept, separated by commas, each of 32 random characters"
            " or more unless MITTO_API_BASE is on this machine; empty: webhooks are closed",
            local="sandbox",
        ),
    ],
    "Sending": [
        Variable(
            "SMS_BATCH_SIZE",
            build_integer_parser(1, 5000),
            "1000",
            "messages in a batch, one provider call",
        ),
        Variable(
            "STOP_SENDING_PERCENT",
            build_integer_parser(0, 100),
            "50",
            "all sending stops when this share of the newest messages (100 or more) failed or is"
            " unknown, %; 0: only when Mitto refuses the account",
        ),
        Variable(
            "CREDIT_RESERVATION_TTL_MINUTES",
            parse_positive_minutes,
            "1440",
            "life of a credit reservation, min",
        ),
        Variable(
            "CAMPAIGN_LIFE_HOURS",
            build_integer_parser(1),
            "72",
            "a batch that is delayed for longer is skipped, h",
        ),
        Variable("QUIET_HOURS_ENABLED", parse_boolean, "0", "nothing is sent in quiet hours"),
        Variable(
            "QUIET_HOURS_START",
            parse_time_of_day,
            "22:00",
            "start of quiet hours, in the store's time zone",
        ),
        Variable(
            "QUIET_HOURS_END",
            parse_time_of_day,
            "09:00",
            "end of quiet hours; equal to the start: no quiet hours",
        ),
        Variable(
            "QUIET_HOURS_ALLOW_MARKETING",
            parse_boolean,
            "0",
            "marketing is sent in quiet hours too",
        ),
        Variable(
            "QUIET_HOURS_ALLOW_SERVICE",
            parse_boolean,
            "0",
            "service messages are sent in quiet hours too",
        ),
        Variable(
            "OWNER_SMS_PER_MINUTE",
            build_integer_parser(0),
            "0",
            "messages of a store per minute; 0: no limit",
        ),
        Variable(
            "OWNER_SMS_PER_DAY",
            build_integer_parser(0),
            "0",
            "messages of a store in 24 h; 0: no limit",
        ),
        Variable(
            "CONTACT_MARKETING_PER_DAY",
            build_integer_parser(0),
            "0",
            "marketing messages to one contact in 24 h; 0: no limit",
        ),
        Variable(
            "CONTACT_MARKETING_PER_WEEK",
            build_integer_parser(0),
            "0",
            "marketing messages to one contact in 7 days; 0: no limit",
        ),
        Variable(
            "DEFAULT_PHONE_REGION",
            parse_text_unchanged,
            "GR",
            "country of national phone numbers of a store",
        ),
    ],
    "Watchdog": [
        Variable(
            "STUCK_SENDING_MINUTES",
            parse_positive_minutes,
            "10",
            "a campaign without progress is stuck after, min",
        ),
        Variable(
            "STUCK_LOCKED_MINUTES",
            parse_positive_minutes,
            "5",
            "a claimed batch is abandoned after, min",
        ),
        Variable(
            "WATCHDOG_INTERVAL",
            build_integer_parser(1000),
            "300000",
            "interval between watchdog runs, ms",
        ),
    ],
    "Import": [
        Variable(
            "IMPORT_MAX_MB",
            build_integer_parser(1, 4096),
            "200",
            "largest file that is accepted, MB",
        ),
        Variable(
            "IMPORT_FILE_RETENTION_HOURS",
            build_integer_parser(0),
            "24",
            "uploaded files are deleted after, h",
        ),
    ],
    "Privacy": [
        Variable(
            "PII_RETENTION_DAYS",
            build_integer_parser(1),
            "90",
            "personal data is removed after an opt-out or event, days",
        ),
        Variable(
            "PII_INACTIVE_DAYS",
            build_integer_parser(0),
            "0",
            "contacts neither messaged nor changed for this many days are removed too; 0: never",
        ),
        Variable(
            "PII_RETENTION_ACTION",
            build_choice_parser("anonymise", "delete"),
            "anonymise",
            "what happens to contacts past their retention; statistics stay either way",
        ),
        Variable(
            "PII_RETENTION_CRON", check_cron_expression, "0 2 * * *", "when retention runs (UTC)"
        ),
        Variable(
            "AUDIT_RETENTION_DAYS",
            build_integer_parser(1),
            "730",
            "audit trail, admin history and ended imports are deleted after, days",
        ),
        Variable(
            "CONTROLLER_NAME",
            parse_text_unchanged,
            "",
            "who runs this installation, name and address, for the record of processing and for"
            " persons who ask what is held on them",
        ),
        Variable(
            "CONTROLLER_CONTACT",
            parse_text_unchanged,
            "",
            "e-mail address or telephone of the same",
        ),
        Variable(
            "DATA_PROTECTION_OFFICER",
            parse_text_unchanged,
            "",
            "name and contact of the data protection officer",
        ),
        Variable(
            "HOSTING_PROVIDER",
            parse_text_unchanged,
            "",
            "who hosts servers and backups, and in which country, for the record of processing",
        ),
    ],
}


def variables() -> Iterator[Variable]:
    """Every declared variable, in the order of the documentation."""
    for section in SECTIONS.values():
        yield from section


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
    for variable in variables():
        try:
            values[variable.name] = _parse_value_or_default(
                variable, is_embedded=is_embedded, root=root
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


def _parse_value_or_default(variable: Variable, *, is_embedded: bool, root: Path) -> Any:
    """The variable's value.

    Raises:
        ValueError: with the variable's name and what to set.
    """
    given = os.environ.get(variable.name)
    if given in (None, "") and variable.default != "":
        given = variable.local if is_embedded and variable.local is not None else variable.default
        if given is None:
            raise ValueError(
                f"{variable.name} is not set: {variable.meaning}; "
                "set it in the environment or in .env"
            )
        if given == GENERATED:
            return _get_or_create_secret_file(variable.name, root)
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
    mitto = urlsplit(values.get("MITTO_API_BASE", "")).hostname
    if mitto not in ("localhost", "127.0.0.1", "::1"):
        for secret in values.get("WEBHOOK_SECRET", []):
            try:
                parse_strong_secret(secret)
            except ValueError as error:
                yield f"WEBHOOK_SECRET {error}"
                break


def _get_or_create_secret_file(name: str, root: Path) -> str:
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


def env_example() -> str:
    """The text of `.env.example`: every variable with its default and meaning.

    Lines of defaults are comments: a copy must not replace the defaults of the embedded mode.
    """
    lines = [
        "# Every variable Astronote reads, with its default. Copy to .env, fill in what is",
        "# required unless PostgreSQL is embedded (DATABASE_URL is empty), and uncomment what you",
        "# change.",
        "",
    ]
    for title, section in SECTIONS.items():
        lines.append(f"# {title}")
        for variable in section:
            local = f"; {variable.local} while embedded" if variable.local else ""
            need = "required" if variable.default is None else "default"
            lines.append(f"# {variable.meaning} ({need}{local})")
            if variable.default is None:
                lines.append(f"{variable.name}=")
            else:
                lines.append(f"#{variable.name}={_quote_if_it_has_spaces(variable.default)}")
        lines.append("")
    return "\n".join(lines)


def _quote_if_it_has_spaces(value: str) -> str:
    return f'"{value}"' if " " in value else value


def variables_markdown_table() -> str:
    """The table of variables in `docs/configuration.md`."""
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
