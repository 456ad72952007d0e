"""A rule from its event to the phone, through real workers that are killed in the middle."""

import signal
from collections import Counter
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from astronote.operations.watchdog import run_watchdog
from astronote.queues import jobs
from campaigns.models import AutomationRule, AutomationSend
from contacts.models import Contact, CustomerEvent
from messaging.models import Batch, Wallet
from tests.support.checks import ledger_balances
from tests.support.factories import make_list, make_store
from tests.support.waiting import one_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
RUN_RULES = "campaigns.tasks.run_rules"


def test_each_reminder_is_sent_once_whatever_is_killed(worker, sandbox, settings):
    store = make_store()
    make_list(store, 30)
    AutomationRule.objects.create(
        owner=store,
        name="Reminder",
        message_body="{{event_time}}",
        message_type="service",
        trigger_type="event",
        event_type="appointment",
        event_status="scheduled",
        offset_minutes=-1440,
        is_active=True,
    )
    CustomerEvent.objects.bulk_create(
        CustomerEvent(
            owner=store,
            contact=contact,
            event_type="appointment",
            start_at=timezone.now() + timedelta(hours=23),
        )
        for contact in Contact.objects.all()
    )
    # Killed while it writes: it waits for the wallet, with the messages in its transaction.
    jobs.enqueue_on_commit("birthday", RUN_RULES)
    with transaction.atomic():
        Wallet.objects.select_for_update().get()
        first = worker("rqworker", "birthday", SMS_BATCH_SIZE="10")
        wait_until(one_waits_for_a_lock)
        first.send_signal(signal.SIGKILL)
        first.wait()
    jobs.enqueue_on_commit("birthday", RUN_RULES)
    worker("rqworker", "birthday", SMS_BATCH_SIZE="10")
    wait_until(lambda: AutomationSend.objects.count() == 30)
    # Killed while it sends the first of three batches.
    sandbox.behave(latency_ms=1500)
    sender = worker("rqworker", "sms")
    wait_until(lambda: sandbox.summary()["calls"] == 1)
    sender.send_signal(signal.SIGKILL)
    sender.wait()
    wait_until(lambda: sandbox.summary()["accepted"] == 10)
    sandbox.behave(latency_ms=0)
    jobs.enqueue_on_commit("birthday", RUN_RULES)
    worker("rqworker", "sms")
    wait_until(lambda: Batch.objects.filter(status="settled").count() == 2)
    settings.STUCK_LOCKED_MINUTES = 0
    assert run_watchdog()["given_up_as_unknown"] == 1
    wait_until(lambda: jobs.count_waiting_jobs("birthday") == 0)
    statuses = Counter(AutomationSend.objects.values_list("status", flat=True))
    assert statuses == {"sent": 20, "unknown": 10}
    summary = sandbox.summary()
    assert (summary["accepted"], summary["duplicates"]) == (30, 0)
    assert ledger_balances(store)
