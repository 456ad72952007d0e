"""The timetable of recurring jobs in Redis: registered, kept right, and turned into jobs."""

from datetime import UTC, datetime, timedelta

import django_rq
import pytest
from django.utils import timezone
from django.utils.module_loading import import_string

from astronote.queues import jobs, recurring
from astronote.queues.catalogue import QUEUES_BY_NAME

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.fixture
def scheduler():
    return django_rq.get_scheduler("scheduler")


def due(scheduler):
    """Seconds until each entry is due, by its id."""
    now = timezone.now().timestamp()
    entries = jobs.redis_connection().zrange(scheduler.scheduled_jobs_key, 0, -1, withscores=True)
    return {job_id.decode(): score - now for job_id, score in entries}


def set_due(scheduler, name, seconds):
    at = timezone.now().timestamp() + seconds
    jobs.redis_connection().zadd(scheduler.scheduled_jobs_key, {recurring.PREFIX + name: at})


def entry_of(scheduler, name):
    found = {job.id: job for job in scheduler.get_jobs()}
    return found[recurring.PREFIX + name]


def test_everything_recurs_as_often_as_it_must_by_default(settings):
    defaults = {
        "WATCHDOG_INTERVAL": 300_000,
        "SCHEDULE_SWEEP_INTERVAL_MS": 60_000,
        "DELIVERY_POLL_INTERVAL_MS": 300_000,
        "STATUS_REFRESH_INTERVAL": 600_000,
    }
    for name, value in defaults.items():
        setattr(settings, name, value)
    found = {
        entry.name: (entry.queue, entry.task, entry.interval or entry.cron)
        for entry in recurring.recurring_jobs()
    }
    poller = "delivery_status_poller"
    assert found == {
        "watchdog": ("watchdog", "campaigns.tasks.run_watchdog", 5 * MINUTE),
        "due_campaigns": ("scheduler", "campaigns.tasks.start_due_campaigns", MINUTE),
        "apply_receipts": (poller, "messaging.tasks.apply_receipts", MINUTE),
        "apply_replies": (poller, "messaging.tasks.apply_replies", MINUTE),
        "delivery_status_poller": (poller, "messaging.tasks.poll_delivery_status", 5 * MINUTE),
        "plans": ("scheduler", "messaging.tasks.begin_due_months", MINUTE),
        "birthday": ("birthday", "campaigns.tasks.run_birthdays", "*/15 * * * *"),
        "welcome": ("birthday", "campaigns.tasks.run_welcomes", MINUTE),
        "weekly_exports": ("exports", "campaigns.tasks.request_weekly_exports", HOUR),
        "export_files": ("exports", "campaigns.tasks.delete_expired_export_files", HOUR),
        "automation_rules": ("birthday", "campaigns.tasks.run_rules", MINUTE),
        "signups": ("birthday", "campaigns.tasks.apply_signups", MINUTE),
        "conversions": ("birthday", "campaigns.tasks.attribute_recent_purchases", 10 * MINUTE),
        "conversions_of_month": (
            "birthday",
            "campaigns.tasks.attribute_purchases_of_month",
            "20 2 * * *",
        ),
        "opt_in_requests": ("birthday", "messaging.tasks.send_opt_in_requests", MINUTE),
        "import_files": ("contact_import", "contacts.tasks.delete_expired_import_files", HOUR),
        "pii_retention": ("pii_retention", "compliance.tasks.run_pii_retention", "0 2 * * *"),
        "status_refresh": ("status_refresh", "messaging.tasks.refresh_status", 10 * MINUTE),
    }
    assert all(callable(import_string(task)) for _, task, _ in found.values())
    assert {queue for queue, *_ in found.values()} <= set(QUEUES_BY_NAME)


def test_a_new_timetable_is_due_at_once_and_by_its_cron(scheduler):
    recurring.sync_recurring_jobs_in_redis(scheduler)
    entries = due(scheduler)
    for entry in recurring.recurring_jobs():
        seconds = entries.pop(recurring.PREFIX + entry.name)
        if entry.interval:
            assert -10 < seconds <= 0, entry.name
        else:
            assert 0 < seconds <= DAY, entry.name
        job = entry_of(scheduler, entry.name)
        assert (job.origin, job.func_name) == (entry.queue, entry.task)
    assert entries == {}


def test_an_entry_that_was_taken_out_of_the_timetable_leaves_redis(scheduler, settings):
    recurring.sync_recurring_jobs_in_redis(scheduler)
    later = timezone.now() + timedelta(hours=1)
    jobs.enqueue_delayed_on_commit(
        "scheduler", later, "campaigns.tasks.start_campaign", 7, job_id="campaign-7"
    )
    scheduler.schedule(later, "x.y", interval=60, id="recurring-of_last_year")
    settings.STATUS_REFRESH_ENABLED = False
    recurring.sync_recurring_jobs_in_redis(scheduler)
    names = {recurring.PREFIX + entry.name for entry in recurring.recurring_jobs()}
    assert set(due(scheduler)) == names | {"campaign-7"}
    assert "recurring-status_refresh" not in names


def test_registering_again_does_not_put_off_what_is_due(scheduler):
    recurring.sync_recurring_jobs_in_redis(scheduler)
    set_due(scheduler, "watchdog", 100)
    set_due(scheduler, "import_files", -500)
    set_due(scheduler, "birthday", -30)
    recurring.sync_recurring_jobs_in_redis(scheduler)
    entries = due(scheduler)
    assert 90 < entries["recurring-watchdog"] <= 100
    assert -10 < entries["recurring-import_files"] <= 0
    assert -40 < entries["recurring-birthday"] <= -30


def test_nothing_is_further_off_than_its_next_time(scheduler):
    recurring.sync_recurring_jobs_in_redis(scheduler)
    for name in ("watchdog", "import_files", "birthday"):
        set_due(scheduler, name, 30 * DAY)
    recurring.sync_recurring_jobs_in_redis(scheduler)
    entries = due(scheduler)
    assert 290 < entries["recurring-watchdog"] <= 300
    assert HOUR - 10 < entries["recurring-import_files"] <= HOUR
    assert 0 < entries["recurring-birthday"] <= DAY


def test_a_changed_cron_takes_effect_whether_it_is_earlier_or_later(scheduler, settings):
    for hours in (3, 1, 2):
        at = timezone.now() + timedelta(hours=hours)
        cron = f"{at:%M} {at:%H} * * *"
        settings.PII_RETENTION_CRON = cron
        recurring.sync_recurring_jobs_in_redis(scheduler)
        assert (hours - 0.1) * HOUR < due(scheduler)["recurring-pii_retention"] <= hours * HOUR
        assert entry_of(scheduler, "pii_retention").meta["cron_string"] == cron


def test_what_is_due_becomes_a_job_and_recurs(scheduler):
    recurring.sync_recurring_jobs_in_redis(scheduler)
    for name in ("watchdog", "birthday"):
        scheduler.enqueue_job(entry_of(scheduler, name))
    (job,) = jobs.get_queue("watchdog").get_jobs()
    assert job.func_name == "campaigns.tasks.run_watchdog"
    assert job.id != "recurring-watchdog"
    (job,) = jobs.get_queue("birthday").get_jobs()
    assert job.func_name == "campaigns.tasks.run_birthdays"
    entries = due(scheduler)
    assert 290 < entries["recurring-watchdog"] <= 300
    assert 0 < entries["recurring-birthday"] <= DAY


def test_a_recurring_job_may_run_as_long_as_its_queue_says(scheduler):
    recurring.sync_recurring_jobs_in_redis(scheduler)
    for name in ("watchdog", "birthday", "pii_retention"):
        scheduler.enqueue_job(entry_of(scheduler, name))
        (job,) = jobs.get_queue(name).get_jobs()
        assert job.timeout == QUEUES_BY_NAME[name].timeout


def test_what_still_waits_in_its_queue_is_not_doubled(scheduler):
    recurring.sync_recurring_jobs_in_redis(scheduler)
    for _ in range(3):
        scheduler.enqueue_job(entry_of(scheduler, "watchdog"))
    assert jobs.count_waiting_jobs("watchdog") == 1
    jobs.get_queue("watchdog").empty()
    scheduler.enqueue_job(entry_of(scheduler, "watchdog"))
    assert jobs.count_waiting_jobs("watchdog") == 1


def test_an_entry_that_is_due_but_no_more_in_the_timetable_recurs_no_more(scheduler, settings):
    recurring.sync_recurring_jobs_in_redis(scheduler)
    entry = entry_of(scheduler, "status_refresh")
    settings.STATUS_REFRESH_ENABLED = False
    scheduler.enqueue_job(entry)
    assert "recurring-status_refresh" not in due(scheduler)


def test_a_delayed_job_goes_to_its_queue_with_its_arguments_and_does_not_recur(scheduler):
    at = timezone.now() - timedelta(seconds=5)
    jobs.enqueue_delayed_on_commit(
        "scheduler", at, "campaigns.tasks.start_campaign", 7, job_id="campaign-7"
    )
    scheduler._registered_at = float("inf")
    scheduler.enqueue_jobs()
    (job,) = jobs.get_queue("scheduler").get_jobs()
    assert (job.func_name, job.args) == ("campaigns.tasks.start_campaign", (7,))
    assert due(scheduler) == {}


def test_a_lost_timetable_is_registered_again_within_seconds(scheduler):
    scheduler.enqueue_jobs()
    assert len(due(scheduler)) == len(recurring.recurring_jobs())
    jobs.redis_connection().delete(scheduler.scheduled_jobs_key)
    scheduler.enqueue_jobs()
    assert due(scheduler) == {}, "not at every look"
    scheduler._registered_at -= 11
    scheduler.enqueue_jobs()
    assert len(due(scheduler)) == len(recurring.recurring_jobs())


def test_the_heartbeat_lasts_a_minute(scheduler):
    scheduler.heartbeat()
    beat = int(jobs.redis_connection().get(recurring.HEARTBEAT_KEY))
    assert 0 <= timezone.now().timestamp() - beat < 10
    assert 50 < jobs.redis_connection().ttl(recurring.HEARTBEAT_KEY) <= 60


def test_unreadable_entries_are_taken_out_and_others_stay(scheduler):
    recurring.sync_recurring_jobs_in_redis(scheduler)
    before = set(due(scheduler))
    jobs.redis_connection().zadd(scheduler.scheduled_jobs_key, {"gone": 1, "broken": 1})
    jobs.redis_connection().hset("rq:job:broken", mapping={"data": b"\x00", "created_at": "never"})
    scheduler.remove_unreadable_entries()
    assert set(due(scheduler)) == before
    assert not jobs.redis_connection().exists("rq:job:broken")


def test_the_next_run_of_each_entry_is_known_once_it_is_registered(scheduler):
    assert {at for _, at in recurring.next_runs_of_recurring_jobs()} == {None}
    recurring.sync_recurring_jobs_in_redis(scheduler)
    set_due(scheduler, "watchdog", 100)
    runs = dict(recurring.next_runs_of_recurring_jobs())
    assert list(runs) == [entry.name for entry in recurring.recurring_jobs()]
    assert timedelta(seconds=90) < runs["watchdog"] - datetime.now(UTC) <= timedelta(seconds=100)


@pytest.mark.parametrize(
    ("on", "expected"),
    [((), []), (("RUN_BIRTHDAY_ON_START",), ["birthday"]),
     (("RUN_PII_RETENTION_ON_START",), ["pii_retention"])],
)  # fmt: skip
def test_only_what_is_asked_for_runs_at_the_start(settings, on, expected):
    flags = ("RUN_BIRTHDAY_ON_START", "RUN_PII_RETENTION_ON_START")
    for flag in flags:
        setattr(settings, flag, flag in on)
    assert [entry.name for entry in recurring.jobs_run_on_start()] == expected
