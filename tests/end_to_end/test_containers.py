"""The Dockerfile's lines in clean Debian roots, and the compose file's processes in the last one.

As root; needs the package indexes of Debian and Python, and some minutes.
"""

import os
import re
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.db import connection

from astronote.environment import ROOT
from tests.support import clean_root
from tests.support.installation import free_port
from tests.support.programs import find_program
from tests.support.relay import Relay
from tests.support.waiting import answers, wait_until

DOCKER = ROOT / "deploy/docker"
SECRETS = {
    "SECRET_KEY": "only-for-tests-0123456789-abcdefghijkl",
    "PHONE_HASH_KEY": "only-for-tests-0123456789-abcdefghijkl",
    "WEBHOOK_SECRET": "only-for-tests-0123456789-abcdefghijkl",
    "MITTO_API_KEY": "key",
    "MITTO_TRAFFIC_ACCOUNT_ID": "00000000-0000-4000-8000-000000000000",
    "MITTO_API_BASE": "http://127.0.0.1:9",
    "HTTPS": "0",
}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """The last stage of the Dockerfile."""
    find_program("debootstrap", "debootstrap")
    if os.geteuid() != 0:
        pytest.skip("only root can change the root folder")
    place = tmp_path_factory.mktemp("image")
    for folder in (place, *list(place.parents)[:2]):
        folder.chmod(0o755)
    yield clean_root.build(DOCKER / "Dockerfile", ROOT, place)
    subprocess.run(["rm", "-rf", "--one-file-system", str(place)], check=True)


@pytest.fixture
def variables():
    """Addresses of the test's servers, as another user may use them, and what is required."""
    database = urlsplit(os.environ["DATABASE_URL"])
    sockets = Path(parse_qs(database.query)["host"][0])
    redis = urlsplit(os.environ["REDIS_URL"]).path
    with Relay(str(sockets / ".s.PGSQL.5432")) as postgres, Relay(redis) as valkey:
        port, name = free_port(), connection.settings_dict["NAME"]
        yield SECRETS | {
            "DATABASE_URL": f"postgres://{database.username}@127.0.0.1:{postgres.port}/{name}",
            "REDIS_URL": f"redis://127.0.0.1:{valkey.port}/0",
            "PUBLIC_WEB_BASE_URL": f"http://127.0.0.1:{port}",
            "PORT": str(port),
        }


def commands_of_services():
    """The commands of the compose file, such as ["python", "manage.py", "rqscheduler"]."""
    found = re.findall(r"command: \[(.*\"manage.py\".*)\]", (DOCKER / "compose.yml").read_text())
    return [re.findall(r'"([^"]+)"', command) for command in found]


@contextmanager
def running(image, command, variables):
    """A process of the container; it goes, as the container, when the first process goes."""
    process = subprocess.Popen(image.build_command(command, **variables))
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_each_line_works_in_a_clean_root_and_the_processes_run_in_it(image, variables):
    assert len(image.ran) >= 1 and image.user == "astronote"
    assert not (image.root / "opt/astronote/tests").exists()
    commands = commands_of_services()
    assert len(commands) == 11, "the migration, the scheduler and nine queues"
    for program in ("pg_dump", "pg_restore", "psql"):
        assert subprocess.run(image.build_command([program, "--version"])).returncode == 0

    migrate, *services = commands
    done = subprocess.run(image.build_command(migrate, **variables), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    with ExitStack() as processes:
        for command in (image.command, *services):
            processes.enter_context(running(image, command, variables))
        url = f"http://127.0.0.1:{variables['PORT']}"
        wait_until(lambda: answers(int(variables["PORT"])), 180)  # eleven processes start at once
        wait_until(lambda: requests.get(f"{url}/readyz", timeout=10).status_code == 200, 180)
        login = requests.get(f"{url}/admin/login/", timeout=10)
        style = re.search(r'"(/static/[^"]+\.css)"', login.text).group(1)
        assert requests.get(f"{url}{style}", timeout=10).status_code == 200
