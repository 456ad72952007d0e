"""REDIS_URL in every form: what is connected to, and workers on a Sentinel and through TLS."""

import contextlib
import subprocess

import django_rq
import pytest
from redis.sentinel import MasterNotFoundError, Sentinel
from rq import Queue, Worker

from astronote.environment_parsers import parse_redis_url_or_empty
from astronote.processes import supervisor
from astronote.queues.redis_address import build_queue_options
from astronote.queues.redis_retry import RetryInOutermostCallOnly
from campaigns import enqueue
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.redis_servers import PASSWORD, redis_with_tls, sentinel
from tests.support.waiting import wait_until


def connection_options(url):
    connection = django_rq.connection_utils.get_redis_connection(build_queue_options(url))
    kwargs = connection.connection_pool.connection_kwargs
    shown = ("host", "port", "path", "db", "username", "password", "ssl_ca_certs")
    kind = connection.connection_pool.connection_class.__name__
    return {name: kwargs[name] for name in shown if kwargs.get(name)} | {"kind": kind}


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://cache:7000/3", {"host": "cache", "port": 7000, "db": 3, "kind": "Connection"}),
        (
            "valkey://shop:p%40ss@cache/1",
            {"host": "cache", "port": 6379, "db": 1, "username": "shop", "password": "p@ss",
             "kind": "Connection"},
        ),
        (
            "rediss://:secret@cache:6380?ssl_ca_certs=/ca.pem",
            {"host": "cache", "port": 6380, "password": "secret", "ssl_ca_certs": "/ca.pem",
             "kind": "SSLConnection"},
        ),
        ("valkeys://cache", {"host": "cache", "port": 6379, "kind": "SSLConnection"}),
        ("unix:///run/r.sock?db=2",
         {"path": "/run/r.sock", "db": 2, "kind": "UnixDomainSocketConnection"}),
    ],
)  # fmt: skip
def test_an_address_says_what_is_connected_to(url, options):
    assert connection_options(url) == options


def test_an_address_of_sentinels_names_the_service_and_both_passwords():
    options = build_queue_options(
        "redis+sentinel://shop:one@s1:26380,s2/blue%20door/4?sentinel_password=two"
    )
    assert options["SENTINELS"] == [("s1", 26380), ("s2", 26379)]
    assert (options["MASTER_NAME"], options["DB"]) == ("blue door", 4)
    assert (options["USERNAME"], options["PASSWORD"]) == ("shop", "one")
    assert options["SENTINEL_KWARGS"]["password"] == "two"
    assert "ssl" not in options["CONNECTION_KWARGS"]
    tls = build_queue_options("rediss+sentinel://s1/shop?ssl_ca_certs=/ca.pem")
    for kwargs in (tls["CONNECTION_KWARGS"], tls["SENTINEL_KWARGS"]):
        assert kwargs["ssl"] is True and kwargs["ssl_ca_certs"] == "/ca.pem"


@pytest.mark.parametrize(
    "url",
    ["cache:6379", "http://cache", "redis+sentinel://:hidden@s1", "redis+sentinel:///shop",
     "redis+sentinel://s1/shop/first", "redis://:hidden@cache:port/0", "redis+sentinel://s:x/a"],
)  # fmt: skip
def test_an_address_that_cannot_be_read_is_not_repeated(url):
    with pytest.raises(ValueError, match="cannot be read, expected redis") as told:
        parse_redis_url_or_empty(url)
    assert "hidden" not in str(told.value)


def test_retries_count_once_however_they_are_nested():
    retry = RetryInOutermostCallOnly.one_retry_without_wait()
    attempts = []

    def fail_within():
        def fail():
            attempts.append(1)
            raise ConnectionError

        return retry.call_with_retry(fail, lambda error: None)

    retry.update_supported_errors([ConnectionError])
    with pytest.raises(ConnectionError):
        retry.call_with_retry(fail_within, lambda error: None)
    assert len(attempts) == 2


@pytest.mark.django_db(transaction=True)
def test_a_worker_works_on_a_redis_with_tls_and_its_own_user(
    environment_of_processes, sandbox, tmp_path
):
    with redis_with_tls(tmp_path) as url:
        store = make_store()
        campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk)
        environment = environment_of_processes | {"REDIS_URL": url}
        for command in (("watchdog",), ("rqworker", "sms", "--burst")):
            done = subprocess.run(supervisor.manage_command(*command), env=environment,
                                  capture_output=True, text=True, timeout=60)  # fmt: skip
            assert done.returncode == 0, done.stderr
        wrong = subprocess.run(
            supervisor.manage_command("rqworker", "sms", "--burst"),
            env=environment | {"REDIS_URL": url.replace(PASSWORD, "wrong")},
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent) == ("completed", 3)
    assert wrong.returncode == 1 and "REDIS_URL" in wrong.stderr, wrong.stderr
    assert "Traceback" not in wrong.stderr


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("command", ["rqworker", "rqworker-pool"])
def test_workers_follow_sentinel_to_another_master(worker, sandbox, tmp_path, command):
    with sentinel(tmp_path) as (url, master):
        port = url.rsplit(":", 1)[1].split("/")[0]
        found = Sentinel([("127.0.0.1", int(port))], password=PASSWORD)

        def master_and_replicas():
            with contextlib.suppress(MasterNotFoundError):
                return found.discover_master("shop"), len(found.discover_slaves("shop"))

        wait_until(lambda: master_and_replicas() == (("127.0.0.1", master.port), 1))
        worker(command, "sms", REDIS_URL=url, WORKER_CONCURRENCY="1")

        def workers():
            redis = found.master_for("shop")
            return [one for one in Worker.all(queue=Queue("sms", connection=redis))
                    if one.get_state() == "idle"]  # fmt: skip

        wait_until(workers)
        old = master_and_replicas()
        master.stop()
        wait_until(lambda: (master_and_replicas() or old)[0] != old[0], seconds=60)
        store = make_store()
        campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk)
        # For a moment after the election, Sentinel may find that there is no master.
        wait_until(lambda: worker("watchdog", REDIS_URL=url).wait(60) == 0, seconds=60)

        def ended():
            campaign.refresh_from_db()
            return campaign.status == "completed"

        wait_until(ended, seconds=30)
