"""A decision holds for the row as it is: what another session changes meanwhile is waited for."""

from contextlib import contextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from astronote.accounts import second_factor
from astronote.accounts.models import Operator
from astronote.common.locks import advisory_lock
from astronote.common.sql import execute
from astronote.models import AuditEntry, User
from campaigns import enqueue, repairs, schedule, service_campaigns
from campaigns.automations import switching
from campaigns.models import Automation, Campaign, CampaignMessage
from compliance import off_boarding, retention, rights
from compliance.erasure import delete_contacts
from contacts import customer_events, marketing_blocks, restriction
from contacts.consent import change_consent
from contacts.importing import lifecycle, planning
from contacts.models import Contact, ContactImport, DateOrder, OptInRequest
from contacts.sending_window import sending_window
from messaging import (
    batch_queue,
    credits,
    database_age,
    limits,
    opt_in_requests,
    outcomes,
    polling,
    receipts,
    replies,
    reply_reviews,
    sending,
    sending_stop,
    unknown_messages,
)
from messaging import repairs as sending_repairs
from messaging.limits import Postponed
from messaging.models import Batch, CreditReservation, SendingStop, Wallet
from messaging.outcomes import Outcome
from messaging.statuses import StopReason
from tests.support.checks import ledger_balances, lock_held_elsewhere, table_fingerprints
from tests.support.factories import make_campaign, make_contact, make_list, make_store
from tests.support.meanwhile import changed_meanwhile
from tests.support.receipts import store_receipts

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000000"


@pytest.fixture
def store():
    """A store of Greece with three contacts on a list."""
    owner = make_store(phone_region="GR", sender_name="+302100000001", double_opt_in=True)
    make_list(owner, 3)
    return owner


@pytest.fixture
def campaign(store):
    """A draft to the three."""
    return make_campaign(store, store.list_set.get())


def update(model, **values):
    return lambda: model.objects.update(**values)


def claimed(campaign):
    enqueue.enqueue_campaign(campaign.pk)
    batch = sending.claim_next_batch()
    return batch, sending.mark_submitting(batch)


# Campaigns and automations


def test_a_campaign_that_is_cancelled_while_it_starts_sends_nothing(campaign):
    with changed_meanwhile(update(Campaign, status="cancelled")):
        enqueue.enqueue_campaign(campaign.pk)
    assert not CampaignMessage.objects.exists() and Campaign.objects.get().status == "cancelled"


def test_a_campaign_that_starts_meanwhile_cannot_be_scheduled(campaign):
    at = timezone.now() + timedelta(days=1)
    with (
        changed_meanwhile(update(Campaign, status="sending")),
        pytest.raises(ValueError, match="only a draft"),
    ):
        schedule.schedule_campaign(campaign, at, by="test")


def test_a_campaign_that_starts_meanwhile_needs_no_confirmation(campaign):
    User.objects.update(service_max_recipients=1)
    Campaign.objects.update(message_type="service")
    account = User.objects.create_superuser("bob@example.com")
    with (
        changed_meanwhile(update(Campaign, status="sending")),
        pytest.raises(ValueError, match="was started already"),
    ):
        service_campaigns.ask_for_confirmation(campaign, by=account)


def test_a_campaign_that_ends_meanwhile_is_not_repaired(campaign):
    Campaign.objects.update(status="sending", updated_at=timezone.now() - timedelta(days=1))
    with changed_meanwhile(update(Campaign, status="cancelled")):
        repairs.repair_stuck_campaigns(False)
    assert not AuditEntry.objects.exists()


def test_an_automation_is_switched_once(store):
    automation = Automation.objects.create(
        owner=store, type="welcome_message", message_body="Welcome!"
    )
    with changed_meanwhile(update(Automation, is_active=True)):
        assert not switching.switch_automation_and_audit_or_raise(automation, True, by="test")
    assert not AuditEntry.objects.exists()


# Contacts, imports and the rights of persons


def test_who_is_anonymised_meanwhile_is_not_subscribed(store):
    person = Contact.objects.earliest("pk")
    Contact.objects.update(is_subscribed=False)
    with changed_meanwhile(update(Contact, phone=None)):
        assert not change_consent(person.pk, "subscribed", source="test")
    assert not Contact.objects.exclude(phone=None).exists()


def test_a_contact_that_gets_another_number_meanwhile_starts_without_consent():
    person = make_contact(make_store())
    with changed_meanwhile(update(Contact, phone="+306911111111")):
        person.save()
    person.refresh_from_db()
    assert (person.phone, person.is_subscribed) == ("+306900000001", False)


def test_an_erasure_waits_for_an_import_that_is_writing_the_person(store):
    one = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "new.csv", [b"phone,name\n6999999999,Nina\n"]
    )

    def write():
        ContactImport.objects.update(status="processing")
        make_contact(store, "+306999999999", first_name="Nina")

    with changed_meanwhile(write):
        rights.erase_or_restrict_person_by_phone("+306999999999", by="test")
    assert not Contact.objects.filter(first_name="Nina").exists()
    assert ContactImport.objects.get().pk == one.pk


def test_an_import_that_is_cancelled_meanwhile_writes_nothing_more(store):
    one = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "new.csv", [b"phone,name\n6999999999,Nina\n"]
    )
    planning.plan_import_and_store_plan_or_refuse(one)
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    ContactImport.objects.update(status="processing", date_order=DateOrder.ISO)
    one.refresh_from_db()
    with changed_meanwhile(update(ContactImport, status="cancelled")):
        lifecycle._write_rows_and_tell_if_file_unchanged(one)
    assert ContactImport.objects.get().status == "cancelled"
    assert not Contact.objects.filter(first_name="Nina").exists()


def test_a_store_whose_data_is_erased_since_a_moment_cannot_return(store):
    today = timezone.now().date()
    User.objects.update(left_at=timezone.now(), erase_on=today + timedelta(days=9))
    with (
        changed_meanwhile(update(User, erase_on=today)),
        pytest.raises(off_boarding.CannotReturn),
    ):
        off_boarding.take_back_store_or_raise_cannot_return(store, by="test")
    assert User.objects.get().left_at


@pytest.mark.parametrize("stop", ["restrict", "suppress", "opt_out"])
def test_what_ends_messages_waits_for_a_call_that_is_about_to_begin(store, stop):
    def open_window():
        window = sending_window(store.pk)
        window.__enter__()
        return window

    pk = Contact.objects.earliest("pk").pk
    with changed_meanwhile(open_window) as other:
        if stop == "restrict":
            restriction.restrict_contact(pk, reason="x", by="test")
        elif stop == "suppress":
            marketing_blocks.wait_for_sends_and_suppress_phones(store.pk, [PHONE], reason="x")
        else:
            change_consent(pk, "unsubscribed", source="test")
    assert other.was_waited_for


# Accounts


def test_a_recovery_code_lets_in_once(store):
    account = Operator.objects.create_superuser("bob@example.com")
    code, *_ = second_factor.replace_recovery_codes_and_audit(account)
    with (
        changed_meanwhile(lambda: second_factor.verify_code_or_refuse(account, code)),
        pytest.raises(second_factor.SecondFactorRefused),
    ):
        second_factor.verify_code_or_refuse(account, code)


# Consent by request


def test_a_contact_is_asked_once(store):
    Contact.objects.update(is_subscribed=False)
    person = Contact.objects.earliest("pk")

    def ask():
        return opt_in_requests.get_or_send_opt_in_request(person, by="test")

    with changed_meanwhile(ask):
        ask()
    assert OptInRequest.objects.count() == 1


def test_a_request_that_is_closed_meanwhile_subscribes_nobody(store):
    Contact.objects.update(is_subscribed=False)
    person = Contact.objects.earliest("pk")
    request = opt_in_requests.get_or_send_opt_in_request(person, by="test")

    def close():
        Contact.objects.update(updated_at=timezone.now())
        OptInRequest.objects.update(closed_at=timezone.now())

    with changed_meanwhile(close):
        assert not opt_in_requests.subscribe_or_close_request_if_open(
            request, opt_in_requests.Evidence(), at=timezone.now()
        )
    assert not Contact.objects.filter(is_subscribed=True).exists()


def with_code(store):
    person = Contact.objects.earliest("pk")
    change_consent(person.pk, "unsubscribed", source="unsubscribe_page")
    text = "Your code is {{opt_in_code}}"
    send = opt_in_requests.send_opt_in_code
    person.refresh_from_db()
    return person, lambda: send(person, text, wording="Yes", version="1")


def test_each_wrong_code_counts(store):
    person, send = with_code(store)
    send()

    def enter():
        return opt_in_requests.subscribe_by_code(
            person, "0", source="test", evidence=opt_in_requests.Evidence()
        )

    with changed_meanwhile(enter):
        enter()
    assert OptInRequest.objects.get().attempts == 2


def test_of_two_codes_that_are_asked_for_at_once_one_counts(store):
    _, send = with_code(store)
    with changed_meanwhile(send):
        send()
    assert OptInRequest.objects.filter(closed_at=None, answered_at=None).count() == 1


def test_a_reply_that_is_decided_meanwhile_is_not_decided_again(store):
    replies.store_replies([{"from": PHONE, "text": "wrong number"}])
    replies.apply_received_replies()
    reply = reply_reviews.open_reviews().get()

    def decide(is_opt_out):
        reply_reviews.decide_review(reply.pk, is_opt_out=is_opt_out, by="test")

    with (
        changed_meanwhile(lambda: decide(True)),
        pytest.raises(reply_reviews.DecisionRefused, match="decided already"),
    ):
        decide(False)
    reply.refresh_from_db()
    assert reply.consent_request == "stop"
    assert AuditEntry.objects.filter(action="reply decided").count() == 1


# Batches and credits


def test_a_batch_that_is_submitted_meanwhile_is_not_cancelled(campaign):
    enqueue.enqueue_campaign(campaign.pk)
    pk = Batch.objects.get().pk
    with changed_meanwhile(update(Batch, status="submitting", submitted_at=timezone.now())):
        assert batch_queue.cancel_unsent_batches([pk], skip_reason="x") == 0
    assert set(CampaignMessage.objects.values_list("status", flat=True)) == {"queued"}


def test_a_batch_that_is_claimed_meanwhile_is_not_released(campaign):
    enqueue.enqueue_campaign(campaign.pk)
    with changed_meanwhile(update(Batch, status="cancelled")):
        assert batch_queue.release_pending_batches() == 0


def test_a_batch_that_is_settled_meanwhile_is_not_unknown(campaign):
    enqueue.enqueue_campaign(campaign.pk)
    pk = Batch.objects.get().pk
    with changed_meanwhile(update(Batch, status="settled")):
        assert database_age._settle_open_batch_as_unknown(pk) is None


def test_messages_of_an_attempt_whose_batch_is_taken_meanwhile_do_not_fail(campaign):
    batch, messages = claimed(campaign)
    with changed_meanwhile(update(Batch, status="pending", claim_token=uuid4())):
        assert not sending._settle_as_failed_if_own_attempt(batch, messages, "refused", "no")
    assert set(CampaignMessage.objects.values_list("status", flat=True)) == {"queued"}


def test_a_batch_that_is_being_settled_is_not_given_up(campaign):
    claimed(campaign)
    Batch.objects.update(claimed_at=timezone.now() - timedelta(days=1))
    with changed_meanwhile(update(Batch, status="settled")) as other:
        assert sending_repairs.resend_or_give_up_unanswered_batches(False) == 0
    assert not other.was_waited_for


def test_a_message_that_turns_out_delivered_meanwhile_is_not_sent_again(campaign):
    enqueue.enqueue_campaign(campaign.pk)
    ids = list(CampaignMessage.objects.values_list("pk", flat=True))
    unknown = [Outcome(pk, "unknown") for pk in ids]
    outcomes.record_outcomes_and_settle_credits(CampaignMessage, unknown)

    def deliver():
        delivered = [Outcome(pk, "delivered") for pk in ids]
        outcomes.record_outcomes_and_settle_credits(CampaignMessage, delivered)

    with changed_meanwhile(deliver):
        again = unknown_messages.requeue_unknown(CampaignMessage, ids, by="test")
    assert again == 0
    assert set(CampaignMessage.objects.values_list("status", flat=True)) == {"delivered"}
    assert ledger_balances(campaign.owner)


def test_two_batches_share_a_cap_of_the_store(campaign, settings):
    settings.OWNER_SMS_PER_MINUTE = 3
    enqueue.enqueue_campaign(campaign.pk)
    earlier = Batch.objects.create(
        owner=campaign.owner, kind="campaign", sender="SHOP", size=3, status="settled"
    )
    batch = sending.claim_next_batch()

    def submit():
        limits.lock_store_caps(campaign.owner_id)
        Batch.objects.filter(pk=earlier.pk).update(submitted_at=timezone.now())

    with changed_meanwhile(submit), pytest.raises(Postponed):
        sending.mark_submitting(batch)


def test_a_charge_after_the_reservation_expired_loses_no_top_up(campaign):
    enqueue.enqueue_campaign(campaign.pk)
    pk, store = Batch.objects.get().pk, campaign.owner_id
    CreditReservation.objects.update(status="expired", released=F("amount"))
    Wallet.objects.update(reserved_balance=0)
    with (
        changed_meanwhile(lambda: credits.top_up(store, 100, reason="test", key="more")),
        transaction.atomic(),
    ):
        credits.settle_reservation(store, pk, charge=1, release=0)
    assert Wallet.objects.get().balance == 1000 + 100 - 1


def test_a_top_up_that_is_made_twice_at_once_counts_once(store):
    def top_up():
        return credits.top_up(store.pk, 100, reason="test", key="once")

    with changed_meanwhile(top_up):
        top_up()
    assert Wallet.objects.get().balance == 1100


# Stops


def stopped():
    sending_stop.stop_sending(StopReason.ACCOUNT_REFUSED, by="test")
    SendingStop.objects.update(next_probe_at=timezone.now() - timedelta(1))


def test_a_stop_that_ends_meanwhile_is_not_ended_again(store):
    stopped()
    with changed_meanwhile(lambda: SendingStop.objects.all().delete()):
        assert not sending_stop.end_stop(StopReason.ACCOUNT_REFUSED, by="test")
    assert not AuditEntry.objects.filter(action="sending goes on").exists()


def test_no_probe_is_sent_for_a_stop_that_ends_meanwhile(campaign):
    enqueue.enqueue_campaign(campaign.pk)
    stopped()
    with changed_meanwhile(lambda: SendingStop.objects.all().delete()):
        assert sending_stop.claim_one_message_as_probe() is None
    assert set(Batch.objects.values_list("status", flat=True)) == {"pending"}


def test_a_refused_probe_of_a_stop_that_ends_meanwhile_counts_for_nothing(store):
    stopped()
    with changed_meanwhile(lambda: SendingStop.objects.all().delete()):
        sending_stop.count_refused_probe_and_delay_next()
    assert not SendingStop.objects.exists()


# Work that runs once at a time


@contextmanager
def unchanged():
    before = table_fingerprints()
    yield
    assert table_fingerprints() == before


def test_a_stores_data_is_erased_by_one_process_at_a_time(store):
    User.objects.update(left_at=timezone.now(), erase_on=timezone.now().date())
    with lock_held_elsewhere(f"off-boarding {store.pk}"), unchanged():
        assert off_boarding.end_open_work_and_erase_data_if_due(store.pk) == {}


def test_a_second_retention_run_is_refused():
    with lock_held_elsewhere("retention"), unchanged(), pytest.raises(RuntimeError):
        retention.run_retention_or_raise_if_running(by="test")


@pytest.mark.parametrize(
    ("work", "poll"),
    [
        ("delivery status poller", polling.poll_recent_messages_unless_running),
        ("status refresh", polling.poll_older_messages_unless_running),
    ],
)
def test_a_message_is_asked_about_by_one_process_at_a_time(sandbox, campaign, work, poll):
    enqueue.enqueue_campaign(campaign.pk)
    sending.process_next_batch()
    age = timedelta(hours=1) if "poller" in work else timedelta(hours=9)
    Batch.objects.update(settled_at=timezone.now() - age)
    with lock_held_elsewhere(work), unchanged():
        assert poll() == {}
    assert poll()


@pytest.mark.parametrize(
    ("work", "apply"),
    [
        ("receipts", receipts.apply_received_receipts),
        (replies.REPLIES_LOCK, replies.apply_received_replies),
    ],
)
def test_what_has_come_is_applied_after_what_another_process_is_applying(work, apply):
    def hold():
        held = advisory_lock(work)
        assert held.__enter__()
        return held

    with changed_meanwhile(hold) as other:
        apply()
    assert other.was_waited_for


def test_an_import_is_read_by_one_process_at_a_time(store):
    one = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "new.csv", [b"phone,name\n6999999999,Nina\n"]
    )
    planning.plan_import_and_store_plan_or_refuse(one)
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    with lock_held_elsewhere(f"import {one.pk}"):
        lifecycle.run_open_import_unless_running(one.pk)
        assert not Contact.objects.filter(first_name="Nina").exists()
    lifecycle.run_open_import_unless_running(one.pk)
    assert Contact.objects.filter(first_name="Nina").exists()


def test_a_request_whose_contact_is_locked_is_left_to_the_next_run(store):
    Contact.objects.update(is_subscribed=False)
    for contact in Contact.objects.all():
        contact.optinrequest_set.create(purpose="double_opt_in", wording="May we?")
    locked = Contact.objects.filter(phone=PHONE)
    with changed_meanwhile(lambda: list(locked.select_for_update())) as other:
        assert opt_in_requests._send_or_close_next_requests_of_store(store)["sent"] == 2
    assert not other.was_waited_for
    assert opt_in_requests._send_or_close_next_requests_of_store(store)["sent"] == 1


def test_no_event_is_written_for_a_contact_that_is_erased_meanwhile(store):
    pk = Contact.objects.get(phone=PHONE).pk
    now, rejected = timezone.now(), []
    event = customer_events.NewEvent(PHONE, "visit", "completed", now, None, "", None, 7)
    with changed_meanwhile(lambda: delete_contacts([pk])):
        customer_events.record_customer_events_and_audit(
            store, [event], by="test", reject=lambda line, reason: rejected.append(line)
        )
    assert rejected == [7]


def test_a_store_is_off_boarded_once(store):
    def off_board():
        off_boarding.off_board_store(
            store, erase_on=timezone.now().date() + timedelta(days=9), by="test"
        )

    with changed_meanwhile(off_board):
        off_board()
    assert AuditEntry.objects.count() == 1


# Lock order (docs/architecture.md#lock-order)


def outcomes_of_two_batches(store):
    ids = list(CampaignMessage.objects.order_by("-pk").values_list("pk", flat=True))
    return Batch, lambda: outcomes.record_outcomes_and_settle_credits(
        CampaignMessage, [Outcome(pk, "sent", f"id{pk}") for pk in ids]
    )


def receipts_of_two_batches(store):
    ids = list(CampaignMessage.objects.values_list("pk", flat=True))
    outcomes.record_outcomes_and_settle_credits(
        CampaignMessage, [Outcome(pk, "sent", f"id{pk}") for pk in ids]
    )
    store_receipts([{"messageId": f"id{pk}", "deliveryStatus": "Delivered"} for pk in ids])
    return Batch, receipts.apply_received_receipts


def credits_of_two_stores(store):
    other = make_store("bob")
    return Wallet, lambda: credits.hold_credits_where_sufficient({other.pk: 1, store.pk: 1})


def reservations_that_expire(store):
    CreditReservation.objects.update(expires_at=timezone.now() - timedelta(1))
    Batch.objects.update(status="settled")
    ids = list(Batch.objects.order_by("-pk").values_list("pk", flat=True))
    return CreditReservation, lambda: credits.expire_overdue_reservations(ids)


def wallets_that_get_credits_back(store):
    bob = make_store("bob")
    enqueue.enqueue_campaign(make_campaign(bob, make_list(bob, 1)).pk)
    _, call = reservations_that_expire(store)
    return Wallet, call


def erased_contacts(store):
    ids = list(Contact.objects.order_by("-pk").values_list("pk", flat=True))
    return Contact, lambda: delete_contacts(ids)


def events_of_two_contacts(store):
    phones = Contact.objects.order_by("-pk").values_list("phone", flat=True)
    now = timezone.now()
    new = [
        customer_events.NewEvent(phone, "visit", "completed", now, None, "", None, line)
        for line, phone in enumerate(phones)
    ]
    return (
        Contact,
        lambda: customer_events._lock_contacts_and_upsert_events_or_reject_unknown_or_restricted(
            store, new, print
        ),
    )


@pytest.mark.parametrize(
    "prepare",
    [
        outcomes_of_two_batches, receipts_of_two_batches, credits_of_two_stores,
        reservations_that_expire, wallets_that_get_credits_back, erased_contacts,
        events_of_two_contacts,
    ],
)  # fmt: skip
def test_rows_are_locked_in_the_order_of_their_keys(campaign, settings, prepare):
    """Who waits for the first row holds none after it, so that no two wait for each other."""
    settings.SMS_BATCH_SIZE = 2
    enqueue.enqueue_campaign(campaign.pk)
    model, call = prepare(campaign.owner)
    first, second = model.objects.order_by("pk").values_list("pk", flat=True)[:2]
    # An updated row stands after the others, where a scan of the table finds it last.
    model.objects.filter(pk=first).update(**{model._meta.pk.name: first})
    execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
    try:
        with (
            changed_meanwhile(
                lambda: list(model.objects.select_for_update().filter(pk=first)),
                lambda: (
                    model.objects.select_for_update(skip_locked=True).filter(pk=second).exists()
                ),
            ) as other,
            transaction.atomic(),
        ):
            call()
    finally:
        execute("RESET enable_indexscan; RESET enable_bitmapscan")
    assert other.was_waited_for
    assert other.seen, "the second row was locked before the first"
