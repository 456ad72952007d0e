"""Fixtures of all tests; the servers they run against are in `support/servers.py`."""

import gc
import logging
import os
import subprocess

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.test import TransactionTestCase
from whitenoise.middleware import WhiteNoiseMiddleware

from astronote.accounts import sessions
from astronote.models import User
from astronote.processes import supervisor
from astronote.queues import jobs
from tests.support.database import create_test_database, empty_tables, url_of_test_database
from tests.support.sandbox import SandboxProcess

PROCESS_FIXTURES = {"worker", "serve", "environment_of_processes", "web_of_module"}
PROCESS_FOLDERS = {"end_to_end", "tools"}
LONG = {"browser", "end_to_end", "chaos", "slow"}


def pytest_collection_modifyitems(items):
    """Mark tests by what they start, so that the fast ones can be chosen; long ones come first."""
    for item in items:
        fixtures = set(item.fixturenames)
        if "browser" in fixtures:
            item.add_marker(pytest.mark.browser)
        elif fixtures & PROCESS_FIXTURES or item.path.parent.name in PROCESS_FOLDERS:
            item.add_marker(pytest.mark.end_to_end)
    # The long ones first: at the end, no worker is left alone with one.
    items.sort(key=lambda item: not LONG & {marker.name for marker in item.iter_markers()})


def pytest_collection_finish():
    """Spare the garbage collector what stays to the end: it took a seventh of a walk's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


# A password's hash takes 0.3 s by intent; the number of rounds is part of the hash, so processes of
# the project can check it all the same.
PBKDF2PasswordHasher.iterations = 1
# Django's flush truncates every table and writes permissions and roles anew: 0.15 s a test.
TransactionTestCase._fixture_teardown = lambda self: empty_tables()
# Django connects anew after each test. A new session of PostgreSQL knows no table and no plan yet,
# which makes the statements of a short test several times slower.
TransactionTestCase._should_reload_connections = lambda self: False
# Each client of a test makes the middleware anew, which looks at every static file.
_add_static_files = WhiteNoiseMiddleware.add_files_from_finders
_static_files = {}


def _add_static_files_once(self):
    if not _static_files:
        _add_static_files(self)
        _static_files.update(self.files)
    self.files = _static_files


WhiteNoiseMiddleware.add_files_from_finders = _add_static_files_once


# Each refused request writes a traceback, kept until the test ends: walks have thousands of them.
logging.getLogger("django.request").setLevel(logging.ERROR)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker):
    """Create the database of this process; it goes with its server."""
    with django_db_blocker.unblock():
        create_test_database(f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}")
        yield
        connection.close()


@pytest.fixture
def admin_user(db):
    """The account of `admin_client`; pytest-django's own has a password that we refuse."""
    return User.objects.create_superuser("admin@example.com")


@pytest.fixture
def pages_write_no_use_of_the_session(monkeypatch):
    """For counts of a page's queries: once a minute, any page writes that its session is in use."""
    monkeypatch.setattr(sessions, "USE_RECORDED_EVERY", float("inf"))


@pytest.fixture(autouse=True)
def empty_redis():
    jobs.get_queue("sms").connection.flushdb()


@pytest.fixture(scope="session")
def idle_sandboxes():
    """Sandboxes for the next tests; starting one takes a quarter of a second."""
    idle = []
    yield idle
    for process in idle:
        process.close()


@pytest.fixture
def sandbox(settings, idle_sandboxes):
    """A sandbox that knows of no calls; none of an earlier test hangs in it."""
    process = idle_sandboxes.pop() if idle_sandboxes else SandboxProcess()
    settings.MITTO_API_BASE = process.url
    yield process
    if process.may_have_open_calls:
        process.close()
    else:
        process.reset()
        idle_sandboxes.append(process)


@pytest.fixture
def browser(live_server, tmp_path):
    """Chromium on a live server of the test's database; a test with a problem on a page fails."""
    from tests.support.browser import Browser  # takes a quarter of a second

    opened = Browser(live_server.url, tmp_path)
    try:
        yield opened
        problems = opened.problems()
        assert not problems, "\n".join(problems)
    finally:
        opened.close()


@pytest.fixture
def environment_of_processes(sandbox):
    """Variables with which another process works on the test's database and sandbox."""
    return os.environ | {"DATABASE_URL": url_of_test_database(), "MITTO_API_BASE": sandbox.url}


@pytest.fixture
def worker(environment_of_processes):
    """Starts a command such as `manage.py rqworker QUEUE`; it ends with the test."""
    started = []

    def start(*command, **variables):
        process = subprocess.Popen(
            supervisor.manage_command(*command), env=environment_of_processes | variables
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
