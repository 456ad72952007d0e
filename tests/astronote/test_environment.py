"""The variables: documented as they are, and refused by name when missing or malformed."""

import os
import subprocess
import sys

import pytest
from django.core.management import call_command

from astronote import environment
from astronote.processes.supervisor import MANAGE

pytestmark = pytest.mark.end_to_end


def check(**variables):
    return subprocess.run(
        [sys.executable, MANAGE, "check"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )


def test_the_generated_documents_are_up_to_date():
    call_command("generate_docs", "--check")


def test_env_files_of_the_project_and_two_folders_above_are_read_the_nearest_first(tmp_path):
    project = tmp_path / "apps" / "worker"
    project.mkdir(parents=True)
    for folder, number in ((tmp_path, 1), (project.parent, 2), (project, 3)):
        (folder / ".env").write_text(f"STATUS_RATE_MAX={number}\nMITTO_SENDER=FROM{number}\n")
    (tmp_path / ".env").write_text("WATCHDOG_INTERVAL=7000\nSTATUS_RATE_MAX=1\n")
    script = (
        "import pathlib, sys; from astronote import environment;"
        "root = pathlib.Path(sys.argv[1]);"
        "env = environment.read_environment(root);"
        "print(env['STATUS_RATE_MAX'], env['WATCHDOG_INTERVAL'], env['MITTO_SENDER'])"
    )
    unset = ("STATUS_RATE_MAX", "WATCHDOG_INTERVAL")
    given = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-c", script, project],
        capture_output=True,
        text=True,
        cwd=environment.ROOT,
        env=given | {"MITTO_SENDER": "PROCESS"},
    )
    assert done.stdout == "3 7000 PROCESS\n", done.stderr


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
        env=os.environ
        | {
            "HTTPS": "1",
            "SECRET_KEY": "x" * 30 + "abcdefghijklmnopqrstuvwxyz",
            "ALLOWED_HOSTS": "sms.example.com",
            "TRUSTED_PROXIES": "127.0.0.1",
            "HSTS_PRELOAD": "1",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_an_unreachable_server_gives_one_line():
    done = subprocess.run(
        [sys.executable, MANAGE, "campaign_status", "1"],
        env=os.environ | {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/x"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "DATABASE_URL" in done.stderr and "Traceback" not in done.stderr
