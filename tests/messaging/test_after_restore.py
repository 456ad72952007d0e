"""A database that is older than what was sent: nothing goes out twice, and a person decides."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from astronote.common.audit import AuditEntry
from astronote.operations.watchdog import run_watchdog
from astronote.queues import jobs
from campaigns import enqueue
from campaigns.automations.due_messages import eligible_automations
from campaigns.models import Automation, AutomationType, CampaignMessage
from messaging import sending
from messaging.models import Batch, SendingStop, SubmissionCounter
from tests.support.checks import ledger_balances
from tests.support.database import empty_tables
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class Backup:
    """The rows of all tables, as pg_dump has them, to be restored into the same database."""

    def __init__(self):
        self.tables = {}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for table in connection.introspection.table_names(cursor):
                with cursor.copy(f'COPY "{table}" TO STDOUT') as copy:
                    self.tables[table] = b"".join(map(bytes, copy))

    def restore(self):
        with connection.cursor() as cursor:
            empty_tables()
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            kept = {"auth_group", "auth_group_permissions", "auth_permission"}
            kept |= {"django_content_type", "django_migrations"}
            cursor.execute("SET session_replication_role = replica")
            for table, data in self.tables.items():
                if table not in kept:
                    with cursor.copy(f'COPY "{table}" FROM STDIN') as copy:
                        copy.write(data)
            cursor.execute("SET session_replication_role = DEFAULT")


@pytest.fixture
def campaign(settings):
    """Six batches of five messages."""
    settings.SMS_BATCH_SIZE = 5
    store = make_store()
    return enqueue.enqueue_campaign(make_campaign(store, make_list(store, 30)).pk)


def send_batches(count):
    for _ in range(count):
        assert sending.process_next_batch() == "accepted"


def send_what_is_due():
    results = []
    while (result := sending.process_next_batch()) != "none due":
        results.append(result)
    return results


def after_restore(capsys, *arguments):
    call_command("after_restore", "--json", *arguments)
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def message_counts():
    statuses = list(CampaignMessage.objects.values_list("status", flat=True))
    return {status: statuses.count(status) for status in sorted(set(statuses))}


def test_an_older_database_stops_all_sending_before_the_first_call(sandbox, campaign):
    send_batches(1)
    backup = Backup()
    send_batches(2)
    backup.restore()
    assert send_what_is_due() == ["stopped"]
    run_watchdog()
    assert send_what_is_due() == []
    assert SendingStop.objects.get().reason == "database_older"
    summary = sandbox.summary()
    assert (summary["accepted"], summary["duplicates"], summary["calls"]) == (15, 0, 3)
    assert AuditEntry.objects.get(action="sending stopped").actor_name == "guard"
    with pytest.raises(CommandError, match=r"Run manage\.py after_restore"):
        call_command("sending", "go-on", "database_older")


def test_what_was_sent_since_the_backup_is_unknown_and_the_rest_goes_out_when_a_person_says_so(
    sandbox, campaign, capsys
):
    send_batches(1)
    claimed = sending.claim_next_batch()
    assert sending.mark_submitting(claimed)  # in flight when the backup is made
    backup = Backup()
    send_batches(2)
    backup.restore()
    assert after_restore(capsys) == {"batches": 3, "messages": 15}
    assert after_restore(capsys) == {"batches": 0, "messages": 0}
    assert send_what_is_due() == []
    assert sandbox.summary()["accepted"] == 15
    call_command("sending", "go-on", "restored")
    assert send_what_is_due() == ["accepted", "accepted"]
    assert message_counts() == {"sent": 15, "unknown": 15}
    assert sandbox.summary()["duplicates"] == 0
    assert ledger_balances(campaign.owner)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.unknown) == ("completed", 15)
    assert list(
        AuditEntry.objects.filter(subject="").order_by("pk").values_list("action", flat=True)
    ) == ["sending stopped", "after restore", "after restore", "sending goes on"]


@pytest.mark.parametrize("lost", ["all of Redis", "one submission"])
def test_every_open_batch_is_unknown_if_redis_does_not_know_all_that_was_sent(
    sandbox, campaign, capsys, lost
):
    backup = Backup()
    send_batches(2)
    backup.restore()
    if lost == "all of Redis":
        jobs.redis_connection().flushdb()
    else:
        jobs.redis_connection().zremrangebyrank("astronote:submissions", 0, 0)
    assert after_restore(capsys) == {"batches": 6, "messages": 30}
    call_command("sending", "go-on", "restored")
    assert send_what_is_due() == []
    assert message_counts() == {"unknown": 30}
    assert sandbox.summary()["duplicates"] == 0


def test_a_copy_that_was_taken_while_a_worker_sent_repeats_nothing(
    sandbox, campaign, worker, capsys
):
    sandbox.behave(latency_ms=300)
    first = worker("rqworker", "sms")
    wait_until(lambda: sandbox.summary()["calls"] >= 2)
    backup = Backup()
    wait_until(lambda: sandbox.summary()["accepted"] >= 15)
    first.kill()
    first.wait()
    backup.restore()
    second = worker("rqworker", "sms")
    wait_until(SendingStop.objects.filter(reason="database_older").exists)
    after_restore(capsys)
    call_command("sending", "go-on", "restored")
    wait_until(lambda: not Batch.objects.exclude(status="settled").exists())
    second.terminate()
    assert second.wait(30) == 0
    counts = message_counts()
    assert counts["sent"] + counts["unknown"] == 30
    assert sandbox.summary()["duplicates"] == 0
    assert ledger_balances(campaign.owner)


def test_a_person_can_say_that_redis_lost_data_as_well(sandbox, campaign, capsys):
    send_batches(1)
    assert after_restore(capsys, "--all") == {"batches": 5, "messages": 25}


def test_nothing_is_unknown_if_nothing_was_sent_since_the_backup(sandbox, campaign, capsys):
    send_batches(2)
    Backup().restore()
    assert after_restore(capsys) == {"batches": 0, "messages": 0}
    call_command("sending", "go-on", "restored")
    assert send_what_is_due() == ["accepted"] * 4
    assert sandbox.summary()["duplicates"] == 0


def test_a_second_restore_is_noticed_as_well(sandbox, campaign, capsys):
    send_batches(1)
    backup = Backup()
    for sent in (1, 2):
        send_batches(sent)
        backup.restore()
        assert sending.process_next_batch() == "stopped"
        after_restore(capsys)
        call_command("sending", "go-on", "restored")
    send_what_is_due()
    assert sandbox.summary()["duplicates"] == 0


@pytest.mark.parametrize("redis", ["kept", "emptied"])
def test_nothing_is_written_again_after_a_restore_that_nobody_declared(sandbox, campaign, redis):
    """A campaign that was scheduled, and the day's birthdays, may have gone out since."""
    draft = make_campaign(campaign.owner, campaign.list)
    Automation.objects.create(owner=campaign.owner, type="birthday_message", is_active=True)
    send_batches(1)
    backup = Backup()
    send_batches(1)
    backup.restore()
    if redis == "emptied":
        move_to_another_server()
        jobs.redis_connection().flushdb()
    assert eligible_automations(AutomationType.BIRTHDAY) == []
    assert SendingStop.objects.get().reason == "database_older"
    SendingStop.objects.all().delete()
    with pytest.raises(enqueue.SendingBlocked, match="after a restore"):
        enqueue.enqueue_campaign(draft.pk)
    assert SendingStop.objects.get().reason == "database_older"
    assert send_what_is_due() == []


def test_nothing_starts_after_a_restore_until_sending_goes_on(sandbox, campaign, capsys):
    after_restore(capsys)
    draft = make_campaign(campaign.owner, campaign.list)
    with pytest.raises(enqueue.SendingBlocked, match="after a restore"):
        enqueue.enqueue_campaign(draft.pk)
    call_command("sending", "go-on", "restored")
    assert enqueue.enqueue_campaign(draft.pk).status == "sending"


def test_a_probe_that_was_sent_since_the_backup_is_not_sent_again(sandbox, campaign, capsys):
    """The backup has the probe's message in another batch, which was not submitted."""
    sandbox.behave(account_status=401)
    assert sending.process_next_batch() == "account refused"
    backup = Backup()
    sandbox.behave(account_status=0)
    SendingStop.objects.update(next_probe_at=timezone.now())
    assert sending.process_next_batch() == "accepted"
    assert sandbox.summary()["accepted"] == 1
    backup.restore()
    assert after_restore(capsys) == {"batches": 1, "messages": 5}
    call_command("sending", "go-on", "account_refused")
    assert send_what_is_due() == []
    call_command("sending", "go-on", "restored")
    assert send_what_is_due() == ["accepted"] * 5
    assert sandbox.summary()["duplicates"] == 0


def test_a_loss_of_redis_alone_stops_nothing(sandbox, campaign):
    send_batches(3)
    jobs.redis_connection().flushdb()
    assert send_what_is_due() == ["accepted"] * 3


def move_to_another_server():
    SubmissionCounter.objects.update(database_identity="another server")


@pytest.mark.parametrize("sent", [0, 1])
def test_a_database_on_another_server_stops_sending_if_redis_was_emptied(
    sandbox, campaign, capsys, sent
):
    if not sent:
        SubmissionCounter.objects.create(pk=1, number=0)  # as the migration does
    send_batches(sent)
    move_to_another_server()
    jobs.redis_connection().flushdb()
    assert send_what_is_due() == ["stopped"]
    assert sandbox.summary()["calls"] == sent
    stop = SendingStop.objects.get()
    assert stop.reason == "database_older"
    assert stop.details.startswith("the database was restored or moved, PostgreSQL has counted")
    assert after_restore(capsys)["messages"] == 30 - 5 * sent
    call_command("sending", "go-on", "restored")
    draft = make_campaign(campaign.owner, campaign.list)
    enqueue.enqueue_campaign(draft.pk)
    assert send_what_is_due() == ["accepted"] * 6


def test_a_database_on_another_server_stops_sending_if_redis_lacks_the_newest_submissions(
    sandbox, campaign
):
    send_batches(2)
    jobs.redis_connection().zremrangebyrank("astronote:submissions", -1, -1)
    move_to_another_server()
    assert send_what_is_due() == ["stopped"]


def test_a_failover_that_lost_nothing_stops_nothing(sandbox, campaign):
    send_batches(2)
    move_to_another_server()
    send_batches(1)
    jobs.redis_connection().flushdb()
    assert send_what_is_due() == ["accepted"] * 3


def test_going_on_enqueues_what_waits(sandbox, campaign, capsys):
    send_batches(1)
    after_restore(capsys)
    jobs.get_queue("sms").empty()
    call_command("sending", "go-on", "restored")
    assert jobs.count_waiting_jobs("sms") == Batch.objects.filter(status="pending").count() == 5


def test_a_claimed_batch_is_not_submitted_once_sending_is_stopped(sandbox, campaign, capsys):
    send_batches(1)
    batch = sending.claim_next_batch()
    after_restore(capsys)
    assert sending.mark_submitting(batch) == []
    batch.refresh_from_db()
    assert (batch.status, batch.waiting_for) == ("pending", "sending is stopped")
    assert sandbox.summary()["calls"] == 1
