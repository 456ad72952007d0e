"""A command acts on the row that it names, of the store that it names, and on no other.

Each kind of row is there three times: one of another store with the same name, and two of the
store, of which the second is named.
"""

import json
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command

from astronote.models import User
from campaigns import enqueue
from campaigns.models import (
    Automation,
    Campaign,
    CampaignMessage,
    ExportRun,
    PublicSignupEvent,
    Segment,
)
from campaigns.signup.models import NfcTag
from campaigns.signup.tags import count_scans
from contacts.importing import lifecycle
from contacts.models import Contact, ContactImport, List, ListMembership, RejectedRow
from messaging import outcomes
from messaging.billing import payments
from messaging.billing.models import Package, Payment
from messaging.models import Batch, MessageTemplate
from messaging.outcomes import Outcome
from tests.support.factories import make_campaign, make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stores():
    return make_store("bob"), make_store("alice")


def list_of(store, name, size=2):
    """A list of the store's first contacts, whom its other lists may hold, too."""
    target = List.objects.create(owner=store, name=name)
    for n in range(size):
        phone = f"+30690000000{n}"
        person = Contact.objects.filter(owner=store, phone=phone).first()
        person = person or make_contact(store, phone, is_subscribed=True)
        ListMembership.objects.create(list=target, contact=person)
    return target


def told(capsys, *command, **options):
    capsys.readouterr()
    call_command(*[str(word) for word in command], json=True, **options)
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def campaigns(stores):
    """Drafts: one of bob, two of alice; each store has a list of its own."""
    bob, alice = stores
    return [
        make_campaign(store, list_of(store, name), name=name)
        for store, name in ((bob, "one"), (alice, "one"), (alice, "two"))
    ]


def test_a_campaign_is_started_by_its_id(campaigns):
    call_command("campaign", "start", campaigns[2].pk)
    assert [one.status for one in Campaign.objects.order_by("pk")] == ["draft", "draft", "sending"]


def test_a_campaigns_messages_are_its_own(campaigns, capsys):
    for campaign in campaigns:
        enqueue.enqueue_campaign(campaign.pk)
    told_of = told(capsys, "campaign_status", campaigns[2].pk)
    assert told_of["id"] == campaigns[2].pk
    call_command("campaign_status", campaigns[2].pk, messages=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 2


def test_unknown_messages_are_settled_of_one_campaign_or_one_batch(campaigns, capsys):
    for campaign in campaigns:
        enqueue.enqueue_campaign(campaign.pk)
    outcomes.record_outcomes_and_settle_credits(
        CampaignMessage,
        [Outcome(pk, "unknown") for pk in CampaignMessage.objects.values_list("pk", flat=True)],
    )
    Batch.objects.update(status="settled")
    batches = list(Batch.objects.order_by("pk").values_list("pk", flat=True))
    with pytest.raises(CommandError, match="there is no campaign 0"):
        call_command("unknown", "failed", 0)
    assert told(capsys, "unknown", "failed", campaigns[2].pk) == {"messages": 2}
    assert told(capsys, "unknown", "failed", batches[1], batch=True) == {"messages": 2}
    left = CampaignMessage.objects.filter(status="unknown")
    assert {message.campaign_id for message in left} == {campaigns[0].pk} and left.count() == 2


def test_an_import_is_told_of_by_its_id(stores, capsys):
    made = [
        lifecycle.create_unstarted_import_or_refuse(store.pk, f"{n}.csv", [b"phone\n6900000001\n"])
        for n, store in enumerate((stores[0], stores[1], stores[1]))
    ]
    for one in made:
        RejectedRow.objects.create(contact_import=one, line=2, row=[f"row {one.pk}"], reason="no")
    call_command("contact_import", "rejected", made[2].pk)
    shown = capsys.readouterr().out
    assert f"row {made[2].pk}" in shown and f"row {made[1].pk}" not in shown
    call_command("contact_import", "cancel", made[2].pk)
    cancelled = ContactImport.objects.filter(status="cancelled")
    assert [one.pk for one in cancelled] == [made[2].pk]


def test_members_come_from_the_named_list_segment_and_campaign(stores, campaigns, capsys):
    bob, alice = stores
    for store, name in ((bob, "women"), (alice, "all"), (alice, "women")):
        conditions = {"gender": "female"} if name == "women" else {}
        Segment.objects.create(owner=store, name=name, conditions=conditions)
    Contact.objects.update(gender="male")
    women = [make_contact(store, "+306900000077", gender="female") for store in stores]
    target = List.objects.create(owner=alice, name="target")
    List.objects.create(owner=bob, name="target")
    changed = told(capsys, "list_members", "add", alice.pk, "target", segment="women")
    assert changed == {"list": target.pk, "changed": 1, "not_used": 0}
    assert set(target.listmembership_set.values_list("contact", flat=True)) == {women[1].pk}
    for campaign in campaigns:
        enqueue.enqueue_campaign(campaign.pk)
    CampaignMessage.objects.filter(campaign=campaigns[2]).update(status="delivered")
    by_result = {"campaign": campaigns[2].pk, "result": "delivered"}
    assert told(capsys, "list_members", "add", alice.pk, "target", **by_result)["changed"] == 2
    for name, value in (("campaign", campaigns[0].pk), ("segment", "nobody")):
        with pytest.raises(CommandError):
            call_command(
                "list_members", "add", alice.pk, "target", **{name: value}, result="delivered"
            )
    assert not ListMembership.objects.filter(list__owner=bob, list__name="target").exists()


def test_a_campaign_is_made_for_the_named_list_and_template(stores, capsys):
    bob, alice = stores
    for store, name in ((bob, "two"), (alice, "one"), (alice, "two")):
        list_of(store, name, 2 if name == "two" else 1)
        MessageTemplate.objects.create(owner=store, name=name, text=f"{name} of {store.email}")
    made = told(
        capsys, "send_campaign", alice.pk, name="x", list_name="two", template="two", preview=True
    )
    assert made["recipients"] == 2 and made["text"].startswith("two of alice@example.com")


def test_a_tag_is_switched_by_its_id(stores):
    bob, alice = stores
    tags = [
        NfcTag.objects.create(owner=store, label=label)
        for store, label in ((bob, "one"), (alice, "one"), (alice, "two"))
    ]
    call_command("signup", "off", alice.pk, tag=str(tags[2].pk))
    with pytest.raises(CommandError, match="name a tag of the store"):
        call_command("signup", "off", alice.pk, tag=str(tags[0].pk))
    found = NfcTag.objects.order_by("pk").values_list("is_active", flat=True)
    assert list(found) == [True, True, False]


def test_scans_are_counted_of_one_tag(stores):
    tags = [NfcTag.objects.create(owner=stores[0], label=label) for label in ("one", "two")]
    for tag, status in ((tags[0], "opened"), (tags[1], "opened"), (tags[1], "submitted")):
        tag.nfcscan_set.create(owner=stores[0], status=status)
    assert count_scans(tags[1]) == {"opened": 2, "submitted": 1}


def test_an_automation_is_shown_by_its_type(stores, capsys):
    for store in stores:
        for type in ("birthday_message", "welcome_message"):
            text = f"{type} of {store.email}"
            Automation.objects.create(owner=store, type=type, message_body=text)
    call_command("automation", "show", stores[1].pk, "welcome")
    assert "welcome_message of alice@example.com" in capsys.readouterr().out


def test_a_payment_and_a_dispute_are_named_by_their_id(stores, capsys):
    package = Package.objects.create(name="Small", credits=100, price_cents=4900)
    found = [
        payments.record_purchase(store, package, key=key, by="test")
        for store, key in ((stores[0], "one"), (stores[1], "one"), (stores[1], "two"))
    ]
    refund = ("billing", "refund", stores[1].pk)
    options = {"amount": "10", "key": "back", "reason": "asked"}
    call_command(*refund, payment=found[2].pk, **options)
    with pytest.raises(CommandError, match="has no payment"):
        call_command(*refund, payment=found[0].pk, **options)
    returned = [Payment.objects.get(pk=one.pk).paymentadjustment_set.count() for one in found]
    assert returned == [0, 0, 1]


def test_a_package_is_changed_by_its_name():
    for name in ("Large", "Small"):
        Package.objects.create(name=name, credits=100, price_cents=4900)
    call_command("credit_package", "Small", credits=200)
    assert dict(Package.objects.values_list("name", "credits")) == {"Large": 100, "Small": 200}


def test_exports_are_listed_of_one_store(stores, capsys):
    runs = [
        ExportRun.objects.create(owner=store, content="contacts")
        for store in (stores[0], stores[1], stores[1])
    ]
    call_command("exports", "list", stores[1].pk)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [str(runs[2].pk), str(runs[1].pk)]


def test_commands_list_the_fifty_newest_exports_and_sign_ups(stores, capsys):
    store = stores[1]
    tag = NfcTag.objects.create(owner=store, label="door")
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(51)]
    ExportRun.objects.bulk_create(
        ExportRun(owner=store, content="clicks", range_start=day, range_end=day) for day in days
    )
    PublicSignupEvent.objects.bulk_create(
        PublicSignupEvent(owner=store, tag=tag, idempotency_key=str(n)) for n in range(51)
    )
    call_command("exports", "list", store.pk)
    assert len(capsys.readouterr().out.splitlines()) == 50
    assert len(told(capsys, "signup", "signups", store.pk)) == 50


def test_an_operator_is_changed_by_the_address():
    for name in ("bob", "alice"):
        call_command("create_operator", f"{name}@example.com", role="viewer")
    call_command("operator", "alice@example.com", role="operator")
    found = User.objects.filter(groups__name="operator").values_list("email", flat=True)
    assert list(found) == ["alice@example.com"]
