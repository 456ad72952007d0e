"""While sending is stopped nothing is sent, nothing fails and nothing is lost."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from astronote.common.audit import AuditEntry
from astronote.operations.watchdog import run_watchdog
from astronote.queues import jobs
from campaigns import actions, enqueue, reports
from campaigns.models import Campaign, CampaignMessage
from contacts.models import Contact
from messaging import sending, sending_stop
from messaging.models import Batch, CreditReservation, SendingStop, Wallet
from messaging.statuses import StopReason
from tests.support.checks import ledger_balances
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.sending import send_all_due, start_campaign

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def probes_wait_for_the_test(settings):
    settings.QUEUE_BACKOFF_MS = 60_000


def let_probe_be_due():
    refused = SendingStop.objects.filter(reason="account_refused")
    refused.update(next_probe_at=timezone.now() - timedelta(seconds=1))


def statuses(campaign):
    return set(campaign.campaignmessage_set.values_list("status", flat=True))


def test_no_time_left_is_told_while_sending_is_stopped(sandbox, settings):
    campaign = start_campaign(settings, messages=30, batch_size=10)
    assert sending.process_next_batch() == "accepted"
    assert progress_of(campaign).seconds_left is not None
    sandbox.behave(account_status=401)
    send_all_due()
    assert (progress_of(campaign).percent, progress_of(campaign).seconds_left) == (33, None)


def progress_of(campaign):
    return reports.progress_of_campaigns(Campaign.objects.filter(pk=campaign.pk))[0]


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_an_account_that_is_refused_stops_at_the_first_call(sandbox, settings, status):
    campaign = start_campaign(settings, messages=30, batch_size=10)
    sandbox.behave(account_status=status)
    assert send_all_due() == ["account refused"]
    # After a 404 to the bulk call a single message is tried: the account may lack bulk calls only.
    assert sandbox.summary()["calls"] == (2 if status == 404 else 1)
    assert statuses(campaign) == {"queued"}
    assert set(Batch.objects.values_list("status", "attempts", "submitted_at")) == {
        ("pending", 0, None)
    }
    wallet = Wallet.objects.get()
    assert (wallet.balance, wallet.reserved_balance) == (10_000, 30)
    assert ledger_balances(campaign.owner)


def test_a_probe_is_one_message_and_the_next_one_comes_later(sandbox, settings):
    campaign = start_campaign(settings, messages=30, batch_size=10)
    sandbox.behave(account_status=401)
    send_all_due()
    waits = []
    for calls in (2, 3, 4):
        let_probe_be_due()
        assert send_all_due() == ["account refused"]
        assert sandbox.summary()["calls"] == calls
        waits.append((SendingStop.objects.get().next_probe_at - timezone.now()).total_seconds())
    # Doubled each time, with jitter.
    for wait, longest in zip(waits, (120, 240, 480), strict=True):
        assert longest / 2 - 5 <= wait <= longest
    assert min(Batch.objects.values_list("size", flat=True)) == 1
    assert sum(Batch.objects.values_list("size", flat=True)) == 30
    assert statuses(campaign) == {"queued"}
    assert ledger_balances(campaign.owner)


def test_sending_goes_on_when_mitto_accepts_the_probe(sandbox, settings):
    campaign = start_campaign(settings, messages=30, batch_size=10)
    sandbox.behave(account_status=403)
    send_all_due()
    let_probe_be_due()
    send_all_due()
    sandbox.behave(account_status=0)
    assert send_all_due() == [], "it waits for the probe"
    let_probe_be_due()
    jobs.get_queue("sms").empty()
    assert sending.process_next_batch() == "accepted"
    assert sandbox.summary()["accepted"] == 1
    due = Batch.objects.filter(status="pending").count()
    assert jobs.count_waiting_jobs("sms") == due > 0
    send_all_due()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent, campaign.failed) == ("completed", 30, 0)
    assert (sandbox.summary()["accepted"], sandbox.summary()["duplicates"]) == (30, 0)
    assert ledger_balances(campaign.owner)
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "actor_name")) == [
        ("sending stopped", "sms worker"),
        ("sending goes on", "probe"),
    ]


def test_a_person_lets_sending_go_on_by_command(sandbox, settings, capsys):
    campaign = start_campaign(settings, messages=30, batch_size=10)
    sandbox.behave(account_status=401)
    send_all_due()
    sandbox.behave(account_status=0)
    call_command("sending", "status")
    said = capsys.readouterr().out
    assert "401: the account may not send" in said and "stopped since" in said
    assert "30 messages wait, worth 30 credits" in said
    call_command("sending", "go-on")
    assert AuditEntry.objects.filter(action="sending goes on", actor_name="command line").exists()
    assert send_all_due() == ["accepted"] * 3
    campaign.refresh_from_db()
    assert (campaign.sent, campaign.failed) == (30, 0)
    call_command("sending", "status")
    assert "not stopped" in capsys.readouterr().out


def test_commands_about_a_campaign_say_that_sending_is_stopped(sandbox, settings, capsys):
    campaign = start_campaign(settings, messages=30, batch_size=10)
    call_command("campaign_status", campaign.pk)
    assert capsys.readouterr().err == ""
    sandbox.behave(account_status=401)
    send_all_due()
    capsys.readouterr()
    call_command("campaign_status", campaign.pk)
    assert "Sending is stopped since" in capsys.readouterr().err
    call_command("send_campaign", "alice@example.com", name="X", text="Y", list_name="all")
    assert "Sending is stopped since" in capsys.readouterr().err


def test_a_person_who_is_wrong_stops_it_again_with_one_call(sandbox, settings):
    start_campaign(settings, messages=30, batch_size=10)
    sandbox.behave(account_status=401)
    send_all_due()
    assert sending_stop.end_stop(StopReason.ACCOUNT_REFUSED, by="test")
    assert send_all_due() == ["account refused"]
    assert sandbox.summary()["calls"] == 2


def test_the_watchdog_leaves_what_is_stopped_alone(sandbox, settings):
    start_campaign(settings, messages=30, batch_size=10)
    sandbox.behave(account_status=401)
    send_all_due()
    SendingStop.objects.update(next_probe_at=timezone.now() + timedelta(minutes=5))
    jobs.get_queue("sms").empty()
    assert not any(run_watchdog().values())
    assert jobs.count_waiting_jobs("sms") == 0


def test_the_watchdog_enqueues_a_probe_whose_job_is_lost(sandbox, settings):
    start_campaign(settings, messages=30, batch_size=10)
    sandbox.behave(account_status=401)
    send_all_due()
    jobs.get_queue("sms").connection.flushdb()
    let_probe_be_due()
    assert run_watchdog()["batches_enqueued"] == 1
    assert jobs.count_waiting_jobs("sms") == 1


@pytest.mark.slow
def test_answers_500_to_all_do_not_burn_the_campaign(sandbox, settings):
    campaign = start_campaign(settings, messages=600, batch_size=100)
    sandbox.behave(fault="error_before")
    assert send_all_due() == ["unknown"]
    for _ in range(3):
        let_probe_be_due()
        assert send_all_due() == ["unknown"]
    [stop] = sending_stop.describe_stops()
    assert "103 of the last 103 messages failed or are unknown" in stop
    campaign.refresh_from_db()
    assert (campaign.status, campaign.unknown, campaign.queued) == ("sending", 103, 497)
    sandbox.behave(fault="none")
    let_probe_be_due()
    send_all_due()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.unknown, campaign.sent) == ("completed", 103, 497)
    assert ledger_balances(campaign.owner)


@pytest.mark.parametrize(("percent", "stops"), [(0, False), (30, True), (60, False)])
def test_the_installation_says_which_share_stops_sending(sandbox, settings, percent, stops):
    settings.STOP_SENDING_PERCENT = percent
    start_campaign(settings, messages=400, batch_size=100)
    assert sending.process_next_batch() == "accepted"
    sandbox.behave(fault="error_before", fault_count=1)
    assert sending.process_next_batch() == "unknown"
    assert SendingStop.objects.exists() == stops


def test_what_failed_before_sending_went_on_does_not_stop_it_again(sandbox, settings):
    start_campaign(settings, messages=1000, batch_size=100)
    sandbox.behave(fault="error_before", fault_count=1)
    send_all_due()
    sending_stop.end_stop(StopReason.ACCOUNT_REFUSED, by="test")
    for _ in range(2):
        assert sending.process_next_batch() == "accepted"
    sandbox.behave(fault="error_before", fault_count=1)
    assert sending.process_next_batch() == "unknown"
    assert not SendingStop.objects.exists(), "100 of 300 are fewer than half"


@pytest.mark.slow
def test_a_400_to_everything_stops_sending_before_a_message_fails(sandbox, settings):
    campaign = start_campaign(settings, messages=600, batch_size=200)
    sandbox.behave(account_status=400)
    assert send_all_due()[-1] == "account refused"
    assert sandbox.summary()["calls"] == 10
    assert statuses(campaign) == {"queued"}
    for _ in range(3):
        let_probe_be_due()
        assert send_all_due() == ["account refused"]
    assert statuses(campaign) == {"queued"}
    sandbox.behave(account_status=0)
    let_probe_be_due()
    send_all_due()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent, campaign.failed) == ("completed", 600, 0)
    assert ledger_balances(campaign.owner)


@pytest.mark.slow
def test_a_store_whose_messages_are_refused_does_not_stop_another(sandbox, settings):
    refused = start_campaign(settings, messages=400, batch_size=100, store="alice")
    numbers = refused.campaignmessage_set.values_list("to", flat=True)
    sandbox.behave(bad_numbers=",".join(numbers))
    send_all_due()
    assert SendingStop.objects.exists()
    store = make_store("bob")
    fine = make_campaign(store, make_list(store, 5))
    for number, contact in enumerate(Contact.objects.filter(owner=store)):
        Contact.objects.filter(pk=contact.pk).update(phone=f"+30691{number:07}")
    fine = enqueue.enqueue_campaign(fine.pk)
    for _ in range(40):
        let_probe_be_due()
        send_all_due()
        fine.refresh_from_db()
        if fine.status == "completed":
            break
    assert (fine.status, fine.sent) == ("completed", 5)


def test_refusals_between_which_mitto_accepts_do_not_add_up(sandbox, settings):
    start_campaign(settings, messages=20, batch_size=10)
    for refused in range(1, 7):
        assert sending_stop.count_refused_call() == refused
    assert sending.process_next_batch() == "accepted"
    for refused in range(1, 7):
        assert sending_stop.count_refused_call() == refused


def test_a_single_message_that_is_refused_fails_alone(sandbox, settings):
    campaign = start_campaign(settings, messages=1, batch_size=1)
    sandbox.behave(bad_numbers="+306900000000")
    assert send_all_due() == ["refused"]
    assert not SendingStop.objects.exists()
    message = CampaignMessage.objects.get()
    assert (message.status, message.error_code) == ("failed", "refused_400")
    assert message.last_error == "a destination is not valid"
    assert ledger_balances(campaign.owner)


def test_the_time_of_the_stop_does_not_count_for_reservations(sandbox, settings):
    start_campaign(settings, messages=10, batch_size=10)
    sandbox.behave(account_status=401)
    send_all_due()
    yesterday = timezone.now() - timedelta(days=1)
    SendingStop.objects.update(since=yesterday)
    CreditReservation.objects.update(
        reserved_at=yesterday - timedelta(hours=1), expires_at=yesterday + timedelta(hours=1)
    )
    sending_stop.end_stop(StopReason.ACCOUNT_REFUSED, by="test")
    left = CreditReservation.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


def test_a_late_refusal_of_a_batch_that_was_given_up_fails_its_messages(sandbox, settings):
    settings.STUCK_LOCKED_MINUTES = 0
    campaign = start_campaign(settings, messages=5, batch_size=5)
    batch = sending.claim_next_batch()
    messages = sending.mark_submitting(batch)
    assert run_watchdog()["given_up_as_unknown"] == 1
    refusal = sending.mitto.CallRefused(401, "no such key")
    assert sending.settle_halve_or_requeue_batch(batch, messages, refusal) == "refused"
    campaign.refresh_from_db()
    assert (campaign.unknown, campaign.failed) == (0, 5)
    assert ledger_balances(campaign.owner)


def test_a_refusal_that_is_recorded_twice_counts_once(sandbox, settings):
    start_campaign(settings, messages=5, batch_size=5)
    refusals = [(401, "account refused", 1), (400, "halved", 2)]
    for status, result, batches in refusals:
        batch = sending.claim_next_batch()
        messages = sending.mark_submitting(batch)
        refusal = sending.mitto.CallRefused(status, "no")
        assert sending.settle_halve_or_requeue_batch(batch, messages, refusal) == result
        before = list(Batch.objects.order_by("pk").values()), Wallet.objects.values().get()
        assert sending.settle_halve_or_requeue_batch(batch, messages, refusal) == "claim lost"
        after = list(Batch.objects.order_by("pk").values()), Wallet.objects.values().get()
        assert after == before and len(before[0]) == batches
        sending_stop.end_stop(StopReason.ACCOUNT_REFUSED, by="test")


def stop_after_a_restore():
    sending_stop.stop_sending(StopReason.RESTORED, by="test")


def test_no_probe_is_sent_and_none_ends_a_stop_that_a_person_must_end(sandbox, settings, capsys):
    start_campaign(settings, messages=30, batch_size=10)
    sandbox.behave(account_status=401)
    send_all_due()
    sandbox.behave(account_status=0)
    stop_after_a_restore()
    let_probe_be_due()
    assert send_all_due() == []
    assert sandbox.summary()["calls"] == 1
    jobs.get_queue("sms").empty()
    assert run_watchdog()["batches_enqueued"] == 0
    call_command("sending")
    said = capsys.readouterr().out
    assert "401: the account may not send" in said and "a backup was restored" in said
    assert "once sending is stopped for this reason alone" in said
    call_command("sending", "go-on", "restored")
    assert jobs.count_waiting_jobs("sms") == 1, "the probe that was due"
    assert sending.process_next_batch() == "accepted"
    assert not SendingStop.objects.exists()
    assert set(send_all_due()) == {"accepted"}
    assert (sandbox.summary()["accepted"], sandbox.summary()["duplicates"]) == (30, 0)


def test_a_probe_that_is_under_way_when_a_backup_is_restored_is_not_submitted(sandbox, settings):
    settings.QUEUE_BACKOFF_MS = 60_000
    start_campaign(settings, messages=30, batch_size=10)
    sandbox.behave(account_status=401)
    send_all_due()
    let_probe_be_due()
    probe = sending_stop.claim_one_message_as_probe()
    stop_after_a_restore()
    assert sending.mark_submitting(probe) == []
    assert sandbox.summary()["calls"] == 1


def test_go_on_without_a_reason_ends_no_stop_that_needs_a_look(sandbox, settings, capsys):
    start_campaign(settings, messages=30, batch_size=10)
    sandbox.behave(account_status=401)
    send_all_due()
    stop_after_a_restore()
    with pytest.raises(CommandError, match=r"name the reason.*restored"):
        call_command("sending", "go-on")
    assert SendingStop.objects.count() == 2
    call_command("sending", "go-on", "account_refused")
    assert SendingStop.objects.get().reason == "restored"
    assert send_all_due() == []


@pytest.mark.parametrize("first", ["account_refused", "restored"])
def test_the_time_of_two_stops_counts_once_for_reservations(sandbox, settings, first):
    start_campaign(settings, messages=10, batch_size=10)
    now = timezone.now()
    CreditReservation.objects.update(
        reserved_at=now - timedelta(hours=9), expires_at=now - timedelta(hours=5)
    )
    second = "restored" if first == "account_refused" else "account_refused"
    for reason, hours in ((first, 6), (second, 2)):
        sending_stop.stop_sending(StopReason(reason), by="test")
        SendingStop.objects.filter(reason=reason).update(since=now - timedelta(hours=hours))
    for reason in (first, second):
        sending_stop.end_stop(StopReason(reason), by="test")
    left = CreditReservation.objects.get().expires_at - now
    assert timedelta(hours=1) <= left < timedelta(hours=1, minutes=1)


def test_a_stop_while_nothing_waits_says_what_is_tried_next(sandbox, settings):
    campaign = start_campaign(settings, messages=3)
    sandbox.behave(account_status=401)
    assert send_all_due() == ["account refused"]
    actions.cancel_campaign(campaign, by="test")
    actions.cancel_batches_of_cancelled_campaign(campaign.pk)
    (said,) = sending_stop.describe_stops()
    assert "0 messages wait" in said and "The first message that waits is tried" in said
    sandbox.behave(account_status=0)
    later = start_campaign(settings, store="bob", messages=3)
    let_probe_be_due()
    assert "One is tried at once" in sending_stop.describe_stops()[0]
    assert send_all_due() == ["accepted", "accepted"]
    assert statuses(later) == {"sent"}
