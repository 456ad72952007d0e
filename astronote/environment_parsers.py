"""Reading the text of an environment variable: each function says what was expected."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import time
from urllib.parse import urlsplit

import environ
from crontab import CronTab
from django.core.exceptions import ImproperlyConfigured

from astronote.queues.redis_address import build_queue_options

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"0", "false", "no", "off", ""}
SECRET_CHARACTERS, DIFFERENT_CHARACTERS = 32, 10


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


def parse_cron_expression(value: str) -> str:
    """A cron expression of five fields."""
    try:
        CronTab(value)
    except ValueError:
        raise ValueError("expected five cron fields, such as '0 2 * * *'") from None
    return value


def parse_cron_expression_or_empty(value: str) -> str:
    """A cron expression of five fields, or nothing."""
    return parse_cron_expression(value) if value else ""


def parse_time_of_day(value: str) -> time:
    """A time of day, such as 22:00."""
    try:
        return time.fromisoformat(value)
    except ValueError:
        raise ValueError("expected a time of day, such as 22:00") from None


def parse_comma_separated(value: str) -> list[str]:
    """A list of texts, separated by commas."""
    return [item.strip() for item in value.split(",") if item.strip()]


def parse_comma_separated_networks(
    value: str,
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
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


def parse_postgres_url_or_empty(value: str) -> str:
    """The address of a PostgreSQL; empty for the embedded one."""
    try:
        config = environ.Env.db_url_config(value) if value else None
    except (ValueError, KeyError, ImproperlyConfigured):
        config = {}
    if config is not None and config.get("ENGINE") != "django.db.backends.postgresql":
        raise ValueError("cannot be read, expected postgres://user:password@host:port/name")
    return value


def check_email_url_scheme_or_empty(value: str) -> str:
    """A mail server's address, or nothing."""
    if value and urlsplit(value).scheme not in ("smtp", "smtp+tls", "smtp+ssl"):
        raise ValueError("expected smtp://, smtp+tls:// or smtp+ssl://")
    return value


def parse_redis_url_or_empty(value: str) -> str:
    """The address of a Redis; empty for the embedded one."""
    if value:
        build_queue_options(value)
    return value


def build_choice_parser(*allowed: str) -> Callable[[str], str]:
    """A parser that accepts one of the given texts."""

    def parse(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return value

    return parse


def parse_http_url_without_final_slash(value: str) -> str:
    """An http or https address, returned without a final slash."""
    if not value.startswith(("http://", "https://")):
        raise ValueError("expected an address beginning with http:// or https://")
    return value.rstrip("/")


def parse_http_url_without_final_slash_or_empty(value: str) -> str:
    """An http or https address, or nothing."""
    return parse_http_url_without_final_slash(value) if value else ""
