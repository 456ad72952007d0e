"""Birthday and welcome messages: to whom, how often, what they cost, and who could not pay."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from astronote.models import AuditEntry
from astronote.queues import jobs
from campaigns.audience import campaign_audience_with_consent_and_age, local_today, years_before
from campaigns.automations import birthday, switching, welcome
from campaigns.models import Automation, AutomationMessage
from contacts.models import Contact, List, ListMembership, Suppression
from contacts.phones import phone_hash
from messaging import sending
from messaging.models import Batch, Tally, Wallet
from tests.support.checks import ledger_balances, lock_held_elsewhere
from tests.support.factories import make_campaign, make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
DAY = date(2026, 5, 17)


@pytest.fixture
def alice():
    return make_store()


def ago(**span):
    return timezone.now() - timedelta(**span)


def automation(store, kind="birthday", *, on=True, **fields):
    fields = {"message_body": "Hello {{first_name}}"} | fields
    return Automation.objects.create(owner=store, type=f"{kind}_message", is_active=on, **fields)


def contact(store, number=1, **fields):
    fields = {"birthday": date(1990, 5, 17), "first_name": f"N{number}"} | fields
    return make_contact(store, f"+30690{number:07}", **fields)


def names():
    """First names of those who have a message."""
    return list(
        AutomationMessage.objects.order_by("pk").values_list("contact__first_name", flat=True)
    )


# Birthdays


def test_the_same_contact_gets_a_birthday_message_each_year(alice):
    automation(alice)
    contact(alice)
    for year, count in ((2026, 1), (2026, 0), (2027, 1), (2027, 0)):
        assert (
            birthday.enqueue_birthday_messages(day_for_all_stores=DAY.replace(year=year))[
                "messages"
            ]
            == count
        )
    keys = AutomationMessage.objects.order_by("pk").values_list("occurrence_key", flat=True)
    assert list(keys) == ["2026", "2027"]


@pytest.mark.parametrize(
    ("born", "messages"), [(date(2008, 5, 17), 1), (date(2009, 5, 17), 0), (None, 0)]
)
def test_a_birthday_message_is_for_adults(alice, born, messages):
    automation(alice)
    contact(alice, birthday=born)
    assert birthday.enqueue_birthday_messages(day_for_all_stores=DAY)["messages"] == messages


def test_the_month_counts_as_well_as_the_day(alice):
    automation(alice)
    contact(alice, birthday=date(1990, 6, 17))
    assert birthday.enqueue_birthday_messages(day_for_all_stores=DAY)["messages"] == 0


@pytest.mark.parametrize(
    ("kind", "consents", "messages"),
    [("marketing", {"service_allowed": False}, 1), ("marketing", {"is_subscribed": False}, 0),
     ("service", {"is_subscribed": False}, 1), ("service", {"service_allowed": False}, 0)],
)  # fmt: skip
def test_each_type_of_automation_asks_for_its_own_consent(alice, kind, consents, messages):
    automation(alice, message_type=kind)
    contact(alice, **consents)
    assert birthday.enqueue_birthday_messages(day_for_all_stores=DAY)["messages"] == messages
    assert set(Batch.objects.values_list("message_type", flat=True)) == {kind} - (
        set() if messages else {kind}
    )


@pytest.mark.parametrize(
    ("store", "messages"),
    [({}, 1), ({"billing_hold": True}, 0), ({"subscription_status": "past_due"}, 0)],
)
def test_a_store_that_may_not_send_sends_no_automation(store, messages):
    owner = make_store(**store)
    automation(owner)
    automation(owner, "welcome")
    contact(owner, awaits_welcome=True)
    counts = birthday.enqueue_birthday_messages(day_for_all_stores=DAY)
    assert (counts["stores"], counts["messages"]) == (messages, messages)
    assert welcome.enqueue_welcome_messages()["messages"] == messages
    assert Contact.objects.get().awaits_welcome == (not messages), "the mark waits with it"


def test_an_automation_that_is_off_sends_nothing(alice):
    automation(alice, on=False)
    automation(alice, "welcome", on=False)
    contact(alice, awaits_welcome=True)
    assert birthday.enqueue_birthday_messages(day_for_all_stores=DAY) == {
        "stores": 0,
        "messages": 0,
        "stores_without_credit": 0,
    }
    assert welcome.enqueue_welcome_messages()["messages"] == 0
    assert names() == []


def test_a_stores_automation_writes_only_to_its_own_contacts(alice):
    bob = make_store("bob")
    automation(bob)
    contact(alice, 1)
    contact(bob, 2)
    birthday.enqueue_birthday_messages(day_for_all_stores=DAY)
    assert names() == ["N2"]


def test_a_run_marks_the_day_as_done_for_the_automations_that_it_was_for(alice):
    mine, other = automation(alice, send_hour=0), automation(make_store("bob"), on=False)
    long_ago = date(2026, 1, 1)
    Automation.objects.update(done_until=long_ago)
    birthday.enqueue_birthday_messages(dry_run=True)
    mine.refresh_from_db()
    assert mine.done_until == long_ago, "a dry run changes nothing"
    birthday.enqueue_birthday_messages()
    mine.refresh_from_db()
    other.refresh_from_db()
    assert mine.done_until == local_today(alice)
    assert other.done_until == long_ago


def test_a_dry_run_counts_who_is_due_and_writes_nothing(alice):
    automation(alice)
    contact(alice, 1)
    contact(alice, 2)
    counts = birthday.enqueue_birthday_messages(day_for_all_stores=DAY, dry_run=True)
    assert counts == {"stores": 1, "messages": 2, "stores_without_credit": 0}
    assert names() == []
    assert jobs.count_waiting_jobs("sms") == 0


def test_a_birthday_run_does_nothing_while_another_is_at_work(alice):
    automation(alice)
    contact(alice)
    with lock_held_elsewhere("birthday"):
        assert birthday.enqueue_birthday_messages(day_for_all_stores=DAY) == {}
    assert names() == []


# Both kinds


def test_batches_of_automations_have_jobs_and_held_credits(alice, settings, sandbox):
    settings.SMS_BATCH_SIZE = 2
    mine = automation(alice)
    for number in range(3):
        contact(alice, number)
    birthday.enqueue_birthday_messages(day_for_all_stores=DAY)
    found = Batch.objects.order_by("pk").values_list("kind", "source_id", "size", "sender")
    assert list(found) == [
        ("automation", mine.pk, 2, "TESTSHOP"),
        ("automation", mine.pk, 1, "TESTSHOP"),
    ]
    assert jobs.count_waiting_jobs("sms") == 2
    assert Wallet.objects.get().reserved_balance == 3
    assert [
        sending.process_next_batch(),
        sending.process_next_batch(),
    ] == ["accepted", "accepted"]
    assert Wallet.objects.get().balance == 997
    assert ledger_balances(alice)


def test_a_store_without_a_sender_name_uses_the_common_one_or_sends_nothing(settings):
    store = make_store(sender_name="")
    automation(store)
    contact(store)
    settings.MITTO_SENDER = ""
    assert birthday.enqueue_birthday_messages(day_for_all_stores=DAY)["messages"] == 0
    settings.MITTO_SENDER = "COMMON"
    assert birthday.enqueue_birthday_messages(day_for_all_stores=DAY)["messages"] == 1
    assert Batch.objects.get().sender == "COMMON"


def test_a_store_that_cannot_pay_is_kept_with_what_it_needed(alice):
    poor = make_store("bob", balance=1)
    for store, size in ((alice, 1), (poor, 2)):
        automation(store)
        for number in range(size):
            contact(store, number)
    assert birthday.enqueue_birthday_messages(day_for_all_stores=DAY) == {
        "stores": 2,
        "messages": 1,
        "stores_without_credit": 1,
    }
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_name) == ("automation not sent", "automation")
    assert (entry.owner, entry.details) == (poor, {"credits": 2})
    assert Wallet.objects.get(owner=poor).reserved_balance == 0
    assert AutomationMessage.objects.get().owner == alice


@pytest.mark.parametrize(("whose", "messages"), [("own", 0), ("everybody's", 0), ("bob's", 1)])
def test_a_suppressed_number_gets_no_marketing_automation(alice, whose, messages):
    owners = {"own": alice, "everybody's": None, "bob's": make_store("bob")}
    automation(alice)
    contact(alice)
    digest = phone_hash("+306900000001")
    Suppression.objects.create(owner=owners[whose], phone_hash=digest, reason="test")
    assert birthday.enqueue_birthday_messages(day_for_all_stores=DAY)["messages"] == messages


def test_who_is_over_a_cap_is_skipped_and_costs_nothing(alice, settings, sandbox):
    settings.CONTACT_MARKETING_PER_DAY = 1
    automation(alice)
    contact(alice)
    birthday.enqueue_birthday_messages(day_for_all_stores=DAY)
    assert sending.process_next_batch() == "accepted"
    birthday.enqueue_birthday_messages(day_for_all_stores=DAY.replace(year=2027))
    skipped = AutomationMessage.objects.order_by("-pk")[0]
    assert (skipped.status, skipped.error_code, skipped.batch) == ("skipped", "contact_cap", None)
    assert Wallet.objects.get().reserved_balance == 0
    tally = Tally.objects.get(event="skipped")
    assert (tally.kind, tally.detail, tally.count) == ("automation", "contact_cap", 1)


def test_a_text_that_a_name_makes_too_long_is_skipped_and_costs_nothing(alice):
    automation(alice, message_body="x" * 1400 + "{{first_name}}")
    contact(alice, 1, first_name="x" * 120)
    contact(alice, 2)
    assert birthday.enqueue_birthday_messages(day_for_all_stores=DAY)["messages"] == 2
    found = AutomationMessage.objects.order_by("contact").values_list("status", "error_code")
    assert list(found) == [("skipped", "too_long"), ("queued", "")]
    assert Wallet.objects.get().reserved_balance == 10


# Welcomes


@pytest.mark.parametrize(
    ("age", "waits"), [({"days": 2}, False), ({"hours": 25}, False), ({"hours": 23}, True)]
)
def test_a_contact_that_is_no_longer_new_loses_its_mark_without_a_message(age, waits):
    poor = make_store(balance=0)
    automation(poor, "welcome")
    late = contact(poor, awaits_welcome=True)
    Contact.objects.update(created_at=ago(**age))
    assert welcome.enqueue_welcome_messages() == {
        "messages": 0,
        "stores_without_credit": 1,
    }
    late.refresh_from_db()
    assert late.awaits_welcome == waits
    assert names() == []


YOUNG, OLD = date(2015, 5, 17), date(1990, 5, 17)


@pytest.mark.parametrize(("born", "messages"), [(YOUNG, 0), (OLD, 1), (None, 1)])
@pytest.mark.parametrize("kind", ["marketing", "service"])
def test_a_welcome_is_for_those_who_would_get_a_campaign(alice, born, messages, kind):
    automation(alice, "welcome", message_type=kind)
    one = contact(alice, awaits_welcome=True, birthday=born)
    everybody = List.objects.create(owner=alice, name="everybody")
    ListMembership.objects.create(list=everybody, contact=one)
    assert welcome.enqueue_welcome_messages()["messages"] == messages
    campaign = make_campaign(alice, everybody, message_type=kind)
    assert campaign_audience_with_consent_and_age(campaign).count() == messages, (
        "a campaign treats them alike"
    )


def test_who_may_be_welcomed_is_decided_by_the_stores_own_day():
    """The two zones are never on the same day."""
    for name, zone in (("alice", "Pacific/Kiritimati"), ("bob", "Pacific/Midway")):
        store = make_store(name, timezone=zone)
        automation(store, "welcome")
        today = local_today(store)
        contact(store, 1, awaits_welcome=True, birthday=years_before(today, 18))
        tomorrow = years_before(today, 18) + timedelta(days=1)
        contact(store, 2, awaits_welcome=True, birthday=tomorrow)
    assert welcome.enqueue_welcome_messages()["messages"] == 2
    assert names() == ["N1", "N1"]


def test_the_mark_goes_with_the_message(alice):
    automation(alice, "welcome")
    one = contact(alice, awaits_welcome=True)
    assert welcome.enqueue_welcome_messages() == {
        "messages": 1,
        "stores_without_credit": 0,
    }
    one.refresh_from_db()
    assert one.awaits_welcome is False
    assert AutomationMessage.objects.get().occurrence_key == "welcome"
    assert welcome.enqueue_welcome_messages() == {}
    Contact.objects.update(awaits_welcome=True)
    assert welcome.enqueue_welcome_messages()["messages"] == 0, "a contact is welcomed once"


@pytest.mark.parametrize(
    "other",
    [{"kind": "birthday"}, {"kind": "welcome", "on": False}, {"kind": "welcome", "of": "bob"}],
)
def test_only_the_stores_own_welcome_that_is_on_keeps_a_mark(alice, other):
    other = dict(other)
    store = make_store("bob") if other.pop("of", "") else alice
    automation(store, other.pop("kind"), **other)
    one = contact(alice, awaits_welcome=True)
    welcome.enqueue_welcome_messages()
    one.refresh_from_db()
    assert one.awaits_welcome is False
    assert names() == []


def test_a_birthday_automation_welcomes_nobody(alice):
    automation(alice, "birthday", message_body="Happy birthday")
    automation(alice, "welcome", message_body="Welcome {{first_name}}")
    contact(alice, awaits_welcome=True)
    assert welcome.enqueue_welcome_messages()["messages"] == 1
    assert AutomationMessage.objects.get().text.startswith("Welcome N1")


def test_a_welcome_run_does_nothing_while_another_is_at_work(alice):
    automation(alice, "welcome")
    contact(alice, awaits_welcome=True)
    with lock_held_elsewhere("welcome"):
        assert welcome.enqueue_welcome_messages() == {}
    assert names() == []
    assert welcome.enqueue_welcome_messages()["messages"] == 1


# Switching


def test_switching_is_kept_once_and_begins_with_the_next_run(alice, admin_user):
    mine = automation(alice, on=False)
    assert mine.done_until is None
    assert switching.switch_automation_and_audit_or_raise(mine, True, by=admin_user)
    assert not switching.switch_automation_and_audit_or_raise(mine, True, by=admin_user)
    mine.refresh_from_db()
    assert mine.is_active
    assert mine.done_until in (local_today(alice), local_today(alice) - timedelta(days=1))
    assert switching.switch_automation_and_audit_or_raise(mine, False, by=admin_user)
    mine.refresh_from_db()
    assert not mine.is_active
    found = AuditEntry.objects.order_by("pk").values_list("action", "subject", "actor", "owner")
    assert list(found) == [
        (action, f"automation {mine.pk}", admin_user.pk, alice.pk)
        for action in ("switched on", "switched off")
    ]


@pytest.mark.parametrize(("kind", "ends"), [("marketing", True), ("service", False)])
def test_the_sample_is_filled_for_an_invented_customer_as_it_would_be_sent(alice, kind, ends):
    text = switching.create_links_and_sample_text(automation(alice, message_type=kind))
    assert text.startswith("Hello Maria")
    assert ("Opt out: http" in text) == ends
