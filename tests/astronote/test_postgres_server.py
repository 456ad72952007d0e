"""With a PostgreSQL that is too old nothing starts."""

import subprocess
import sys

import pytest

from astronote.processes import supervisor
from tests.support.old_postgres import postgres_that_says_14

pytestmark = pytest.mark.django_db(transaction=True)
WEB = [sys.executable, "-c", "import astronote.wsgi"]


@pytest.mark.parametrize(
    "command",
    [
        supervisor.manage_command("migrate"),
        supervisor.manage_command("rqworker", "sms", "--burst"),
        supervisor.manage_command("rqworker-pool", "sms", "--burst"),
        supervisor.manage_command("rqscheduler"),
        supervisor.manage_command("serve"),
        supervisor.manage_command("run_pii_retention"),
        WEB,
    ],
    ids=["migrate", "rqworker", "rqworker-pool", "rqscheduler", "serve", "retention", "web"],
)
def test_below_postgresql_15_nothing_starts(environment_of_processes, command):
    with postgres_that_says_14(environment_of_processes["DATABASE_URL"]) as url:
        done = subprocess.run(
            command,
            env=environment_of_processes | {"DATABASE_URL": url},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("astronote: PostgreSQL 15 or later is required (found 14.")
    assert line.endswith("DATABASE_URL names the server.")
