"""Jobs in Redis are data: whoever writes to Redis runs no code."""

import pickle

import django_rq
import pytest
from rq.job import Job, JobStatus
from rq.serializers import PickleSerializer

from astronote.queues import jobs
from astronote.queues.recurring import sync_recurring_jobs_in_redis
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class Exploit:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def push_pickled_job(queue_name, path, *, meta):
    """Write a job as a stranger with access to Redis would."""
    redis = jobs.redis_connection()
    job = Job.create(
        "campaigns.tasks.start_due_campaigns",
        connection=redis,
        origin=queue_name,
        serializer=PickleSerializer,
        status=JobStatus.QUEUED,
    )
    job.save()
    fields = {"data": pickle.dumps(("print", None, (Exploit(path),), {}))}
    if meta:
        fields["meta"] = pickle.dumps(Exploit(path))
    redis.hset(job.key, mapping=fields)
    redis.rpush(jobs.get_queue(queue_name).key, job.id)


def test_nothing_that_is_enqueued_is_a_pickle():
    jobs.enqueue_on_commit("watchdog", "campaigns.tasks.start_campaign", 7)
    sync_recurring_jobs_in_redis(django_rq.get_scheduler("scheduler"))
    redis = jobs.redis_connection()
    found = [redis.hget(key, "data") for key in redis.keys("rq:job:*")]
    assert len(found) > 3
    for data in found:
        with pytest.raises(pickle.UnpicklingError):
            pickle.loads(data)


@pytest.mark.parametrize("meta", [False, True])
@pytest.mark.parametrize("command", ["rqworker", "rqworker-pool"])
def test_a_pickled_job_is_refused_without_being_run_and_the_next_one_is_run(
    worker, tmp_path, command, meta
):
    made = tmp_path / "made"
    push_pickled_job("watchdog", made, meta=meta)
    jobs.enqueue_on_commit("watchdog", "compliance.tasks.run_pii_retention")
    good = jobs.get_queue("watchdog").job_ids[-1]
    process = worker(command, "watchdog")
    wait_until(lambda: jobs.get_queue("watchdog").count == 0)
    wait_until(lambda: good in jobs.get_queue("watchdog").finished_job_registry.get_job_ids())
    assert process.poll() is None
    assert not made.exists()


@pytest.mark.slow
def test_a_json_job_that_names_no_task_of_ours_is_refused(tmp_path):
    job = jobs.get_queue("watchdog").enqueue("os.mkdir", str(tmp_path / "made"))
    django_rq.get_worker("watchdog").work(burst=True)
    assert not (tmp_path / "made").exists()
    assert job.get_status(refresh=True) == JobStatus.FAILED


def test_the_queue_dashboard_shows_jobs_and_survives_a_pickled_one(admin_client, tmp_path):
    jobs.enqueue_on_commit("sms", "messaging.tasks.process_next_batch")
    job_id = jobs.get_queue("sms").job_ids[0]
    for page in ("", "queues/0/", f"queues/0/{job_id}/"):
        answer = admin_client.get(f"/admin/django_rq/dashboard/{page}", follow=True)
        assert answer.status_code == 200
    push_pickled_job("sms", tmp_path / "made", meta=False)
    assert admin_client.get("/admin/django_rq/dashboard/queues/0/", follow=True).status_code == 200
    assert not (tmp_path / "made").exists()
