"""The figures of the home page, and running a recurring job from it."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rq import SimpleWorker

from astronote.common import audit
from astronote.models import AuditEntry, User
from astronote.operations import registry
from astronote.operations.queue_state import queue_and_scheduler_problems
from astronote.queues import jobs, recurring
from astronote.queues.catalogue import QUEUES
from contacts.models import ContactImport
from messaging.models import CreditTransaction, Tally, Wallet
from messaging.statuses import describe_reason
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def root(client):
    user = User.objects.create_superuser("root@example.com")
    client.force_login(user)
    return user


def tally(store, what, count, *, days_ago=0.0, detail=""):
    at = timezone.now() - timedelta(days=days_ago)
    Tally.objects.create(
        owner=store, kind="campaign", slot=at, event=what, detail=detail, count=count
    )


def spend(store, credits, *, days_ago=0.0, kind="debit"):
    entry = CreditTransaction.objects.create(
        owner=store,
        type=kind,
        amount=credits,
        balance_after=0,
        reason="test",
        idempotency_key=f"{store.pk}:{kind}:{days_ago}",
    )
    at = timezone.now() - timedelta(days=days_ago)
    CreditTransaction.objects.filter(pk=entry.pk).update(created_at=at)


def panel(name):
    """What the panel of this name shows."""
    return dict(registry.home_panels.get(name).context())


def low():
    return {wallet.store_name: wallet.spent for wallet in panel("wallets")["wallets"]}


def test_the_last_fourteen_days_of_every_store_are_added_up():
    alice, bob = make_store("alice"), make_store("bob")
    tally(alice, "accepted", 100)
    tally(bob, "accepted", 60, days_ago=12.9)
    tally(bob, "accepted", 7000, days_ago=14.1)
    tally(alice, "delivered", 80, detail="8")
    tally(bob, "delivered", 40, days_ago=5, detail="8")
    tally(bob, "skipped", 900, detail="contact_cap")
    found = panel("last days")
    assert (found["accepted"], found["delivered_percent"]) == (160, 75)
    assert found["days"] == 14
    today = timezone.now()
    chart = found["chart"]
    said = dict(chart.rows)
    assert chart.names == ["accepted", "delivered", "failed"]
    assert said[f"{today:%a %d %b}"][0] == 100
    assert said[f"{today - timedelta(days=5):%a %d %b}"] == [0, 40, 0]
    assert sum(bool(value) for values in said.values() for value in values) == 4
    assert chart.rows[0].label == f"{today - timedelta(days=13):%a %d %b}"
    assert chart.rows[-1].label == f"{today:%a %d %b}"


def test_without_messages_there_is_no_rate_and_no_chart():
    found = panel("last days")
    assert (found["accepted"], found["delivered_percent"], found["chart"]) == (0, None, None)


def test_failures_are_those_since_yesterday_the_most_frequent_first():
    alice, bob = make_store("alice"), make_store("bob")
    tally(alice, "failed", 3, detail="expired")
    tally(bob, "failed", 4, detail="expired", days_ago=0.9)
    tally(bob, "failed", 20, detail="undelivered")
    tally(bob, "failed", 500, detail="rejected", days_ago=1.1)
    tally(alice, "failed", 0, detail="settled otherwise")
    tally(alice, "skipped", 900, detail="contact_cap")
    assert panel("failures")["failures"] == [
        (describe_reason("undelivered"), 20),
        (describe_reason("expired"), 7),
    ]


def test_a_wallet_runs_low_below_a_hundred_credits_or_a_weeks_spending():
    make_store("enough", balance=100)
    make_store("few", balance=99)
    make_store("none", balance=0)
    Wallet.objects.create(owner=User.objects.get(email="none@example.com"))
    for name, kind, days_ago in (
        ("spent", "debit", 6.9),
        ("earlier", "debit", 7.1),
        ("refund", "refund", 1),
    ):
        spend(make_store(name, balance=500), 501, kind=kind, days_ago=days_ago)
    reserved = make_store("reserved", balance=150, company="Reserved Ltd")
    Wallet.objects.filter(owner=reserved).update(reserved_balance=51)
    make_store("closed", balance=5, is_active=False)
    make_store("staff", balance=5, is_staff=True)
    assert low() == {
        "none@example.com": 0,
        "few@example.com": 0,
        "Reserved Ltd": 0,
        "spent@example.com": 501,
    }
    assert [wallet.available for wallet in panel("wallets")["wallets"]] == [0, 99, 99, 500]


def test_the_spending_of_another_store_does_not_count():
    make_store("alice", balance=500)
    spend(make_store("bob", balance=5000), 600)
    assert low() == {}


def test_at_most_ten_wallets_are_shown():
    for number in range(12):
        make_store(f"store{number}", balance=number + 1)
    found = panel("wallets")["wallets"]
    assert [wallet.available for wallet in found] == list(range(1, 11))


def test_what_goes_out_and_what_comes_next_are_told_apart():
    store = make_store("alice")
    target = make_list(store, 1)
    now = timezone.now()
    for minutes, status in enumerate(("sending", "paused", "draft", "completed", "cancelled")):
        make_campaign(
            store, target, status=status, name=status, started_at=now - timedelta(minutes=minutes)
        )
    for days in (2, 1):
        make_campaign(
            store,
            target,
            status="scheduled",
            name=f"in {days}",
            scheduled_at=now + timedelta(days=days),
        )
    for status in ("uploaded", "pending", "processing", "completed", "failed", "cancelled"):
        ContactImport.objects.create(
            owner=store, file_name=status, file_size=1, file_sha256="", status=status
        )
    audit.write_entry("released batch", by="watchdog")
    audit.write_entry("start", by="command line")
    found = panel("in progress") | panel("scheduled") | panel("watchdog")
    assert [item.campaign.name for item in found["running"]] == ["sending", "paused"]
    assert [campaign.name for campaign in found["scheduled"]] == ["in 1", "in 2"]
    assert [job.file_name for job, _ in found["imports"]] == ["processing", "pending"]
    assert [entry.action for entry in found["entries"]] == ["released batch"]


def test_queues_show_what_waits_and_who_works():
    jobs.enqueue_copies_on_commit("sms", "messaging.tasks.send_next_batch", 2)
    first = jobs.get_queue("sms").get_jobs()[0]
    first.enqueued_at -= timedelta(minutes=1)
    first.save()
    for state in ("busy", "idle"):
        worker = SimpleWorker([jobs.get_queue("sms")], connection=jobs.redis_connection())
        worker.register_birth()
        worker.set_state(state)
    queues = {queue["name"]: queue for queue in panel("queues")["queues"]}
    assert list(queues) == [queue.name for queue in QUEUES]
    assert (queues["sms"]["waiting"], queues["sms"]["workers"], queues["sms"]["busy"]) == (2, 2, 1)
    assert 60 <= queues["sms"]["oldest"] < 80
    empty = queues["birthday"]
    assert (empty["waiting"], empty["workers"], empty["busy"], empty["oldest"]) == (0, 0, 0, None)
    assert "No scheduler is running" in " ".join(queue_and_scheduler_problems())
    jobs.redis_connection().set(recurring.HEARTBEAT_KEY, 1)
    assert "No scheduler" not in " ".join(queue_and_scheduler_problems())
    assert len(panel("recurring")["recurring"]) == len(recurring.recurring_jobs())


def test_the_page_costs_no_more_queries_for_more_rows(root, client):
    def queries():
        from django.db import connection

        with CaptureQueriesContext(connection) as found:
            assert client.get("/admin/live/").status_code == 200
        return len(found)

    def more(name):
        store = make_store(name, balance=1)
        target = make_list(store, 1)
        for status in ("sending", "scheduled"):
            make_campaign(
                store, target, status=status, scheduled_at=timezone.now(), started_at=timezone.now()
            )
        ContactImport.objects.create(owner=store, file_name="a", file_size=1, file_sha256="")

    more("alice")
    once = queries()
    for name in ("bob", "cleo", "dora"):
        more(name)
    assert queries() == once


def test_who_may_not_see_campaigns_sees_no_figures(client):
    make_store("alice", company="Alice's", balance=1)
    client.force_login(User.objects.create_user("new@example.com", is_staff=True))
    page = client.get("/admin/")
    assert page.status_code == 200 and "Alice&#x27;s" not in page.text
    assert client.get("/admin/live/").status_code == 403
    call_command("create_operator", "viewer@example.com", role="viewer", password="a-long-one-9")
    client.force_login(User.objects.get(email="viewer@example.com"))
    for address in ("/admin/", "/admin/live/"):
        assert "Alice&#x27;s" in client.get(address).text


TASKS = {
    "watchdog": "campaigns.tasks.run_watchdog",
    "birthday": "campaigns.tasks.run_birthdays",
    "pii_retention": "compliance.tasks.run_pii_retention",
}


@pytest.mark.parametrize("name", TASKS)
def test_a_recurring_job_is_run_only_after_the_question_and_audited(root, client, name):
    asked = client.get(f"/admin/run/{name}/")
    assert "Run now" in asked.text
    assert jobs.count_waiting_jobs(name) == 0 and not AuditEntry.objects.exists()
    answer = client.post(f"/admin/run/{name}/", follow=True)
    assert f"{name.replace('_', ' ')}: enqueued" in answer.text
    (job,) = jobs.get_queue(name).get_jobs()
    assert job.func_name == TASKS[name]
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.details) == (root, "run now", {"job": name})


def test_other_jobs_cannot_be_run_from_the_page(root, client):
    for name in ("import_files", "no_such_job"):
        assert client.post(f"/admin/run/{name}/").status_code == 404
    assert sum(jobs.count_waiting_jobs(queue.name) for queue in QUEUES) == 0


def test_an_operator_runs_watchdog_and_birthdays_and_does_not_erase(client):
    call_command("create_operator", "o@example.com", role="operator", password="a-long-one-9")
    client.force_login(User.objects.get(email="o@example.com"))
    answers = {name: client.post(f"/admin/run/{name}/").status_code for name in TASKS}
    assert answers == {"watchdog": 302, "birthday": 302, "pii_retention": 403}
    assert jobs.count_waiting_jobs("pii_retention") == 0
