"""A restricted contact is stored and nothing else; an objection always leaves a suppression."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from astronote.accounts.eligibility import SendingBlocked
from astronote.models import AuditEntry, User
from campaigns import clicks, enqueue, message_csv
from campaigns.automations import birthday, welcome
from campaigns.models import (
    Automation,
    AutomationMessage,
    CampaignMessage,
    ConversionEvent,
    NfcScan,
    NfcTag,
    OfferViewEvent,
    Redemption,
)
from compliance import retention, rights
from contacts.consent import change_consent
from contacts.importing import lifecycle
from contacts.marketing_blocks import phones_suppressed_at_store_or_everywhere
from contacts.models import (
    ConsentEvent,
    ConsentEventType,
    Contact,
    ListMembership,
    OptInRequest,
    Suppression,
)
from contacts.phones import phone_hash
from messaging import direct_messages, opt_in_requests, replies, sending
from messaging.models import DirectMessage
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE, OTHER = "+306900000000", "+306900000001"


@pytest.fixture
def alice():
    """A store with two contacts, of which the first is restricted."""
    store = make_store()
    make_list(store, 2, birthday="1990-01-01")
    rights.restrict_contacts_with_phone(PHONE, store.pk, reason="disputes the data", by="test")
    return store


def days_ago(days):
    return timezone.now() - timedelta(days=days)


def restricted():
    return Contact.objects.get(phone=PHONE)


def send_all():
    while sending.process_next_batch() != "none due":
        pass


@pytest.mark.parametrize("message_type", ["marketing", "service"])
def test_a_restricted_contact_is_in_no_audience(alice, message_type):
    for target in (alice.list_set.get(), None):
        chosen = {"list": target} if target else {"filter_age_group": "age_25_39"}
        campaign = make_campaign(alice, None, message_type=message_type)
        type(campaign).objects.filter(pk=campaign.pk).update(**chosen)
        enqueue.enqueue_campaign(campaign.pk)
        sent_to = CampaignMessage.objects.filter(campaign=campaign).values_list("to", flat=True)
        assert list(sent_to) == [OTHER]


@pytest.mark.parametrize("message_type", ["marketing", "service"])
def test_who_is_restricted_after_the_start_is_skipped_before_the_call(alice, sandbox, message_type):
    rights.lift_restrictions_of_contacts_with_phone(PHONE, by="test")
    campaign = make_campaign(alice, alice.list_set.get(), message_type=message_type)
    enqueue.enqueue_campaign(campaign.pk)
    rights.restrict_contacts_with_phone(PHONE, reason="disputes the data", by="test")
    send_all()
    assert [m["destination"] for m in sandbox.messages()] == [OTHER]
    skipped = CampaignMessage.objects.get(to=PHONE)
    assert (skipped.status, skipped.error_code) == ("skipped", "restricted")


def test_a_restricted_contact_gets_no_message_of_an_automation(alice):
    for type_ in ("birthday_message", "welcome_message"):
        Automation.objects.create(owner=alice, type=type_, is_active=True)
    Contact.objects.update(awaits_welcome=True)
    today = timezone.now().date()
    birthday.enqueue_birthday_messages(day_for_all_stores=today.replace(month=1, day=1))
    welcome.enqueue_welcome_messages()
    assert sorted(AutomationMessage.objects.values_list("to", flat=True)) == [OTHER, OTHER]


def test_a_restricted_contact_gets_no_test(alice, sandbox):
    with pytest.raises(direct_messages.SendingBlocked, match="only be stored"):
        direct_messages.get_or_enqueue_direct_message(alice, PHONE, "Test", key="k")
    direct_messages.get_or_enqueue_direct_message(alice, OTHER, "Test", key="k")
    rights.restrict_contacts_with_phone(OTHER, reason="disputes the data", by="test")
    send_all()
    assert sandbox.messages() == []
    assert DirectMessage.objects.get().error_code == "restricted"


def import_rows(store, tmp_path, *rows, **options):
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["phone,first name,opt out", *rows]) + "\n")
    one = lifecycle.create_import_and_enqueue_or_refuse(store.pk, path, "imported", **options)
    return lifecycle.run_open_import_unless_running(one.pk)


def test_an_import_does_not_change_a_restricted_contact(alice, tmp_path):
    before = Contact.objects.filter(phone=PHONE).values().get()
    done = import_rows(alice, tmp_path, f"{PHONE},Other,", f"{OTHER},Other,", consent_source="shop")
    assert Contact.objects.filter(phone=PHONE).values().get() == before
    assert (done.status, done.updated, done.unchanged) == ("completed", 1, 1)
    assert Contact.objects.get(phone=OTHER).first_name == "Other"
    on_list = ListMembership.objects.filter(list__name="imported")
    assert [member.contact.phone for member in on_list] == [OTHER]


def test_a_no_in_a_file_is_kept_though_the_contact_is_not_changed(alice, tmp_path):
    before = Contact.objects.filter(phone=PHONE).values().get()
    import_rows(alice, tmp_path, f"{PHONE},Other,yes")
    assert Contact.objects.filter(phone=PHONE).values().get() == before
    assert phones_suppressed_at_store_or_everywhere(alice.pk, [PHONE]) == {PHONE}


@pytest.mark.parametrize("kept_by", ["restriction", "legal hold"])
def test_retention_removes_nothing_that_belongs_to_a_contact_that_is_kept(alice, kept_by):
    rights.lift_restrictions_of_contacts_with_phone(PHONE, by="test")
    enqueue.enqueue_campaign(make_campaign(alice, alice.list_set.get()).pk)
    if kept_by == "restriction":
        rights.restrict_contacts_with_phone(PHONE, reason="disputes the data", by="test")
    else:
        Contact.objects.filter(phone=PHONE).update(legal_hold=True)
    tag = NfcTag.objects.create(owner=alice, public_id="t", label="door")
    told = {"ip": "192.0.2.7"}
    for message in CampaignMessage.objects.all():
        Redemption.objects.create(message=message, owner=alice, evidence_json=told)
        OfferViewEvent.objects.create(
            campaign_message=message,
            campaign=message.campaign,
            owner=alice,
            ip_address="192.0.2.7",
        )
        NfcScan.objects.create(
            tag=tag, owner=alice, contact=message.contact, ip_address="192.0.2.7"
        )
        ConversionEvent.objects.create(
            owner=alice, contact=message.contact, nfc_tag=tag, metadata=told
        )
        DirectMessage.objects.create(
            owner=alice, to=message.to, text="Hi", segments=1, tracking_id=f"t{message.pk}",
            idempotency_key=message.to, created_at=days_ago(91),
        )  # fmt: skip
    long_ago = days_ago(91)
    Contact.objects.update(consent_evidence=told, sms_consent_at=long_ago, created_at=long_ago)
    CampaignMessage.objects.update(created_at=long_ago)
    Redemption.objects.update(redeemed_at=long_ago)
    OfferViewEvent.objects.update(viewed_at=long_ago)
    NfcScan.objects.update(created_at=long_ago)
    ConversionEvent.objects.update(occurred_at=long_ago)
    assert retention.run_retention_or_raise_if_running().counts == {
        "contacts_contact": 1, "campaigns_redemption": 1, "campaigns_offerviewevent": 1,
        "campaigns_nfcscan": 1, "campaigns_conversionevent": 1, "messaging_directmessage": 1,
    }  # fmt: skip
    kept = restricted()
    assert kept.consent_evidence == told
    assert Redemption.objects.get(message__contact=kept).evidence_json == told
    assert OfferViewEvent.objects.get(campaign_message__contact=kept).ip_address
    assert NfcScan.objects.get(contact=kept).ip_address
    assert ConversionEvent.objects.get(contact=kept).metadata == told
    assert DirectMessage.objects.get(text="Hi").to == PHONE


def test_retention_keeps_a_restricted_contact_and_takes_it_when_the_restriction_ends(
    alice, settings
):
    settings.PII_INACTIVE_DAYS = 30
    Contact.objects.update(
        is_subscribed=False, unsubscribed_at=days_ago(500), created_at=days_ago(600),
        updated_at=days_ago(500), erase_on="2020-01-01",
    )  # fmt: skip
    assert retention.run_retention_or_raise_if_running().counts == {"contacts_contact": 1}
    assert restricted().phone == PHONE
    rights.lift_restrictions_of_contacts_with_phone(PHONE, by="test")
    assert retention.run_retention_or_raise_if_running().counts == {"contacts_contact": 1}


def test_visits_of_a_restricted_contact_are_not_recorded(alice):
    rights.lift_restrictions_of_contacts_with_phone(PHONE, by="test")
    campaign = make_campaign(alice, alice.list_set.get(), offer_url="https://example.com/")
    enqueue.enqueue_campaign(campaign.pk)
    rights.restrict_contacts_with_phone(PHONE, reason="disputes the data", by="test")
    for message in CampaignMessage.objects.all():
        target = clicks.find_target_url_and_count_visit(
            message.tracking_id, user_agent="Firefox", ip_address="192.0.2.7", is_visit=True
        )
        assert target == "https://example.com/"
    assert OfferViewEvent.objects.get().campaign_message.to == OTHER


def test_the_csv_of_messages_marks_who_is_restricted(alice):
    rights.lift_restrictions_of_contacts_with_phone(PHONE, by="test")
    campaign = enqueue.enqueue_campaign(make_campaign(alice, alice.list_set.get()).pk)
    rights.restrict_contacts_with_phone(PHONE, reason="disputes the data", by="test")
    heading, *lines = "".join(message_csv.stream_message_csv_heading_and_lines(campaign.pk)).split()
    assert heading.endswith(",reason,restricted")
    assert [line.rsplit(",", 1)[1] for line in lines] == ["yes", ""]


def test_its_own_stop_is_heard(alice):
    replies.store_replies([{"from": PHONE, "text": "STOP"}])
    replies.apply_received_replies()
    assert not restricted().is_subscribed


def test_the_command_restricts_and_lifts_and_both_are_kept(alice, capsys):
    make_list(bob := make_store("bob"), 1)
    with pytest.raises(CommandError, match="--reason"):
        call_command("person", "restrict", PHONE)
    call_command("person", "restrict", PHONE, "--reason", "unlawful", "--store", bob.email)
    assert "restricted at 1 store" in capsys.readouterr().out
    call_command("person", "restrict", PHONE, "--reason", "again")
    assert "restricted at 0 stores" in capsys.readouterr().out
    reasons = Contact.objects.filter(phone=PHONE).values_list("owner", "restricted_reason")
    assert sorted(reasons) == [(alice.pk, "disputes the data"), (bob.pk, "unlawful")]
    call_command("person", "lift", PHONE)
    assert "no longer restricted at 2 stores" in capsys.readouterr().out
    assert not Contact.objects.filter(restricted_at__isnull=False).exists()
    assert not Contact.objects.exclude(restricted_reason="").exists()
    kept = AuditEntry.objects.filter(action__contains="restrict").order_by("pk")
    assert [(entry.action, entry.owner) for entry in kept] == [
        ("restricted", alice), ("restricted", bob),
        ("restriction lifted", alice), ("restriction lifted", bob),
    ]  # fmt: skip
    assert all(entry.details == {"person": phone_hash(PHONE)} and entry.subject for entry in kept)


def test_an_anonymised_contact_has_nothing_to_restrict(alice, admin_client):
    contact = Contact.objects.get(phone=OTHER)
    Contact.objects.filter(pk=contact.pk).update(phone=None, anonymised_at=timezone.now())
    form = {"_selected_action": [contact.pk], "action": "restrict_person", "reason": "unlawful"}
    page = admin_client.post("/admin/contacts/contact/", form, follow=True)
    assert "0 contacts restricted" in page.text
    contact.refresh_from_db()
    assert contact.restricted_at is None


def test_an_operator_restricts_with_a_reason_and_lifts(alice, admin_client, admin_user):
    contact = Contact.objects.get(phone=OTHER)
    url, chosen = "/admin/contacts/contact/", {"_selected_action": [contact.pk]}
    asked = admin_client.post(url, chosen | {"action": "restrict_person"})
    assert "Reason" in asked.text
    contact.refresh_from_db()
    assert contact.restricted_at is None
    admin_client.post(url, chosen | {"action": "restrict_person", "reason": "unlawful"})
    contact.refresh_from_db()
    assert (contact.restricted_reason, contact.restricted_at is None) == ("unlawful", False)
    page = f"{url}{contact.pk}/change/"
    button = 'class="button ">Lift the restriction'
    assert button in admin_client.get(page).text
    empty = {f"consentevent_set-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL")}
    admin_client.post(page, {"owner": alice.pk, "phone": OTHER, "first_name": "Changed", **empty})
    contact.refresh_from_db()
    assert contact.first_name == "Name1"
    admin_client.post(url, chosen | {"action": "lift_restriction"})
    contact.refresh_from_db()
    assert contact.restricted_at is None
    assert button not in admin_client.get(page).text
    assert AuditEntry.objects.get(action="restriction lifted").actor == admin_user


# Objection


def suppressions():
    return set(Suppression.objects.values_list("owner", "reason"))


def test_an_objection_without_a_contact_leaves_a_suppression(alice):
    number = "+306900000055"
    assert rights.withdraw_all_consent(number, alice.pk, by="test") == 0
    assert suppressions() == {(alice.pk, "objection")}
    assert rights.withdraw_all_consent(number, by="test") == 0
    assert suppressions() == {(alice.pk, "objection"), (None, "objection")}
    assert phones_suppressed_at_store_or_everywhere(make_store("bob").pk, [number]) == {number}


def test_an_objection_of_somebody_who_never_consented_leaves_a_suppression(alice, tmp_path):
    Contact.objects.filter(phone=OTHER).update(is_subscribed=False, service_allowed=False)
    rights.withdraw_all_consent(OTHER, alice.pk, by="test")
    assert suppressions() == {(alice.pk, "objection")}
    Suppression.objects.all().delete()
    import_rows(alice, tmp_path, f"{OTHER},X,", consent_source="shop")
    assert not Contact.objects.get(phone=OTHER).is_subscribed


def test_an_objection_after_a_stop_is_not_taken_back_by_a_start(alice):
    contact = Contact.objects.get(phone=OTHER)
    change_consent(contact.pk, ConsentEventType.SERVICE_REVOKED, source="owner_update")
    replies.store_replies([{"from": OTHER, "text": "STOP"}])
    replies.apply_received_replies()
    assert suppressions() == {(alice.pk, "inbound_stop")}
    assert rights.withdraw_all_consent(OTHER, alice.pk, by="test") == 1, "now an objection"
    assert rights.withdraw_all_consent(OTHER, alice.pk, by="test") == 0
    assert suppressions() == {(alice.pk, "objection")}
    assert ConsentEvent.objects.filter(contact=contact, source="objection").count() == 1
    replies.store_replies([{"from": OTHER, "text": "START"}])
    replies.apply_received_replies()
    assert not Contact.objects.get(phone=OTHER).is_subscribed
    assert phones_suppressed_at_store_or_everywhere(alice.pk, [OTHER]) == {OTHER}


def test_a_restricted_contact_is_not_asked_for_consent_and_gets_no_code(alice):
    User.objects.filter(pk=alice.pk).update(double_opt_in=True)
    Contact.objects.filter(phone=PHONE).update(is_subscribed=False)
    contact = Contact.objects.select_related("owner").get(phone=PHONE)
    with pytest.raises(SendingBlocked, match="only be stored"):
        opt_in_requests.get_or_send_opt_in_request(contact, by="test")
    with pytest.raises(SendingBlocked, match="only be stored"):
        opt_in_requests.send_opt_in_code(contact, "code", wording="May we?", version="")
    one = lifecycle.create_unstarted_import_or_refuse(
        alice.pk, "list.csv", [f"phone\n{PHONE}\n".encode()], consent_source="form"
    )
    lifecycle.start_import_audit_and_enqueue_or_raise(one, by="test")
    lifecycle.run_open_import_unless_running(one.pk)
    assert not OptInRequest.objects.exists() and not DirectMessage.objects.exists()


def test_a_question_that_waited_is_not_sent_once_the_contact_is_restricted(alice, sandbox):
    User.objects.filter(pk=alice.pk).update(double_opt_in=True)
    Contact.objects.filter(phone=OTHER).update(is_subscribed=False)
    contact = Contact.objects.select_related("owner").get(phone=OTHER)
    opt_in_requests.get_or_send_opt_in_request(contact, by="test")
    rights.restrict_contacts_with_phone(OTHER, reason="disputes the data", by="test")
    send_all()
    assert sandbox.messages() == []
    message = DirectMessage.objects.get()
    assert (message.status, message.error_code) == ("skipped", "restricted")
