"""A change of several rows that fails at any of its statements leaves nothing behind."""

from binascii import unhexlify
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_rq import get_scheduler

from astronote.accounts import operators, second_factor
from astronote.accounts.models import Operator
from astronote.accounts.sessions import Session, SessionStore
from astronote.models import AuditEntry, User
from astronote.operations import registry
from astronote.queues import jobs
from campaigns import actions, enqueue, list_members, repairs, schedule, service_campaigns
from campaigns.automations import due_messages, rule_presets, switching, welcome
from campaigns.models import Automation, AutomationMessage, Campaign, CampaignMessage
from campaigns.segment_forms import create_and_audit_segment_or_validation_error
from compliance import off_boarding, retention, rights
from compliance.models import RetentionRun
from contacts import consent_records, phone_hash_rotation, restriction
from contacts.consent import change_consent
from contacts.importing import lifecycle, planning
from contacts.models import ConsentEvent, Contact, List, MarketingHold, MessageType
from contacts.phones import phone_hash
from messaging import (
    batch_queue,
    batch_splitting,
    credits,
    direct_messages,
    mitto,
    opt_in_requests,
    outcomes,
    receipts,
    replies,
    reply_reviews,
    sending,
    sending_stop,
    starter_templates,
    unknown_messages,
)
from messaging import repairs as sending_repairs
from messaging.models import Batch, CreditReservation, SendingStop
from messaging.outcomes import Outcome
from messaging.statuses import StopReason
from tests.support.checks import rows_of_other_stores
from tests.support.factories import make_campaign, make_contact, make_list, make_store
from tests.support.failing import assert_nothing_stays_of_a_failed_change
from tests.support.receipts import store_receipts

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000000"


@pytest.fixture
def store():
    """A store of Greece with three contacts on a list."""
    owner = make_store(phone_region="GR", sender_name="+302100000001", double_opt_in=True)
    make_list(owner, 3)
    return owner


def person(store):
    return Contact.objects.filter(owner=store).earliest("pk")


def started(store):
    return enqueue.enqueue_campaign(make_campaign(store, store.list_set.get()).pk)


def claimed(store):
    """A batch of three that is being submitted, with its messages."""
    started(store)
    batch = sending.claim_next_batch()
    return batch, sending.mark_submitting(batch)


def unknown(store):
    campaign = started(store)
    ids = list(CampaignMessage.objects.values_list("pk", flat=True))
    outcomes.record_outcomes_and_settle_credits(
        CampaignMessage, [Outcome(pk, "unknown") for pk in ids]
    )
    Batch.objects.update(status="settled")
    return campaign


def operator(email="me@example.com"):
    return operators.create_operator_and_audit(email, "viewer", by="test").pk


def logged_in_operator(email="me@example.com"):
    pk = operator(email)
    session = SessionStore()
    session["_auth_user_id"] = str(pk)
    session.create()
    return pk


# Accounts


def create_operator(store):
    return lambda: operators.create_operator_and_audit("x@example.com", "viewer", by="test")


def change_role(store):
    pk = operator()
    return lambda: operators.change_role(Operator.objects.get(pk=pk), "operator", by="test")


def disable_operator(store):
    pk = logged_in_operator()
    return lambda: operators.set_active(Operator.objects.get(pk=pk), False, by="test")


def end_sessions(store):
    pk = logged_in_operator()
    return lambda: operators.end_one_or_all_sessions_and_audit(
        Operator.objects.get(pk=pk), by="test"
    )


def change_several_things_of_an_operator(store):
    logged_in_operator()
    return lambda: call_command(
        "operator", "me@example.com", role="operator", disable=True, end_sessions=True
    )


def recovery_codes(store):
    account = Operator.objects.get(pk=operator())
    second_factor.replace_recovery_codes_and_audit(account)
    return lambda: second_factor.replace_recovery_codes_and_audit(account)


def replace_app(store):
    account = Operator.objects.get(pk=operator())
    key = second_factor.new_hex_key_of_app()
    code = f"{totp(unhexlify(key)):06}"
    return lambda: second_factor.replace_authenticator_app(account, key, code)


def remove_second_factor(store):
    account = Operator.objects.get(pk=operator())
    second_factor.replace_recovery_codes_and_audit(account)
    return lambda: second_factor.remove_all_factors_and_audit(account, by="test")


# Campaigns


def start(store):
    campaign = make_campaign(store, store.list_set.get())
    return lambda: enqueue.enqueue_campaign(campaign.pk, by="test")


def pause(store):
    campaign = started(store)
    return lambda: actions.pause_campaign(campaign, by="test")


def resume(store):
    campaign = started(store)
    actions.pause_campaign(campaign, by="test")
    return lambda: actions.resume_campaign(campaign, by="test")


def cancel(store):
    campaign = started(store)
    return lambda: actions.cancel_campaign(campaign, by="test")


def draft_to_those_not_reached(store):
    campaign = started(store)
    CampaignMessage.objects.update(status="failed")
    Campaign.objects.update(status="completed")
    return lambda: actions.get_or_create_draft_to_not_reached(campaign, by="test")


def schedule_campaign(store):
    campaign, at = make_campaign(store, store.list_set.get()), timezone.now() + timedelta(days=1)
    return lambda: schedule.schedule_campaign(campaign, at, by="test")


def unschedule(store):
    campaign = make_campaign(
        store, store.list_set.get(), status="scheduled", scheduled_at=timezone.now()
    )
    return lambda: schedule.unschedule_campaign(campaign, by="test")


def save_campaign_with_audience(store):
    more = List.objects.create(owner=store, name="more")

    def change():
        campaign = Campaign(owner=store, created_by=store, name="x", message_text="Hello")
        campaign.choose_audience([campaign.audiencechoices.model(list=more)])
        campaign.save()

    return change


def service_campaign(store):
    """A campaign that needs a second person, and two accounts that may send it."""
    User.objects.filter(pk=store.pk).update(service_max_recipients=1)
    campaign = make_campaign(
        User.objects.get(pk=store.pk), store.list_set.get(), message_type="service"
    )
    accounts = [User.objects.create_superuser(f"{name}@example.com") for name in ("bob", "charlie")]
    return campaign, *accounts


def ask_for_confirmation(store):
    campaign, asks, _ = service_campaign(store)
    return lambda: service_campaigns.ask_for_confirmation(campaign, by=asks)


def confirm(store):
    campaign, asks, confirms = service_campaign(store)
    service_campaigns.ask_for_confirmation(campaign, by=asks)
    digest = service_campaigns.settings_digest(campaign)
    return lambda: service_campaigns.confirm_campaign(campaign, digest, by=confirms)


def welcome_messages(store):
    Contact.objects.update(awaits_welcome=True)
    Automation.objects.create(
        owner=store, type="welcome_message", message_body="Welcome!", is_active=True
    )
    return lambda: due_messages.enqueue_due_messages(
        AutomationMessage,
        due_messages.find_due_contacts(
            due_messages.eligible_automations("welcome_message"),
            "c.awaits_welcome",
            "welcome",
        ),
        after_write=welcome._clear_awaits_welcome_of_written_contacts,
    )


def keep_block_reasons(store):
    automation = Automation.objects.create(owner=store, type="welcome_message", message_body="Hi")
    return lambda: due_messages.set_block_reasons(
        Automation, [automation], {automation.pk: "no text"}, {}
    )


def repair_stuck_campaign(store):
    started(store)
    CampaignMessage.objects.update(batch=None)
    Batch.objects.all().delete()
    Campaign.objects.update(updated_at=timezone.now() - timedelta(days=1))
    return lambda: repairs.repair_stuck_campaigns(False)


def add_members(store):
    target = List.objects.create(owner=store, name="regulars")
    return lambda: list_members.add_members(target, Contact.objects.all(), by="test")


def remove_members(store):
    return lambda: list_members.remove_contacts_from_list_and_audit(
        store.list_set.get(), Contact.objects.all(), by="test"
    )


def add_rules(store):
    return lambda: rule_presets.add_missing_presets(store, "en", by="test")


def switch_automation(store):
    automation = Automation.objects.create(
        owner=store, type="welcome_message", message_body="Welcome!"
    )
    return lambda: switching.switch_automation_and_audit_or_raise(automation, True, by="test")


def create_segment(store):
    return lambda: create_and_audit_segment_or_validation_error(
        store, "women", {"gender": "female"}, by="test"
    )


# Rights of persons and of stores


def erase(store):
    started(store)
    change_consent(person(store).pk, "unsubscribed", source="test")
    return lambda: rights.erase_or_restrict_person_by_phone(PHONE, by="test")


def correct(store):
    make_contact(make_store("bob"), PHONE)
    return lambda: rights.correct_contacts_with_phone_and_audit(
        PHONE, {"first_name": "Zoe"}, by="test"
    )


def object_as_a_stranger(store):
    return lambda: rights.withdraw_all_consent("+306999999999", store.pk, by="test")


def restrict(store):
    pk = person(store).pk
    return lambda: restriction.restrict_contact(pk, reason="x", by="test")


def lift(store):
    pk = person(store).pk
    restriction.restrict_contact(pk, reason="x", by="test")
    return lambda: restriction.lift_restriction(pk, by="test")


def off_board(store):
    def change():
        off_boarding.off_board_store(
            store, erase_on=timezone.now().date() + timedelta(days=3), by="test"
        )

    return change


def take_back(store):
    off_board(store)()
    return lambda: off_boarding.take_back_store_or_raise_cannot_return(store, by="test")


def erase_data_of_store(store):
    off_board(store)()
    User.objects.update(erase_on=timezone.now().date())
    change_consent(person(store).pk, "unsubscribed", source="test")
    return lambda: off_boarding._delete_or_empty_rows_in_chunks(
        next(one for one in registry.personal_data if one.model == "contacts.Contact"),
        Contact.objects.order_by("pk"),
    )


def retention_of_contacts(store):
    change_consent(person(store).pk, "unsubscribed", source="test")
    long_ago = timezone.now() - timedelta(days=5000)
    Contact.objects.update(
        created_at=long_ago, updated_at=long_ago, unsubscribed_at=long_ago, is_subscribed=False
    )
    run = RetentionRun.objects.create(retention_days=1, cutoff=timezone.now())
    [rule] = [one for one in retention.retention_rules() if one.table == "contacts_contact"][:1]
    return lambda: retention._apply_rule_to_unlocked_rows_in_chunks(
        rule, timezone.now(), run, lambda count: None
    )


# Contacts


def opt_out(store):
    pk = person(store).pk
    return lambda: change_consent(pk, "unsubscribed", source="test")


def opt_in(store):
    pk = person(store).pk
    change_consent(pk, "unsubscribed", source="test")
    return lambda: change_consent(pk, "subscribed", source="test")


def record_consent(store):
    Contact.objects.update(is_subscribed=False)
    consent = consent_records.RecordedConsent(
        consent_records.ConsentChannel.PAPER, timezone.now() - timedelta(1), "here", "Yes", "form 1"
    )
    return lambda: consent_records.record_consent(
        person(store), MessageType.MARKETING, consent, by="test"
    )


def record_opt_out(store):
    return lambda: consent_records.record_opt_out_and_audit(
        person(store), MessageType.MARKETING, by="test"
    )


def another_number(store):
    def change():
        contact = person(store)
        contact.phone = "+306911111111"
        contact.save()

    return change


def new_hash_key(store):
    change_consent(person(store).pk, "unsubscribed", source="test")
    MarketingHold.objects.create(owner=store, phone_hash=phone_hash(PHONE), reply_id=1)

    def change():
        with override_settings(PHONE_HASH_KEY="b" * 40, PHONE_HASH_KEY_OLD=settings.PHONE_HASH_KEY):
            phone_hash_rotation.rehash_suppressions_and_holds([PHONE])

    return change


def uploaded(store):
    one = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "new.csv", [b"phone,name\n6900000099,Nina\nnothing,Zoe\n"], list_name="new"
    )
    planning.plan_import_and_store_plan_or_refuse(one)
    return one


def upload(store):
    return lambda: lifecycle.create_unstarted_import_or_refuse(
        store.pk, "new.csv", [b"phone\n6900000099\n"], list_name="new"
    )


def start_import(store):
    one = uploaded(store)
    return lambda: lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")


def cancel_import(store):
    one = uploaded(store)
    return lambda: lifecycle.cancel_import_and_audit_or_raise_ended(one, by="test")


def create_and_start_import(store):
    path = Path(__file__).parents[1] / "data" / "imports" / "brevo_contacts.csv"
    return lambda: lifecycle.create_import_and_enqueue_or_refuse(store.pk, path, list_name="new")


# Credits and messages


def top_up(store):
    return lambda: credits.top_up(store.pk, 5, reason="test", key="once")


def expire_reservations(store):
    unknown(store)
    CreditReservation.objects.update(expires_at=timezone.now() - timedelta(1))
    ids = list(Batch.objects.values_list("pk", flat=True))
    return lambda: credits.expire_overdue_reservations(ids)


def send_to_one_number(store):
    return lambda: direct_messages.get_or_enqueue_even_if_opted_out(store, PHONE, "Hello", key="k")


def ask_for_consent(store):
    Contact.objects.update(is_subscribed=False)
    return lambda: opt_in_requests.get_or_send_opt_in_request(person(store), by="test")


def close_old_requests(store):
    Contact.objects.update(is_subscribed=False)
    person(store).optinrequest_set.create(purpose="double_opt_in", wording="May we?")
    person(store).optinrequest_set.update(created_at=timezone.now() - timedelta(days=300))
    return opt_in_requests._close_and_audit_requests_waiting_too_long


def send_waiting_requests(store):
    Contact.objects.update(is_subscribed=False)
    for contact in Contact.objects.filter(owner=store):
        contact.optinrequest_set.create(purpose="double_opt_in", wording="May we?")
    return lambda: opt_in_requests._send_or_close_next_requests_of_store(store)


def answer_request(store):
    request = ask_for_consent(store)()
    return lambda: opt_in_requests.subscribe_or_close_request_if_open(
        request, opt_in_requests.Evidence(), at=timezone.now()
    )


def send_code(store):
    change_consent(person(store).pk, "unsubscribed", source="unsubscribe_page")
    text = "Your code is {{opt_in_code}}"
    return lambda: opt_in_requests.send_opt_in_code(person(store), text, wording="Yes", version="1")


def begin_to_send(store):
    started(store)
    CampaignMessage.objects.filter(to=PHONE).update(to="+306911111111")
    batch = sending.claim_next_batch()

    def change():
        jobs.redis_connection().flushdb()  # else it knows of the submission that was undone
        sending.mark_submitting(batch)

    return change


def record_answer(store):
    batch, messages = claimed(store)
    items = [mitto.SentItem(f"id{message.id}", "") for message in messages]
    return lambda: sending.settle_halve_or_requeue_batch(
        batch, messages, mitto.Accepted(items, "bulk")
    )


def record_answer_about_some(store):
    batch, messages = claimed(store)
    return lambda: sending.settle_halve_or_requeue_batch(
        batch, messages, mitto.Accepted([mitto.SentItem("id1", "")], "bulk")
    )


def record_refusal(store):
    batch, messages = claimed(store)
    return lambda: sending._settle_as_failed_if_own_attempt(batch, messages, "refused", "no")


def halve(store):
    batch, messages = claimed(store)
    ids = [message.id for message in messages]

    def change():
        fresh = Batch.objects.get(pk=batch.pk)
        batch_splitting.halve_batch(fresh, ids, reason="x")

    return change


def cancel_batches(store):
    started(store)
    ids = list(Batch.objects.values_list("pk", flat=True))
    return lambda: batch_queue.cancel_unsent_batches(ids, skip_reason="x")


def record_outcomes(store):
    started(store)
    ids = list(CampaignMessage.objects.values_list("pk", flat=True))
    return lambda: outcomes.record_outcomes_and_settle_credits(
        CampaignMessage, [Outcome(pk, "sent", f"id{pk}") for pk in ids]
    )


def apply_receipts(store):
    started(store)
    for pk in CampaignMessage.objects.values_list("pk", flat=True):
        outcomes.record_outcomes_and_settle_credits(
            CampaignMessage, [Outcome(pk, "sent", f"id{pk}")]
        )
    store_receipts([{"messageId": f"id{pk}", "deliveryStatus": "Delivered"}])
    counts = {"applied": 0, "waiting": 0, "unmatched": 0}
    return lambda: receipts._apply_next_receipts(after_id=0, counts=counts)


def take_claim_back(store):
    started(store)
    sending.claim_next_batch()
    Batch.objects.update(claimed_at=timezone.now() - timedelta(days=1))
    return lambda: sending_repairs.reset_stale_claims(False)


def give_batch_up(store):
    claimed(store)
    Batch.objects.update(claimed_at=timezone.now() - timedelta(days=1))
    return lambda: sending_repairs.resend_or_give_up_unanswered_batches(False)


def decide_reply(store):
    replies.store_replies([{"from": PHONE, "text": "wrong number"}])
    replies.apply_received_replies()
    reply = reply_reviews.open_reviews().get()
    return lambda: reply_reviews.decide_review(reply.pk, is_opt_out=True, by="test")


def apply_reply(store):
    started(store)
    replies.store_replies([{"from": PHONE, "text": "STOP"}])

    def change():
        replies._apply_reply_and_get_count_name(replies._replies_not_applied().get())

    return change


def stop_sending(store):
    return lambda: sending_stop.stop_sending(StopReason.ACCOUNT_REFUSED, by="test")


def let_sending_go_on(store):
    started(store)
    sending_stop.stop_sending(StopReason.ACCOUNT_REFUSED, by="test")
    return lambda: sending_stop.end_stop(StopReason.ACCOUNT_REFUSED, by="test")


def claim_probe(store):
    started(store)
    sending_stop.stop_sending(StopReason.ACCOUNT_REFUSED, by="test")
    SendingStop.objects.update(next_probe_at=timezone.now() - timedelta(1))
    return sending_stop.claim_one_message_as_probe


def copy_templates(store):
    return lambda: starter_templates.copy_library_templates(store, "en", by="test")


def message_ids(store):
    return list(CampaignMessage.objects.filter(owner=store).values_list("pk", flat=True))


def mark_unknown_delivered(store):
    unknown(store)
    return lambda: unknown_messages.mark_unknown_delivered(
        CampaignMessage, message_ids(store), by="test"
    )


def send_unknown_again(store):
    unknown(store)
    return lambda: unknown_messages.requeue_unknown(CampaignMessage, message_ids(store), by="test")


CHANGES = (
    create_operator, change_role, disable_operator, end_sessions,
    change_several_things_of_an_operator, recovery_codes, replace_app, remove_second_factor,
    start, pause, resume, cancel, draft_to_those_not_reached, schedule_campaign, unschedule,
    save_campaign_with_audience, repair_stuck_campaign, add_members, remove_members, add_rules,
    switch_automation, create_segment, ask_for_confirmation, confirm, welcome_messages,
    keep_block_reasons, object_as_a_stranger, erase_data_of_store, retention_of_contacts,
     new_hash_key, create_and_start_import,
    erase, correct, restrict, lift, off_board, take_back,
    opt_out, opt_in, record_consent, record_opt_out, another_number, upload, start_import,
    cancel_import,
    top_up, expire_reservations, send_to_one_number, ask_for_consent, close_old_requests,
    send_waiting_requests, answer_request, send_code, begin_to_send, record_answer,
    record_answer_about_some, record_refusal, halve, cancel_batches, record_outcomes,
    apply_receipts, take_claim_back, give_batch_up, decide_reply, apply_reply, stop_sending,
    let_sending_go_on, claim_probe, copy_templates, mark_unknown_delivered, send_unknown_again,
)  # fmt: skip


@pytest.mark.parametrize("prepare", CHANGES)
def test_nothing_stays_of_a_change_that_fails(store, prepare):
    assert_nothing_stays_of_a_failed_change(prepare(store))


OF_NO_STORE = (
    "operator created", "role changed", "operator disabled", "sessions ended",
    "recovery codes made", "second factor removed", "personal data erased",
    "personal data corrected", "sending stopped", "sending goes on",
)  # fmt: skip


@pytest.mark.parametrize(
    ("prepare", "entry", "job"),
    [
        (create_operator, "operator created", None),
        (change_role, "role changed", None),
        (disable_operator, "operator disabled", None),
        (end_sessions, "sessions ended", None),
        (recovery_codes, "recovery codes made", None),
        (remove_second_factor, "second factor removed", None),
        (start, "start", "sms:send_next_batch"),
        (pause, "pause", None),
        (resume, "resume", "sms:send_next_batch"),
        (cancel, "cancel", "scheduler:drop_cancelled_batches"),
        (draft_to_those_not_reached, "send to those not reached", None),
        (schedule_campaign, "schedule", "later:start_campaign"),
        (unschedule, "unschedule", None),
        (repair_stuck_campaign, "stuck campaign repaired", "sms:send_next_batch"),
        (add_members, "members added", None),
        (remove_members, "members removed", None),
        (add_rules, "automation rules added", None),
        (switch_automation, "switched on", None),
        (create_segment, "added", None),
        (ask_for_confirmation, "ask for confirmation", None),
        (confirm, "confirm", None),
        (welcome_messages, None, "sms:send_next_batch"),
        (keep_block_reasons, "automation not sent", None),
        (object_as_a_stranger, "objection", None),
        (erase, "personal data erased", None),
        (correct, "personal data corrected", None),
        (restrict, "restricted", None),
        (lift, "restriction lifted", None),
        (off_board, "store off-boarded", "pii_retention:continue_off_boarding"),
        (take_back, "store returned", None),
        (record_consent, "consent recorded", None),
        (record_opt_out, "opt-out recorded", None),
        (create_and_start_import, "import started", "contact_import:import_contacts"),
        (start_import, "import started", "contact_import:import_contacts"),
        (cancel_import, "import cancelled", None),
        (send_to_one_number, None, "sms:send_next_batch"),
        (ask_for_consent, "asked for consent", "sms:send_next_batch"),
        (close_old_requests, "opt-in requests not sent", None),
        (send_waiting_requests, None, "sms:send_next_batch"),
        (send_code, None, "sms:send_next_batch"),
        (record_answer_about_some, None, "sms:send_next_batch"),
        (take_claim_back, "claim taken back", None),
        (give_batch_up, "batch given up as unknown", None),
        (decide_reply, "reply decided", None),
        (stop_sending, "sending stopped", "later:send_next_batch"),
        (let_sending_go_on, "sending goes on", "sms:send_next_batch"),
        (claim_probe, None, "later:send_next_batch"),
        (copy_templates, "starter templates", None),
        (mark_unknown_delivered, "unknown marked delivered", None),
        (send_unknown_again, "unknown sent again", "sms:send_next_batch"),
    ],
)
def test_a_change_is_in_the_audit_trail_of_its_store_and_enqueues_its_job(
    store, prepare, entry, job
):
    change = prepare(store)
    AuditEntry.objects.all().delete()
    jobs.redis_connection().flushdb()
    change()
    owner = None if entry in OF_NO_STORE else store.pk
    entries = list(AuditEntry.objects.values_list("action", "owner"))
    assert entries == ([(entry, owner)] if entry else [])
    assert enqueued() == ([job] if job else [])


ACCOUNTS = (
    create_operator, change_role, disable_operator, end_sessions, recovery_codes, replace_app,
    remove_second_factor, change_several_things_of_an_operator, ask_for_confirmation, confirm,
)  # fmt: skip
OF_ALL_STORES = (
    repair_stuck_campaign, welcome_messages, keep_block_reasons, erase_data_of_store,
    retention_of_contacts, new_hash_key, erase, correct, close_old_requests, apply_receipts,
    take_claim_back, give_batch_up, apply_reply, decide_reply, stop_sending, let_sending_go_on,
    claim_probe, top_up,
)  # fmt: skip


@pytest.mark.parametrize(
    "prepare", [one for one in CHANGES if one not in (*ACCOUNTS, *OF_ALL_STORES)]
)
def test_a_change_leaves_the_same_things_of_another_store_alone(store, prepare):
    change = prepare(store)
    bob = make_store("bob", phone_region="GR", sender_name="+302100000002", double_opt_in=True)
    make_list(bob, 3)
    prepare(bob)
    before = rows_of_other_stores(store)
    change()
    after = rows_of_other_stores(store)
    assert {table for table in before if after[table] != before[table]} == set()


@pytest.mark.parametrize(
    "prepare",
    [
        repair_stuck_campaign, welcome_messages, keep_block_reasons, new_hash_key, erase,
        close_old_requests, apply_receipts, take_claim_back, give_batch_up, apply_reply,
        decide_reply, retention_of_contacts, expire_reservations,
    ],
)  # fmt: skip
def test_what_works_for_all_stores_leaves_alone_what_needs_nothing(store, prepare):
    change = prepare(store)
    bob = make_store("bob")
    person_of_bob = make_contact(bob, "+306955555555", first_name="Bob", awaits_welcome=True)
    target = List.objects.create(owner=bob, name="all")
    target.listmembership_set.create(contact=person_of_bob)
    Campaign.objects.filter(pk=started(bob).pk).update(updated_at=timezone.now())
    Batch.objects.filter(owner=bob).update(
        status="claimed", claim_token=uuid4(), claimed_at=timezone.now()
    )
    make_contact(bob, "+306966666666", is_subscribed=False).optinrequest_set.create(
        purpose="double_opt_in", wording="May we?"
    )
    change_consent(make_contact(bob, "+306977777777").pk, "unsubscribed", source="test")
    ConsentEvent.objects.filter(owner=bob).update(meta={"proof": "form 1"})
    MarketingHold.objects.create(owner=bob, phone_hash="of-bob", reply_id=0)
    Automation.objects.create(owner=bob, type="welcome_message", message_body="Hi")
    before = rows_of_other_stores(store)
    change()
    after = rows_of_other_stores(store)
    assert {table for table in before if after[table] != before[table]} == set()


@pytest.mark.parametrize(
    "prepare",
    [
        change_role, disable_operator, end_sessions, change_several_things_of_an_operator,
        recovery_codes, replace_app, remove_second_factor,
    ],
)  # fmt: skip
def test_a_change_of_an_operator_leaves_another_alone(store, prepare):
    bob = Operator.objects.get(pk=logged_in_operator("bob@example.com"))
    TOTPDevice.objects.create(user=bob, name="app")
    second_factor.replace_recovery_codes_and_audit(bob)

    def access_of_bob():
        bob.refresh_from_db()
        return (
            bob.is_active,
            bob.password,
            list(bob.groups.values_list("name", flat=True)),
            list(Session.objects.filter(account=bob).values_list("session_key", flat=True)),
            list(TOTPDevice.objects.filter(user=bob).values_list("key", flat=True)),
            sorted(StaticToken.objects.filter(device__user=bob).values_list("token", flat=True)),
        )

    before = access_of_bob()
    prepare(store)()
    assert access_of_bob() == before


def enqueued():
    """The jobs that wait, each with its queue, or `later` if it is delayed."""
    waiting = {name: jobs.get_queue(name).get_jobs() for name in settings.RQ_QUEUES}
    waiting["later"] = get_scheduler("scheduler").get_jobs()
    return [
        f"{place}:{job.func_name.rpartition('.')[2]}"
        for place, found in waiting.items()
        for job in found
    ]
