"""The Dockerfile and the compose file, as far as they can be read without Docker."""

import re
import subprocess

from astronote.environment import ROOT
from astronote.queues.catalogue import QUEUES
from tests.support.programs import find_program

FOLDER = ROOT / "deploy/docker"


def test_every_process_has_a_service():
    text = (FOLDER / "compose.yml").read_text()
    commands = re.findall(r'"manage.py", "([\w-]+)"(?:, "(\w+)")?', text)
    workers = {queue for command, queue in commands if command == "rqworker-pool"}
    assert workers == {queue.name for queue in QUEUES}
    assert {"migrate", "rqscheduler"} <= {command for command, _ in commands}
    assert 'CMD ["python", "manage.py", "web"' in (FOLDER / "Dockerfile").read_text()


def test_nothing_runs_as_root_and_no_secret_is_in_an_image():
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    started = next(n for n, line in enumerate(lines) if line.startswith("CMD"))
    users = [line for line in lines[:started] if line.startswith("USER")]
    assert users == ["USER astronote"]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".env", ".git", ".astronote"} <= set(ignored)
    compose = (FOLDER / "compose.yml").read_text()
    assert not re.search(r"(PASSWORD|SECRET|KEY): *\"?\w", compose)


def test_only_the_web_server_is_reached_from_outside_and_by_this_machine_alone():
    compose = (FOLDER / "compose.yml").read_text()
    assert re.findall(r"ports: (.*)", compose) == ['["127.0.0.1:8000:8000"]']


def test_compose_takes_its_file(tmp_path):
    """The first Compose, which needs no engine to read a file, and does not know its `name`."""
    program = find_program("docker-compose", "docker-compose")
    folder = tmp_path / "deploy/docker"
    folder.mkdir(parents=True)
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=abc\n")
    text = (FOLDER / "compose.yml").read_text().replace("name: astronote\n", "", 1)
    (folder / "compose.yml").write_text(text)
    command = [program, "-f", folder / "compose.yml", "--env-file", tmp_path / ".env", "config"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "postgres://astronote:abc@postgres:5432/astronote" in done.stdout
