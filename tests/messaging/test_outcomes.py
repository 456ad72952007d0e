"""Which status of a message may follow which, and what happens to its credits."""

import threading
from datetime import timedelta
from itertools import product

import pytest
from django.db import connection, transaction
from django.utils import timezone

from astronote.models import AuditEntry
from astronote.operations.watchdog import run_watchdog
from astronote.queues import jobs
from campaigns import enqueue
from campaigns.models import Campaign, CampaignMessage
from messaging import credits, mitto, outcomes, sending, unknown_messages
from messaging.batch_queue import claim_next_batch
from messaging.models import Batch, CreditReservation, CreditTransaction, Wallet
from messaging.outcomes import Outcome
from messaging.statuses import MessageStatus
from tests.support.checks import ledger_balances
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
ALLOWED = {
    "queued": {"sent", "failed", "skipped", "unknown"},
    "sent": {"delivered", "failed"},
    "unknown": {"sent", "delivered", "failed"},
    "delivered": set(),
    "failed": set(),
    "skipped": set(),
}
FIRST_WAY_TO = {"queued": [], "delivered": ["sent", "delivered"]}


def started(size, name="alice", **store):
    owner = make_store(name, **store)
    return owner, enqueue.enqueue_campaign(make_campaign(owner, make_list(owner, size)).pk)


def ids_of(campaign):
    found = CampaignMessage.objects.filter(campaign=campaign).order_by("pk")
    return list(found.values_list("pk", flat=True))


def record(pk, status):
    return outcomes.record_outcomes_and_settle_credits(CampaignMessage, [Outcome(pk, status)])


def record_first(pk, status):
    with transaction.atomic():
        Batch.objects.select_for_update().get()
        return outcomes.record_mostly_first_outcomes_and_settle_credits(
            CampaignMessage, [Outcome(pk, status)]
        )


def status_of(pk):
    return CampaignMessage.objects.values_list("status", flat=True).get(pk=pk)


@pytest.mark.slow
@pytest.mark.parametrize("record", [record, record_first])
def test_a_status_follows_another_only_where_the_design_says_so(record):
    pairs = list(product(ALLOWED, MessageStatus.values))
    _, campaign = started(len(pairs))
    found = {}
    for pk, (before, after) in zip(ids_of(campaign), pairs, strict=True):
        for status in FIRST_WAY_TO.get(before, [before]):
            assert record(pk, status) == 1
        moved = record(pk, after)
        assert status_of(pk) == (after if moved else before)
        if moved:
            found.setdefault(before, set()).add(after)
    assert found == {before: after for before, after in ALLOWED.items() if after}
    assert ledger_balances(campaign.owner)


def test_who_holds_a_batch_may_change_its_messages_and_an_outcome_waits():
    _, campaign = started(1)
    [pk] = ids_of(campaign)
    moved = []

    def decide():
        moved.append(record(pk, "sent"))
        connection.close()

    with transaction.atomic():
        Batch.objects.select_for_update().get()
        beside = threading.Thread(target=decide)
        beside.start()
        wait_until(one_waits_for_a_lock, seconds=5)
        message = CampaignMessage.objects.select_for_update(nowait=True).get(pk=pk)
        assert message.status == "queued"
    beside.join(10)
    assert moved == [1]


def one_waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] == 1


def submit(answer):
    batch = claim_next_batch()
    messages = sending.mark_submitting(batch)
    return sending.settle_halve_or_requeue_batch(batch, messages, answer)


def without_answer(size, name="alice", **store):
    owner, campaign = started(size, name, **store)
    assert submit(mitto.Ambiguous("no answer in time")) == "unknown"
    return owner, campaign, ids_of(campaign)


def test_a_reservation_says_how_it_ended():
    _, _, ids = without_answer(3)
    ended = []
    for pk, status in zip(ids, ("failed", "delivered", "failed"), strict=True):
        record(pk, status)
        ended.append(CreditReservation.objects.get())
    assert [(r.status, r.charged, r.released, r.held) for r in ended] == [
        ("reserved", 0, 1, 2),
        ("reserved", 1, 1, 1),
        ("committed", 1, 2, 0),
    ]


def test_a_reservation_of_which_nothing_was_sent_is_released():
    started(1)
    submit(mitto.CallRefused(400, "no"))
    reservation = CreditReservation.objects.get()
    assert (reservation.status, reservation.released) == ("released", 1)


def test_messages_charged_one_after_the_other_are_an_entry_each():
    store, _, ids = without_answer(2)
    for pk in ids:
        record(pk, "delivered")
    entries = CreditTransaction.objects.filter(type="debit").order_by("pk")
    assert list(entries.values_list("amount", "balance_after")) == [(1, 999), (1, 998)]
    assert {entry.batch_id for entry in entries} == {Batch.objects.get().pk}
    assert ledger_balances(store)


def test_credits_are_held_for_as_long_as_the_setting_says(settings):
    settings.CREDIT_RESERVATION_TTL_MINUTES = 90
    started(1)
    life = CreditReservation.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=89) < life <= timedelta(minutes=90)


def test_a_top_up_counts_once_for_each_key():
    store = make_store(balance=0)
    for key in ("invoice-1", "invoice-1", "invoice-2"):
        wallet = credits.top_up(store.pk, 50, reason="invoice", key=key)
    assert wallet.balance == 100
    entries = CreditTransaction.objects.order_by("pk").values_list("amount", "balance_after")
    assert list(entries) == [(50, 50), (50, 100)]
    assert ledger_balances(store)


def test_a_big_chain_buys_more_than_fits_32_bits(sandbox):
    store = make_store(balance=0)
    for order in range(30):
        wallet = credits.top_up(store.pk, 100_000_000, reason="order", key=f"order-{order}")
    assert wallet.balance == 3_000_000_000
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk)
    sending.process_next_batch()
    assert Wallet.objects.get().balance == 3_000_000_000 - 3
    assert ledger_balances(store)


@pytest.mark.parametrize("amount", [0, -5, 100_000_001])
def test_a_top_up_of_nothing_or_by_a_slip_is_refused(amount):
    store = make_store()
    with pytest.raises(ValueError, match="from 1 to 100,000,000 credits"):
        credits.top_up(store.pk, amount, reason="test", key="test")
    assert Wallet.objects.get().balance == 1000


def test_each_store_gets_back_what_it_held():
    alice, _, _ = without_answer(2)
    bob, _, _ = without_answer(3, "bob")
    without_answer(4, "carol")
    CreditReservation.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    batches = {batch.owner_id: batch.pk for batch in Batch.objects.all()}
    expired = credits.expire_overdue_reservations([batches[alice.pk], batches[bob.pk]])
    assert sorted(expired) == sorted(
        [(alice.pk, batches[alice.pk], 2), (bob.pk, batches[bob.pk], 3)]
    )
    held = Wallet.objects.order_by("owner").values_list("reserved_balance", flat=True)
    assert list(held) == [0, 0, 4]
    statuses = CreditReservation.objects.order_by("owner").values_list("status", flat=True)
    assert list(statuses) == ["expired", "expired", "reserved"]


def test_credits_that_have_not_expired_or_are_of_a_waiting_batch_stay_held():
    without_answer(2)
    started(3, "bob")
    ids = list(Batch.objects.values_list("pk", flat=True))
    assert credits.expire_overdue_reservations(ids) == []
    CreditReservation.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    assert [amount for *_, amount in credits.expire_overdue_reservations(ids)] == [2]
    assert credits.expire_overdue_reservations(ids) == []


def test_what_was_sent_after_its_credits_expired_takes_none_held_for_others(caplog):
    store, campaign, ids = without_answer(5, balance=7)
    CreditReservation.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    run_watchdog()
    enqueue.enqueue_campaign(make_campaign(store, campaign.list).pk)
    unknown_messages.mark_unknown_delivered(CampaignMessage, ids, by="test")
    wallet = Wallet.objects.get()
    assert (wallet.balance, wallet.reserved_balance) == (5, 5)
    assert CreditTransaction.objects.get(type="debit").amount == 2
    assert "3 parts" in caplog.text and "cannot pay" in caplog.text
    assert ledger_balances(store)


def test_messages_marked_failed_say_that_an_operator_did_it(admin_user):
    _, campaign, ids = without_answer(2)
    unknown_messages.mark_unknown_failed(CampaignMessage, ids[:1], by=admin_user)
    unknown_messages.mark_unknown_delivered(CampaignMessage, ids[1:], by=admin_user)
    kept = CampaignMessage.objects.order_by("pk").values_list("status", "error_code")
    assert list(kept) == [("failed", "by_operator"), ("delivered", "")]
    audited = AuditEntry.objects.order_by("pk").values_list("action", "owner_id", "details")
    assert [(action, owner, details["messages"]) for action, owner, details in audited] == [
        ("unknown marked failed", campaign.owner_id, 1),
        ("unknown marked delivered", campaign.owner_id, 1),
    ]


def test_messages_sent_again_are_new_ones_with_jobs_and_an_audit_entry(admin_user):
    _, _, of_alice = without_answer(2)
    _, _, of_bob = without_answer(3, "bob")
    jobs.get_queue("sms").empty()
    assert (
        unknown_messages.requeue_unknown(CampaignMessage, [*of_alice, *of_bob], by=admin_user) == 5
    )
    assert jobs.count_waiting_jobs("sms") == 2
    kept = AuditEntry.objects.filter(actor=admin_user, action="unknown sent again")
    assert sorted(entry.details["messages"] for entry in kept) == [2, 3]
    messages = CampaignMessage.objects.values_list("status", "error_code", "last_error")
    assert set(messages) == {("queued", "", "")}
    new = Batch.objects.filter(status="pending").values_list("size", "sender", "message_type")
    assert sorted(new) == [(2, "TESTSHOP", "marketing"), (3, "TESTSHOP", "marketing")]
    assert [wallet.reserved_balance for wallet in Wallet.objects.order_by("pk")] == [2, 3]


def test_only_messages_whose_fate_is_unknown_are_sent_again():
    _, _, ids = without_answer(3)
    record(ids[0], "delivered")
    assert unknown_messages.requeue_unknown(CampaignMessage, ids, by="test") == 2
    assert status_of(ids[0]) == "delivered"
    assert unknown_messages.requeue_unknown(CampaignMessage, ids, by="test") == 0
    assert CreditReservation.objects.filter(status="reserved").get().amount == 2


def test_messages_that_cannot_be_paid_are_not_sent_again():
    store, _, ids = without_answer(2)
    CreditReservation.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    run_watchdog()
    Wallet.objects.filter(owner=store).update(balance=1)
    with pytest.raises(credits.InsufficientCredits):
        unknown_messages.requeue_unknown(CampaignMessage, ids, by="test")
    assert Batch.objects.count() == 1
    assert {status_of(pk) for pk in ids} == {"unknown"}
    assert Campaign.objects.get().unknown == 2
