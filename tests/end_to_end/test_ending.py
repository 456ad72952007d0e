"""Every process ends within 45 seconds of SIGTERM, whatever is away, and with its parent."""

import contextlib
import os
import signal
import subprocess
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from rq import Worker

from astronote.queues import jobs
from astronote.queues.recurring import HEARTBEAT_KEY
from campaigns import enqueue
from messaging.models import Batch
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.relay import Relay
from tests.support.sandbox import SandboxProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = 45


@pytest.fixture
def redis():
    parts = urlsplit(os.environ["REDIS_URL"])
    with Relay(parts.path) as relay:
        relay.url = f"redis://127.0.0.1:{relay.port}/{parse_qs(parts.query)['db'][0]}"
        yield relay


@contextlib.contextmanager
def relay_to_postgres(address):
    parts = urlsplit(address)
    with Relay(f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432") as relay:
        relay.url = f"postgres://{parts.netloc}127.0.0.1:{relay.port}{parts.path}"
        yield relay


def is_up(command):
    if command == "rqscheduler":
        return bool(jobs.redis_connection().get(HEARTBEAT_KEY))
    return any(one.get_state() == "idle" for one in Worker.all(queue=jobs.get_queue("sms")))


def seconds_to_end(process):
    began = time.monotonic()
    process.terminate()
    process.wait(LIMIT)
    return time.monotonic() - began


@pytest.mark.parametrize("command", ["rqworker sms", "rqworker-pool sms", "rqscheduler"])
def test_without_redis_a_process_that_waits_ends_soon(worker, redis, command):
    process = worker(*command.split(), REDIS_URL=redis.url, WORKER_CONCURRENCY="1")
    wait_until(lambda: is_up(command))
    redis.refuse()
    assert seconds_to_end(process) < LIMIT


def start_calling(worker, sandbox, **variables):
    """Start a worker, and return it once it waits for the sandbox's answer."""
    calls = sandbox.summary()["calls"]
    store = make_store(f"store{Batch.objects.count()}")
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk)
    process = worker("rqworker", "sms", MITTO_API_BASE=sandbox.url, **variables)
    wait_until(lambda: sandbox.summary()["calls"] == calls + 1)
    return process


@pytest.mark.slow
def test_workers_that_wait_for_what_does_not_come_end(
    worker, sandbox, redis, environment_of_processes
):
    """All at once, as each takes its forty seconds."""
    address = environment_of_processes["DATABASE_URL"]
    with (
        relay_to_postgres(address) as silent,
        relay_to_postgres(address) as refusing,
        SandboxProcess() as answering,
    ):
        sandbox.behave(latency_ms=300_000)
        answering.behave(latency_ms=3000)
        patience = {"MITTO_READ_TIMEOUT": "300"}
        processes = {
            "Mitto and Redis": start_calling(worker, sandbox, REDIS_URL=redis.url, **patience),
            "Mitto and PostgreSQL": start_calling(
                worker, sandbox, DATABASE_URL=silent.url, **patience
            ),
            "PostgreSQL, for Mitto's answer": start_calling(
                worker, answering, DATABASE_URL=refusing.url
            ),
        }
        refusing.refuse()
        wait_until(lambda: answering.summary()["accepted"] == 3)
        redis.refuse()
        silent.fall_silent()
        for process in processes.values():
            process.terminate()
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline and None in [p.poll() for p in processes.values()]:
            time.sleep(0.1)
        assert [away for away, process in processes.items() if process.poll() is None] == []
    # The watchdog makes their messages unknown.
    assert set(Batch.objects.values_list("status", flat=True)) == {"submitting"}


def test_a_signal_during_a_call_with_redis_gone_does_not_lose_the_answer(worker, sandbox, redis):
    sandbox.behave(latency_ms=3000)
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk)
    process = worker("rqworker", "sms", REDIS_URL=redis.url)
    wait_until(lambda: sandbox.summary()["calls"] == 1)
    redis.refuse()
    seconds_to_end(process)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent, campaign.unknown) == ("completed", 3, 0)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("redis_is_there", [True, False])
def test_a_pools_worker_ends_with_its_pool(worker, redis, redis_is_there):
    pool = worker("rqworker-pool", "sms", REDIS_URL=redis.url, WORKER_CONCURRENCY="2")
    wait_until(lambda: sum(one.get_state() == "idle" for one in
                           Worker.all(queue=jobs.get_queue("sms"))) == 2)  # fmt: skip
    children = descendants(pool.pid)
    assert len(children) == 2  # rq's own scheduler would be a process more
    if not redis_is_there:
        redis.refuse()
    pool.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, children)), seconds=LIMIT)


def descendants(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout
    children = [int(child) for child in found.split()]
    return children + [one for child in children for one in descendants(child)]
