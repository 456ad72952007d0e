"""What RQ keeps of a job that failed on a person goes with the person, and other jobs stay."""

import subprocess
import sys

import pytest
from redis.exceptions import ConnectionError as RedisUnreachable
from rq.registry import FailedJobRegistry

from astronote.processes import supervisor
from astronote.queues import jobs
from astronote.queues.json_jobs import JsonOrRefusedJob
from compliance import elsewhere, rights
from compliance.traces import Traces
from contacts.models import Contact
from messaging import replies
from messaging.models import WebhookEvent
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000001"
FAILS = "campaigns.tasks.start_campaign"  # its error names what is no id


def test_the_error_of_a_job_is_erased_and_that_of_another_stays(environment_of_processes):
    Contact.objects.create(owner=make_store(), phone=PHONE, first_name="Mia", last_name="Muster")
    queue = jobs.get_queue("contact_import")
    mine, other = queue.enqueue(FAILS, "690 000 0001"), queue.enqueue(FAILS, "tel +306900000002")
    done = subprocess.run(
        [sys.executable, *supervisor.manage_command("rqworker", "contact_import", "--burst")[1:]],
        env=environment_of_processes,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "ValueError" in done.stdout + done.stderr
    failed = FailedJobRegistry(queue=queue)
    assert set(failed.get_job_ids()) == {mine.id, other.id}
    traces = Traces(PHONE)
    found = elsewhere.declared_redis_keys_naming_person(traces)
    assert f"rq:job:{mine.id}" in found and f"rq:results:{mine.id}" in found
    erasure = rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    assert erasure.traces_left_without_reason == []
    assert elsewhere.declared_redis_keys_naming_person(traces) == []
    redis = jobs.redis_connection()
    assert not redis.exists(f"rq:job:{mine.id}", f"rq:results:{mine.id}")
    kept = JsonOrRefusedJob.fetch(other.id, redis)
    assert "+306900000002" in kept.latest_result().exc_string


def test_keys_of_other_programs_are_left_alone():
    redis = jobs.redis_connection()
    redis.set("other-program:customers", PHONE)
    rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    assert redis.get("other-program:customers") == PHONE.encode()


def test_an_erasure_without_redis_says_that_it_was_not_searched(monkeypatch):
    Contact.objects.create(owner=make_store(), phone=PHONE)

    def unreachable():
        raise RedisUnreachable("down")

    monkeypatch.setattr(jobs, "redis_connection", unreachable)
    monkeypatch.setattr(jobs, "end_debounce", lambda key: None)
    erasure = rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    assert not Contact.objects.exists()
    assert [trace.where for trace in erasure.traces_left_without_reason] == [
        "Redis, which cannot be searched now (ConnectionError)"
    ]


@pytest.mark.slow
def test_the_hash_by_which_a_reply_is_known_goes_too():
    """It is made of number and text: trying all numbers would tell whose it was."""
    Contact.objects.create(owner=make_store(), phone=PHONE)
    for number in (PHONE, "+306900000002"):
        replies.store_replies([{"from": number, "text": "STOP"}])
    before = list(WebhookEvent.objects.order_by("pk").values_list("event_id", flat=True))
    rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    mine, other = WebhookEvent.objects.order_by("pk")
    assert (mine.event_id, mine.payload) == (f"[erased {mine.pk}]", None)
    assert other.event_id == before[1]
