"""Fixtures of all tests; the servers they run against are in `support/servers.py`."""

import pytest

from contacts import jobs
from tests.support.sandbox import SandboxProcess


@pytest.fixture(autouse=True)
def empty_redis():
    jobs.queue("sms").connection.flushdb()


@pytest.fixture
def sandbox(settings):
    with SandboxProcess() as process:
        settings.MITTO_API_BASE = process.url
        yield process
