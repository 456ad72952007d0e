"""Child processes of a supervisor: started with its environment, replaced, stopped."""

import os
import signal
import subprocess
import sys

import pytest

from astronote.processes import supervisor
from tests.support.waiting import wait_until

pytestmark = pytest.mark.end_to_end

WAITS = "import signal; print('up', flush=True); signal.pause()"


def python(script):
    return [sys.executable, "-c", script]


@pytest.fixture
def group(tmp_path):
    found = supervisor.ProcessGroup(tmp_path / "log", SHOP="alice")
    yield found
    for pid in found.pids().values():
        os.kill(pid, signal.SIGKILL)
    found.stop()


def said(group):
    return group.log.read_text() if group.log.exists() else ""


def test_a_child_has_the_environment_and_writes_to_the_log(group):
    group.log.write_text("before\n")
    group.start("a", python("import os; print(os.environ['SHOP'], 'PATH' in os.environ)"))
    wait_until(lambda: said(group) == "before\nalice True\n")


def test_what_has_ended_is_started_again_and_nothing_else(group):
    group.start("ends", python("print('once', flush=True)"))
    group.start("stays", python(WAITS))
    wait_until(lambda: group.names_of_ended() == ["ends"])
    stays = group.pids()
    assert list(stays) == ["stays"]
    assert group.restart_dead_and_return_names() == ["ends"]
    wait_until(lambda: said(group).count("once") == 2)
    assert group.pids()["stays"] == stays["stays"]
    wait_until(lambda: group.names_of_ended() == ["ends"])


def test_a_child_may_finish_what_it_has_in_hand(group):
    script = (
        "import signal, time\n"
        "def end(*_):\n    time.sleep(0.5); print('done', flush=True); raise SystemExit\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True)\n"
        "while True: time.sleep(1)"
    )
    group.start("a", python(script))
    wait_until(lambda: "up" in said(group))
    group.stop()
    assert "done" in said(group)
    assert (group.pids(), group.names_of_ended()) == ({}, [])


def test_children_have_longer_to_finish_than_a_call_may_take(settings):
    longest_call = settings.MITTO_CONNECT_TIMEOUT + settings.MITTO_READ_TIMEOUT
    assert longest_call < supervisor.STOP_SECONDS <= 2 * longest_call


def test_a_child_ends_with_a_parent_that_is_killed(tmp_path):
    script = (
        "import sys, time; from pathlib import Path\n"
        "from astronote.processes.supervisor import ProcessGroup\n"
        "group = ProcessGroup(Path(sys.argv[1]))\n"
        f"group.start('a', [sys.executable, '-c', {WAITS!r}])\n"
        "print(group.pids()['a'], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [*python(script), tmp_path / "log"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=os.path.dirname(supervisor.MANAGE),
    )
    try:
        with parent.stdout as output:
            child = int(output.readline())
        wait_until(lambda: "up" in (tmp_path / "log").read_text())
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not is_alive(child))


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_commands_are_run_by_this_python():
    command = supervisor.manage_command("rqworker", "sms")
    assert command == [sys.executable, supervisor.MANAGE, "rqworker", "sms"]
    web = supervisor.web_command(8123, 3)
    assert web[web.index("--port") + 1] == "8123" and web[web.index("--processes") + 1] == "3"
    assert web[web.index("--bind") + 1] == "127.0.0.1"
