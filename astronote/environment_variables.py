"""Every environment variable: its type, default and meaning, declared once.

`.env.example` and the table of `docs/configuration.md` are generated from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from astronote.common.countries import EU_COUNTRIES
from astronote.environment_parsers import (
    build_choice_parser,
    build_integer_parser,
    check_email_url_scheme_or_empty,
    parse_boolean,
    parse_comma_separated,
    parse_comma_separated_networks,
    parse_cron_expression,
    parse_cron_expression_or_empty,
    parse_http_url_without_final_slash,
    parse_http_url_without_final_slash_or_empty,
    parse_positive_minutes,
    parse_positive_seconds,
    parse_postgres_url_or_empty,
    parse_redis_url_or_empty,
    parse_strong_secret,
    parse_text_unchanged,
    parse_time_of_day,
)

GENERATED = "generated"


@dataclass(frozen=True)
class Variable:
    """One environment variable.

    `default` None means required; `local` is the default while PostgreSQL is embedded (no
    DATABASE_URL), so that a newcomer needs no `.env`; it may name another variable in braces.
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
            parse_postgres_url_or_empty,
            "",
            "PostgreSQL; empty: an embedded server is used",
        ),
        Variable(
            "REDIS_URL",
            parse_redis_url_or_empty,
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
            parse_http_url_without_final_slash,
            None,
            "address of the site for customers, used in the links of messages",
            local="http://127.0.0.1:{PORT}",
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
            parse_comma_separated_networks,
            "",
            "addresses or networks of proxies, separated by commas, that tell the visitor's address"
            " and scheme; required with HTTPS=1",
        ),
        Variable(
            "SESSION_IDLE_MINUTES",
            build_integer_parser(1, 720),
            "30",
            "minutes without use after which an operator's session ends",
        ),
        Variable(
            "SECOND_FACTOR_REQUIRED",
            parse_boolean,
            "1",
            "administrators must log in with a second factor; every operator may",
            local="0",
        ),
        Variable(
            "EMAIL_URL",
            check_email_url_scheme_or_empty,
            "",
            "mail server for links to set a password and for alerts, such as smtp+tls://USER:PASSWORD@HOST:587;"
            " empty: an administrator passes links on",
        ),
        Variable(
            "EMAIL_FROM", parse_text_unchanged, "", "sender of these mails; required with EMAIL_URL"
        ),
        Variable(
            "ALERT_WEBHOOK_URL",
            parse_http_url_without_final_slash_or_empty,
            "",
            "address that manage.py alerts posts to when something is wrong, as Slack's incoming"
            " webhooks take it; empty: alerts go by e-mail alone, to the operators who want them",
        ),
        Variable(
            "WEB_CONCURRENCY",
            build_integer_parser(1, 64),
            "2",
            "processes of the web server",
        ),
        Variable(
            "BIND_ADDRESS",
            parse_text_unchanged,
            "127.0.0.1",
            "address that the web server listens on; 0.0.0.0: every address of this machine",
        ),
        Variable("PORT", build_integer_parser(1, 65535), "8000", "port of the web server"),
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
            parse_cron_expression_or_empty,
            "",
            "when birthday messages of stores without an hour of their own are sent (UTC), such as"
            " `0 0 * * *` for midnight; empty: at 10:00 of each store's local time",
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
            parse_http_url_without_final_slash,
            "https://messaging.mittoapi.com",
            "address of the Mitto API",
            local="http://127.0.0.1:{MITTO_SANDBOX_PORT}",
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
            parse_http_url_without_final_slash_or_empty,
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
            "INVOICE_SELLER",
            parse_text_unchanged,
            "",
            "who sells the credits, name and address as on an invoice, lines separated by |;"
            " without it no invoice is issued",
        ),
        Variable(
            "INVOICE_SELLER_VAT_NUMBER",
            parse_text_unchanged,
            "",
            "VAT number of the seller with its country, such as EL123456789",
        ),
        Variable(
            "INVOICE_SELLER_COUNTRY",
            build_choice_parser(*EU_COUNTRIES),
            "GR",
            "country of the EU in which the seller is taxed",
        ),
        Variable(
            "INVOICE_VAT_PERCENT",
            build_integer_parser(0, 99),
            "24",
            "rate of VAT of the seller's country, in percent",
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
    "Exports": [
        Variable(
            "EXPORT_FILE_RETENTION_HOURS",
            build_integer_parser(1, 8760),
            "168",
            "files of exports are deleted after, h",
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
            "PII_RETENTION_CRON", parse_cron_expression, "0 2 * * *", "when retention runs (UTC)"
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
        Variable(
            "MITTO_RETENTION",
            parse_text_unchanged,
            "",
            "how long Mitto keeps numbers and texts, by your contract with it, for the record of"
            " processing",
        ),
        Variable(
            "THIRD_COUNTRY_TRANSFERS",
            parse_text_unchanged,
            "",
            "countries outside the EEA that messages go to or servers stand in, each with its"
            " ground (GDPR, chapter V), for the record of processing",
        ),
    ],
}


def variables() -> Iterator[Variable]:
    """Every declared variable, in the order of the documentation."""
    for section in SECTIONS.values():
        yield from section


def build_env_example() -> str:
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
