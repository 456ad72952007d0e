"""Environment variables: what each accepts, where it is read from, and what stands in for it."""

import os
import subprocess
import sys
from datetime import time

import pytest

from astronote import environment, environment_variables

BY_NAME = {variable.name: variable for variable in environment_variables.variables()}


def read(root, *names, **given):
    """Values as a process of its own reads them, or the last line of its error."""
    script = (
        "import pathlib, sys; from astronote import environment;"
        "root = pathlib.Path(sys.argv[1]);"
        "env = environment.read_environment(root);"
        "print(*(repr(env[name]) for name in sys.argv[2:]))"
    )
    clean = {name: value for name, value in os.environ.items() if name not in BY_NAME}
    done = subprocess.run(
        [sys.executable, "-c", script, root, *names],
        capture_output=True,
        text=True,
        cwd=environment.ROOT,
        env=clean | given,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


STRONG = "0123456789-abcdefghijklmnopqrstuvwxyz"


def read_all_lines(root, **given):
    """Raises AssertionError with all that was said, if the values cannot be read."""
    clean = {name: value for name, value in os.environ.items() if name not in BY_NAME}
    script = (
        "import pathlib, sys; from astronote import environment;"
        "environment.read_environment(pathlib.Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", script, root], capture_output=True, text=True,
                          cwd=environment.ROOT, env=clean | given)  # fmt: skip
    assert not done.returncode, done.stderr


def test_all_that_is_missing_or_wrong_is_told_at_once(tmp_path):
    given = {"DATABASE_URL": "mysql://user:hidden@x/y", "SMS_BATCH_SIZE": "0", "SECRET_KEY": "weak",
             "WEBHOOK_SECRET": "short"}  # fmt: skip
    with pytest.raises(AssertionError) as told:
        read_all_lines(tmp_path, **given)
    for name in ("DATABASE_URL cannot be read", "SMS_BATCH_SIZE='0'", "SECRET_KEY is too weak",
                 "PHONE_HASH_KEY is not set", "PUBLIC_WEB_BASE_URL is not set",
                 "MITTO_API_KEY is not set", "MITTO_TRAFFIC_ACCOUNT_ID is not set",
                 "TRUSTED_PROXIES is not set", "WEBHOOK_SECRET is too weak"):  # fmt: skip
        assert name in str(told.value)
    assert "hidden" not in str(told.value) and "'weak'" not in str(told.value)


@pytest.mark.parametrize("weak", ["changeme", "a" * 64, "abcabcabc" * 8, STRONG[:31]])
@pytest.mark.parametrize("name", ["SECRET_KEY", "PHONE_HASH_KEY"])
def test_a_secret_that_can_be_guessed_is_refused_without_being_shown(name, weak):
    with pytest.raises(ValueError, match="too weak") as told:
        BY_NAME[name].parse(weak)
    assert weak not in str(told.value)


def test_a_copy_of_the_example_works_in_the_embedded_mode(tmp_path):
    (tmp_path / ".env").write_text(environment_variables.build_env_example())
    names = ("HTTPS", "MITTO_API_BASE", "PUBLIC_WEB_BASE_URL", "WEBHOOK_SECRET", "ALLOWED_HOSTS")
    (empty := tmp_path / "a" / "b" / "c").mkdir(parents=True)
    assert read(tmp_path, *names) == read(empty, *names)


def test_of_two_parents_the_nearer_ones_env_file_counts(tmp_path):
    project = tmp_path / "home" / "apps" / "worker"
    project.mkdir(parents=True)
    (project.parent / ".env").write_text("STATUS_RATE_MAX=2\n")
    (project.parent.parent / ".env").write_text("STATUS_RATE_MAX=1\nQUEUE_RATE_MAX=7\n")
    (tmp_path / ".env").write_text("STATUS_RATE_MAX=9\nQUEUE_RATE_MAX=9\nWEB_CONCURRENCY=9\n")
    names = ("STATUS_RATE_MAX", "QUEUE_RATE_MAX", "WEB_CONCURRENCY")
    assert read(project, *names) == "2 7 2"


def test_a_newcomer_needs_no_variable_and_gets_secrets_that_stay(tmp_path):
    names = ("SECRET_KEY", "PHONE_HASH_KEY", "MITTO_API_KEY", "HTTPS", "MITTO_API_BASE")
    first = read(tmp_path, *names)
    secret, phone_key, api_key, https, base = map(eval, first.split())
    assert len(secret) >= 50 and len(phone_key) >= 50 and secret != phone_key
    assert (api_key, https, base) == ("sandbox", False, "http://127.0.0.1:8025")
    assert (tmp_path / ".astronote" / "secret_key").read_text() == secret
    assert read(tmp_path, *names) == first


def test_with_a_database_of_ones_own_nothing_is_made_up(tmp_path):
    given = {"DATABASE_URL": "postgres://x@localhost/y"}
    with pytest.raises(AssertionError, match="SECRET_KEY is not set"):
        read_all_lines(tmp_path, **given)
    given |= {
        "SECRET_KEY": STRONG,
        "PHONE_HASH_KEY": STRONG,
        "TRUSTED_PROXIES": "10.0.0.0/8",
        "PUBLIC_WEB_BASE_URL": "https://x.example/",
        "MITTO_API_KEY": "k",
    }
    assert "MITTO_TRAFFIC_ACCOUNT_ID is not set" in read(tmp_path, "DEBUG", **given)
    given["MITTO_TRAFFIC_ACCOUNT_ID"] = "a"
    names = ("HTTPS", "HSTS_PRELOAD", "ALLOWED_HOSTS", "WEBHOOK_SECRET",
             "PUBLIC_WEB_BASE_URL", "MITTO_API_BASE")  # fmt: skip
    expected = "True False ['x.example'] [] 'https://x.example' 'https://messaging.mittoapi.com'"
    assert read(tmp_path, *names, **given) == expected
    assert not (tmp_path / ".astronote").exists()


def test_an_empty_variable_is_its_default_and_an_empty_text_stays_empty(tmp_path):
    names = ("QUEUE_RATE_MAX", "DEFAULT_PHONE_REGION", "ALLOWED_HOSTS", "MITTO_SENDER")
    given = dict.fromkeys(names, "")
    hosts = "['127.0.0.1', 'localhost', '[::1]']"
    assert read(tmp_path, *names, **given) == f"20 'GR' {hosts} ''"


def test_what_cannot_be_read_is_said_with_its_name_and_what_was_expected(tmp_path):
    for name, value, expected in (
        ("SMS_BATCH_SIZE", "5001", "expected a whole number, 1 to 5000"),
        ("SMS_BATCH_SIZE", "many", "expected a number"),
        ("QUEUE_RATE_MAX", "0", "expected a whole number, 1 or more"),
    ):
        said = read(tmp_path, name, **{name: value})
        assert f"{name}='{value}' cannot be read: {expected}" in said


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("SMS_BATCH_SIZE", 1, 5000), ("PORT", 1, 65535), ("MITTO_SANDBOX_PORT", 1, 65535),
        ("WEB_CONCURRENCY", 1, 64), ("WORKER_CONCURRENCY", 1, 256),
        ("SCHEDULER_CONCURRENCY", 1, 256), ("CONTACT_IMPORT_CONCURRENCY", 1, 256),
        ("STATUS_REFRESH_CONCURRENCY", 1, 256), ("DELIVERY_STATUS_POLLER_CONCURRENCY", 1, 256),
        ("WATCHDOG_CONCURRENCY", 1, 256), ("QUEUE_ATTEMPTS", 1, 100), ("IMPORT_MAX_MB", 1, 4096),
        ("DATABASE_CONN_MAX_AGE", 0, None), ("SCHEDULE_SWEEP_INTERVAL_MS", 1000, None),
        ("DELIVERY_POLL_INTERVAL_MS", 1000, None), ("STATUS_REFRESH_INTERVAL", 1000, None),
        ("WATCHDOG_INTERVAL", 1000, None), ("QUEUE_BACKOFF_MS", 0, None),
        ("QUEUE_RATE_MAX", 1, None), ("QUEUE_RATE_DURATION_MS", 1, None),
        ("STATUS_RATE_MAX", 1, None), ("RATE_LIMIT_TRAFFIC_ACCOUNT_MAX", 0, None),
        ("RATE_LIMIT_TENANT_MAX", 0, None), ("CAMPAIGN_LIFE_HOURS", 1, None),
        ("OWNER_SMS_PER_MINUTE", 0, None), ("OWNER_SMS_PER_DAY", 0, None),
        ("CONTACT_MARKETING_PER_DAY", 0, None), ("CONTACT_MARKETING_PER_WEEK", 0, None),
        ("IMPORT_FILE_RETENTION_HOURS", 0, None), ("EXPORT_FILE_RETENTION_HOURS", 1, 8760),
        ("PII_RETENTION_DAYS", 1, None),
        ("PII_INACTIVE_DAYS", 0, None),
    ],
)  # fmt: skip
def test_a_number_is_taken_within_its_bounds(name, lowest, highest):
    parse = BY_NAME[name].parse
    assert parse(str(lowest)) == lowest
    with pytest.raises(ValueError, match="expected a whole number"):
        parse(str(lowest - 1))
    if highest is None:
        assert parse("1000000") == 1_000_000
        return
    assert parse(str(highest)) == highest
    with pytest.raises(ValueError, match=f"{lowest} to {highest}"):
        parse(str(highest + 1))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", True), ("true", True), (" YES ", True), ("on", True), ("0", False), ("False", False),
     ("no", False), ("off", False), ("", False)],
)  # fmt: skip
def test_a_switch_takes_the_usual_words(value, expected):
    assert BY_NAME["DEBUG"].parse(value) is expected


@pytest.mark.parametrize("name", ["STUCK_SENDING_MINUTES", "MITTO_READ_TIMEOUT"])
def test_a_duration_is_above_nothing_and_may_have_a_fraction(name):
    parse = BY_NAME[name].parse
    assert parse("0.5") == 0.5
    for wrong in ("0", "-1", "1000000", "nan"):
        with pytest.raises(ValueError, match="above 0"):
            parse(wrong)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("BIRTHDAY_AUTOMATION_CRON", "0 9 * * *", "0 9 * * *"),
        ("QUIET_HOURS_START", "22:30", time(22, 30)),
        ("ALLOWED_HOSTS", " a.example , b.example,", ["a.example", "b.example"]),
        ("LOG_FORMAT", "json", "json"),
        ("LOG_LEVEL", "DEBUG", "DEBUG"),
        ("PII_RETENTION_ACTION", "delete", "delete"),
        ("PUBLIC_WEB_BASE_URL", "http://x.example//", "http://x.example"),
    ],
)
def test_other_kinds_of_variables_are_read(name, value, expected):
    assert BY_NAME[name].parse(value) == expected


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BIRTHDAY_AUTOMATION_CRON", "daily", "five cron fields"),
        ("QUIET_HOURS_START", "25:00", "time of day"),
        ("LOG_FORMAT", "xml", "one of text, json"),
        ("PUBLIC_WEB_BASE_URL", "ftp://x.example", "beginning with http"),
        ("DEBUG", "perhaps", "expected 1 or 0"),
    ],
)
def test_a_mistake_is_said_with_what_was_expected(name, value, said):
    with pytest.raises(ValueError, match=said):
        BY_NAME[name].parse(value)


def test_a_server_that_is_not_there_is_started_or_set():
    """In tests both variables are set."""
    assert environment.build_unreachable_message("Redis", "REDIS_URL", "refused") == (
        "Redis cannot be reached at REDIS_URL: refused"
    )
    said = environment.build_unreachable_message("Redis", "NO_SUCH_URL", "refused")
    assert "start `manage.py services`" in said and "or set NO_SUCH_URL" in said
