"""A batch that Mitto refuses as a whole is halved until the messages at fault stand alone."""

from datetime import timedelta

import pytest
from django.utils import timezone

from astronote.operations.watchdog import run_watchdog
from campaigns import actions
from campaigns.models import CampaignMessage
from contacts.consent import change_consent
from contacts.models import Contact
from messaging import sending
from messaging.batch_splitting import MAX_PARTS, was_any_part_accepted_by_mitto
from messaging.models import Batch, SendingStop, Wallet
from tests.support.checks import ledger_balances
from tests.support.sending import send_all_due, start_campaign

pytestmark = pytest.mark.django_db(transaction=True)


def number(n):
    return f"+30690{n:07}"


@pytest.mark.slow
@pytest.mark.parametrize("bad", [(0, 1, 2), (0, 499, 999), (3, 250, 750), (124, 626, 998)])
def test_of_a_thousand_three_bad_numbers_fail_and_the_rest_go_out(sandbox, settings, bad):
    campaign = start_campaign(settings, messages=1000)
    sandbox.behave(bad_numbers=",".join(map(number, bad)))
    send_all_due()
    summary = sandbox.summary()
    assert (summary["accepted"], summary["duplicates"]) == (997, 0)
    assert summary["calls"] <= 70
    failed = CampaignMessage.objects.filter(status="failed").order_by("to")
    assert list(failed.values_list("to", "error_code", "last_error")) == [
        (number(n), "refused_400", "a destination is not valid") for n in bad
    ]
    campaign.refresh_from_db()
    assert (campaign.status, campaign.sent, campaign.failed) == ("completed", 997, 3)
    wallet = Wallet.objects.get()
    assert (wallet.balance, wallet.reserved_balance) == (10_000 - 997, 0)
    assert ledger_balances(campaign.owner)
    assert set(Batch.objects.values_list("attempts", flat=True)) == {1}
    assert not SendingStop.objects.exists()


@pytest.mark.slow
def test_calls_for_a_batch_full_of_bad_numbers_are_bounded(sandbox, settings):
    """Every fourth is bad: what 199 calls cannot tell apart fails together."""
    settings.STOP_SENDING_PERCENT = 0
    campaign = start_campaign(settings, messages=1000)
    sandbox.behave(bad_numbers=",".join(map(number, range(0, 1000, 4))))
    probes = 0
    send_all_due()
    while SendingStop.objects.exists():
        # Many refusals in a row look like a refusal of the account, until a good message is tried.
        SendingStop.objects.update(next_probe_at=timezone.now() - timedelta(seconds=1))
        probes += 1
        send_all_due()
    summary = sandbox.summary()
    assert summary["calls"] <= 199 + probes
    assert summary["duplicates"] == 0
    campaign.refresh_from_db()
    assert (campaign.queued, campaign.unknown) == (0, 0)
    assert campaign.failed >= 250 and campaign.sent == summary["accepted"]
    assert ledger_balances(campaign.owner)


def test_batches_of_others_do_not_count_as_parts(sandbox, settings):
    campaign = start_campaign(settings, messages=4)
    others = {"owner": campaign.owner, "kind": "campaign", "sender": "SHOP", "size": 1}
    settled = {"status": "settled", "submitted_at": timezone.now(), "settled_at": timezone.now()}
    Batch.objects.bulk_create(Batch(**others, **settled) for _ in range(MAX_PARTS))
    batch = Batch.objects.get(status="pending")
    assert not was_any_part_accepted_by_mitto(batch)
    sandbox.behave(bad_numbers=number(0))
    assert sending.process_next_batch() == "halved"


def test_who_opts_out_between_the_halves_is_not_messaged(sandbox, settings):
    campaign = start_campaign(settings, messages=100)
    sandbox.behave(bad_numbers=number(0))
    assert sending.process_next_batch() == "halved"
    leaver = Contact.objects.get(phone=number(77))
    change_consent(leaver.pk, "unsubscribed", source="owner_update")
    send_all_due()
    assert number(77) not in [message["destination"] for message in sandbox.messages()]
    campaign.refresh_from_db()
    assert (campaign.sent, campaign.failed, campaign.skipped) == (98, 1, 1)
    assert ledger_balances(campaign.owner)


def test_a_campaign_is_paused_and_cancelled_between_the_halves(sandbox, settings):
    campaign = start_campaign(settings, messages=100)
    sandbox.behave(bad_numbers=number(0))
    assert sending.process_next_batch() == "halved"
    actions.pause_campaign(campaign, by="test")
    assert send_all_due() == []
    actions.resume_campaign(campaign, by="test")
    assert sending.process_next_batch() in ("halved", "accepted")
    actions.cancel_campaign(campaign, by="test")
    send_all_due()
    assert Wallet.objects.get().reserved_balance == 0
    assert not Batch.objects.filter(status="pending").exists()
    assert ledger_balances(campaign.owner)


def test_a_worker_that_dies_with_a_half_makes_only_that_half_unknown(sandbox, settings):
    settings.STUCK_LOCKED_MINUTES = 0
    campaign = start_campaign(settings, messages=100)
    sandbox.behave(bad_numbers=number(0))
    assert sending.process_next_batch() == "halved"
    half = sending.claim_next_batch()
    assert len(sending.mark_submitting(half)) == 50
    assert run_watchdog()["given_up_as_unknown"] == 1
    send_all_due()
    campaign.refresh_from_db()
    assert (campaign.unknown, campaign.sent + campaign.failed) == (50, 50)
    assert sandbox.summary()["duplicates"] == 0
    assert ledger_balances(campaign.owner)


def test_a_worker_that_lost_its_claim_halves_nothing(sandbox, settings):
    start_campaign(settings, messages=100)
    batch = sending.claim_next_batch()
    messages = sending.mark_submitting(batch)
    Batch.objects.update(claim_token=None)
    refusal = sending.mitto.CallRefused(400, "a destination is not valid")
    assert sending.settle_halve_or_requeue_batch(batch, messages, refusal) == "claim lost"
    kept = Batch.objects.get()
    assert (kept.status, kept.size) == ("submitting", 100)
    assert set(CampaignMessage.objects.values_list("status", flat=True)) == {"queued"}
