"""The variables: documented as they are, and refused by name when missing or malformed."""

import os
import subprocess
import sys

import pytest

from astronote import environment, queues
from astronote.processes import MANAGE


def check(**variables):
    return subprocess.run(
        [sys.executable, MANAGE, "check"], env=os.environ | variables, capture_output=True,
        text=True,
    )  # fmt: skip


def test_env_example_is_what_the_declaration_says():
    assert (environment.ROOT / ".env.example").read_text() == environment.env_example()


def test_the_readme_lists_every_variable():
    assert environment.markdown_table() in (environment.ROOT / "README.md").read_text()


def test_the_readme_lists_every_queue():
    assert queues.markdown_table() in (environment.ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    ("name", "value"),
    [("SECRET_KEY", ""), ("MITTO_API_KEY", ""), ("QUEUE_RATE_MAX", "many"), ("DEBUG", "perhaps"),
     ("PII_RETENTION_CRON", "daily"), ("DATABASE_URL", "mysql://x/y")],
)  # fmt: skip
def test_a_bad_variable_stops_the_start_with_its_name(name, value):
    done = check(**{name: value})
    assert done.returncode == 1
    assert name in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_production_settings_pass_djangos_deployment_check():
    done = subprocess.run(
        [sys.executable, MANAGE, "check", "--deploy", "--fail-level", "WARNING"],
        env=os.environ | {"HTTPS": "1", "SECRET_KEY": "x" * 30 + "abcdefghijklmnopqrstuvwxyz",
                          "ALLOWED_HOSTS": "sms.example.com"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_an_unreachable_server_gives_one_line():
    done = subprocess.run(
        [sys.executable, MANAGE, "campaign_status", "1"],
        env=os.environ | {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/x"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "DATABASE_URL" in done.stderr and "Traceback" not in done.stderr
