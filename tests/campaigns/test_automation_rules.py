"""Rules: what is due before and after events, to whom, once, and what events take along."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from astronote.models import AuditEntry, User
from campaigns.automations import due_messages, rule_presets, rules
from campaigns.automations.switching import switch_automation_and_audit_or_raise
from campaigns.models import AutomationRule, AutomationSend
from contacts.models import CustomerEvent, Suppression
from contacts.phones import phone_hash
from messaging import credits, sending
from messaging.models import Batch, Wallet
from tests.support.checks import ledger_balances, lock_held_elsewhere
from tests.support.factories import make_contact, make_store
from tests.support.volume import make_contacts

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def alice():
    return make_store()


def in_(**span):
    return timezone.now() + timedelta(**span)


def make_rule(store, *, running_since=DAY, **fields):
    """A rule that is on and ran last so long ago: a reminder a day before an appointment."""
    fields = {
        "name": "Reminder",
        "message_body": "Hello {{first_name}}",
        "message_type": "service",
        "trigger_type": "event",
        "event_type": "appointment",
        "event_status": "scheduled",
        "offset_minutes": -1440,
    } | fields
    rule = AutomationRule.objects.create(owner=store, is_active=True, **fields)
    AutomationRule.objects.filter(pk=rule.pk).update(last_run_at=timezone.now() - running_since)
    return rule


def make_inactivity_rule(store, days=14, **fields):
    fields = {"event_type": "", "event_status": "", "offset_minutes": 0} | fields
    return make_rule(store, trigger_type="inactivity", inactivity_days=days, **fields)


def make_event(
    contact, start_at, event_type="appointment", status="scheduled", recorded=30 * DAY, **fields
):
    """An event that was recorded so long ago."""
    event = CustomerEvent.objects.create(
        owner=contact.owner,
        contact=contact,
        event_type=event_type,
        status=status,
        start_at=start_at,
        **fields,
    )
    CustomerEvent.objects.filter(pk=event.pk).update(updated_at=timezone.now() - recorded)
    return event


def run():
    return rules.enqueue_rule_messages()["messages"]


def results():
    """Status and reason of each message, in their order."""
    found = AutomationSend.objects.order_by("pk").values_list("status", "error_code")
    return [reason or status for status, reason in found]


# What is due


@pytest.mark.parametrize(
    ("starts_in", "due"),
    [({"hours": 25}, 0), ({"hours": 23}, 1), ({"hours": 1}, 1), ({"days": 3}, 0)],
)
def test_a_reminder_is_due_from_its_time_on_until_the_event(alice, starts_in, due):
    make_rule(alice)
    make_event(make_contact(alice), in_(**starts_in))
    assert [run(), run()] == [due, 0]
    assert results() == ["queued"] * due


def test_a_reminder_names_the_events_time_on_the_stores_clock(sandbox):
    store = make_store(timezone="Europe/Athens")
    make_rule(store, message_body="{{first_name}}: {{event_date}}, {{event_time}}")
    event = make_event(make_contact(store, first_name="Nina"), in_(hours=23))
    run()
    assert sending.process_next_batch() == "accepted"
    local = event.start_at.astimezone(ZoneInfo("Europe/Athens"))
    assert [m["text"] for m in sandbox.messages()] == [f"Nina: {local:%d/%m/%Y, %H:%M}"]
    assert ledger_balances(store)


@pytest.mark.parametrize(
    ("other", "value"),
    [("event_type", "stay"), ("status", "completed"), ("owner", "bob")],
)
def test_only_events_of_the_rules_type_status_and_store_count(alice, other, value):
    make_rule(alice)
    if other == "owner":
        make_event(make_contact(make_store("bob")), in_(hours=23))
    else:
        make_event(make_contact(alice), in_(hours=23), **{other: value})
    assert run() == 0


@pytest.mark.parametrize(("ended", "due"), [(25, 1), (23, 0), (24 + 47, 1), (24 + 49, 0)])
def test_a_follow_up_comes_after_the_end_and_not_days_late(alice, ended, due):
    make_rule(
        alice,
        running_since=5 * DAY,
        event_type="stay",
        event_status="completed",
        event_time_field="end_at",
        offset_minutes=1440,
    )
    make_event(make_contact(alice), in_(days=-9), "stay", "completed", end_at=in_(hours=-ended))
    assert run() == due


def test_an_event_without_an_end_ends_as_it_starts(alice):
    make_rule(
        alice,
        event_type="purchase",
        event_status="completed",
        event_time_field="end_at",
        offset_minutes=60,
    )
    make_event(make_contact(alice), in_(hours=-2), "purchase", "completed")
    assert run() == 1


def test_a_rule_begins_with_what_is_due_after_it_was_switched_on(alice, admin_user):
    rule = make_rule(alice)
    AutomationRule.objects.update(is_active=False)
    make_event(make_contact(alice), in_(hours=23))
    switch_automation_and_audit_or_raise(rule, True, by=admin_user)
    assert run() == 0
    make_event(make_contact(alice, "+306900000002"), timezone.now() + DAY - MINUTE)
    assert run() == 1


def test_a_changed_trigger_begins_anew(alice):
    rule = make_rule(alice, offset_minutes=-120)
    make_event(make_contact(alice), in_(hours=23))
    rule.offset_minutes = -1440
    rule.save()
    assert run() == 0


def test_an_event_that_is_recorded_late_is_reminded_of_and_a_past_one_is_not(alice):
    make_rule(alice, running_since=MINUTE)
    for number, hours in enumerate((5, -5)):
        contact = make_contact(alice, f"+30690000000{number}")
        make_event(contact, in_(hours=hours), recorded=MINUTE)
    assert run() == 1
    assert AutomationSend.objects.get().event.start_at > timezone.now()


def test_of_two_reminders_that_are_due_at_once_the_nearer_one_is_sent(alice):
    make_rule(alice)
    near = make_rule(alice, offset_minutes=-120)
    make_event(make_contact(alice), in_(hours=1))
    assert run() == 1
    assert AutomationSend.objects.get().rule == near


# Zones and birthdays


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Midway", "Europe/Athens"])
def test_a_birthday_is_that_of_the_stores_own_day_at_ten(zone):
    store = make_store(timezone=zone)
    make_rule(
        store, trigger_type="birthday", event_type="", event_status="", offset_minutes=-2880,
        running_since=timedelta(hours=24),
    )  # fmt: skip
    now = timezone.now().astimezone(ZoneInfo(zone))
    today_at_ten = now.replace(hour=10, minute=0, second=0, microsecond=0)
    due_day = (now if now >= today_at_ten else now - DAY).date()
    for number, days in enumerate((1, 2, 3, 4)):
        born = (due_day + days * DAY).replace(year=1992)
        make_contact(store, f"+30690000000{number}", birthday=born, first_name=f"N{days}")
    make_contact(store, "+306900000009", birthday=(due_day + 2 * DAY).replace(year=2020))
    assert run() == 1
    assert AutomationSend.objects.get().contact.first_name == "N2"
    assert run() == 0


# Who gets it


@pytest.mark.parametrize(
    ("kind", "fields", "due"),
    [
        ("marketing", {"service_allowed": False}, 1),
        ("marketing", {"is_subscribed": False}, 0),
        ("service", {"is_subscribed": False}, 1),
        ("service", {"service_allowed": False}, 0),
        ("service", {"restricted_at": datetime(2026, 1, 1, tzinfo=UTC)}, 0),
        ("service", {"birthday": date(2020, 1, 1)}, 0),
    ],
)
def test_consent_age_and_restriction_count_as_for_campaigns(alice, kind, fields, due):
    make_rule(alice, message_type=kind)
    make_event(make_contact(alice, **fields), in_(hours=23))
    assert run() == due


@pytest.mark.parametrize(("kind", "due"), [("marketing", 0), ("service", 1)])
def test_a_suppressed_number_gets_service_messages_alone(alice, kind, due):
    make_rule(alice, message_type=kind)
    make_event(make_contact(alice), in_(hours=23))
    digest = phone_hash("+306900000001")
    Suppression.objects.create(owner=alice, phone_hash=digest, reason="test")
    assert run() == due


def test_an_opt_out_after_writing_counts(alice, sandbox):
    make_rule(alice, message_type="marketing")
    contact = make_contact(alice)
    make_event(contact, in_(hours=23))
    run()
    contact.is_subscribed = False
    contact.save()
    assert sending.process_next_batch() == "nothing to send"
    assert results() == ["opted_out"]
    assert ledger_balances(alice)


# Limits


def test_within_the_dedupe_window_a_contact_gets_one_message_of_a_rule(alice):
    make_rule(alice, dedupe_window_minutes=600, max_per_contact_per_day=5)
    contact = make_contact(alice)
    make_event(contact, in_(hours=23))
    make_event(contact, in_(hours=22))
    make_event(make_contact(alice, "+306900000002"), in_(hours=22))
    assert run() == 3
    assert sorted(results()) == ["queued", "queued", "rule_limit"]
    make_event(contact, in_(hours=20), recorded=MINUTE)
    run()
    assert sorted(results()) == ["queued", "queued", "rule_limit", "rule_limit"]
    assert Wallet.objects.get().reserved_balance == 2, "what is skipped costs nothing"


@pytest.mark.parametrize(("most", "queued"), [(1, 1), (2, 2), (3, 3)])
def test_a_contact_gets_so_many_messages_of_a_rule_a_day(alice, most, queued, monkeypatch):
    monkeypatch.setattr(due_messages, "CHUNK", 2)
    monkeypatch.setattr(rules, "CHUNK", 2)
    make_rule(alice, dedupe_window_minutes=0, max_per_contact_per_day=most)
    contact = make_contact(alice)
    for hours in (23, 22, 21, 20):
        make_event(contact, in_(hours=hours))
    run()
    assert results().count("queued") == queued
    assert results().count("rule_limit") == 4 - queued


def test_appointments_at_the_same_time_on_two_days_are_both_reminded_of(alice):
    """The window is as long as the time between them, and the first message was a little late."""
    make_rule(alice, dedupe_window_minutes=1440)
    contact = make_contact(alice)
    at = timezone.now() + DAY
    first = make_event(contact, at - DAY)
    rule = AutomationRule.objects.get()
    AutomationSend.objects.create(
        owner=alice, rule=rule, contact=contact, event=first, scheduled_for=at - 2 * DAY, to="x",
        text="x", segments=1, tracking_id="x", status="sent",
    )  # fmt: skip
    AutomationSend.objects.update(created_at=at - 2 * DAY + 2 * MINUTE)
    make_event(contact, at)
    run()
    assert results() == ["sent", "queued"]


def test_a_reminder_waits_for_the_end_of_quiet_hours_but_not_past_the_event(
    alice, settings, sandbox
):
    now = datetime.now(UTC)
    settings.QUIET_HOURS_ENABLED = True
    settings.QUIET_HOURS_ALLOW_SERVICE = False
    settings.QUIET_HOURS_START = (now - HOUR).time()
    settings.QUIET_HOURS_END = (now + 2 * HOUR).time()
    make_rule(alice)
    make_event(make_contact(alice), in_(hours=3))
    make_event(make_contact(alice, "+306900000002"), in_(hours=1))
    run()
    assert sorted(results()) == ["event_begun", "queued"]
    assert sending.process_next_batch() == "postponed"
    # When the quiet hours have ended, the event has begun.
    CustomerEvent.objects.update(start_at=in_(minutes=-1))
    AutomationSend.objects.update(scheduled_for=CustomerEvent.objects.first().start_at - DAY)
    settings.QUIET_HOURS_ENABLED = False
    Batch.objects.update(not_before=None)
    assert sending.process_next_batch() == "nothing to send"
    assert results() == ["event_begun", "event_begun"]
    assert sandbox.messages() == []
    assert ledger_balances(alice)


# Events that change


def test_a_cancelled_event_takes_its_reminder_along(alice, sandbox):
    make_rule(alice)
    event = make_event(make_contact(alice), in_(hours=23))
    run()
    CustomerEvent.objects.filter(pk=event.pk).update(status="canceled", updated_at=timezone.now())
    assert sending.process_next_batch() == "nothing to send"
    assert (results(), run()) == (["event_changed"], 0)
    assert Wallet.objects.get().reserved_balance == 0
    assert ledger_balances(alice)


def test_a_moved_event_gets_its_reminder_at_the_new_time(alice, sandbox):
    make_rule(alice)
    event = make_event(make_contact(alice), in_(hours=23))
    run()
    moved = CustomerEvent.objects.filter(pk=event.pk)
    moved.update(start_at=in_(days=3), updated_at=timezone.now())
    assert sending.process_next_batch() == "nothing to send"
    assert run() == 0, "not yet"
    moved.update(start_at=in_(hours=20), updated_at=timezone.now())
    assert run() == 1
    assert sending.process_next_batch() == "accepted"
    assert results() == ["event_changed", "sent"]
    assert len(sandbox.messages()) == 1


def test_an_erased_event_takes_its_reminder_along(alice, sandbox):
    make_rule(alice)
    event = make_event(make_contact(alice), in_(hours=23))
    run()
    event.delete()
    assert sending.process_next_batch() == "nothing to send"
    assert results() == ["event_changed"]


def test_a_rule_that_is_switched_off_sends_nothing_that_waits(alice, sandbox, admin_user):
    rule = make_rule(alice)
    make_event(make_contact(alice), in_(hours=23))
    run()
    switch_automation_and_audit_or_raise(rule, False, by=admin_user)
    assert sending.process_next_batch() == "dropped"
    assert (results(), sandbox.messages()) == (["cancelled"], [])
    assert ledger_balances(alice)


# Inactivity


def test_who_has_not_come_for_so_many_days_gets_one_message(alice, sandbox):
    make_inactivity_rule(alice)
    days = {"gone": [14.1], "came": [14.1, 3], "bought": [14.1, 5], "long gone": [20], "new": [13]}
    for number, (name, visits) in enumerate(days.items()):
        contact = make_contact(alice, f"+30690000000{number}", first_name=name)
        for ago in visits:
            kind = "purchase" if ago == 5 else "visit"
            make_event(contact, in_(days=-ago), kind, "completed")
    make_event(make_contact(alice, "+306900000009"), in_(days=-14.1), "visit", "no_show")
    assert [run(), run()] == [1, 0]
    assert AutomationSend.objects.get().contact.first_name == "gone"
    assert sending.process_next_batch() == "accepted"


def test_who_comes_before_the_message_is_sent_does_not_get_it(alice, sandbox):
    make_inactivity_rule(alice)
    contact = make_contact(alice)
    make_event(contact, in_(days=-14.1), "visit", "completed")
    run()
    make_event(contact, in_(minutes=-5), "visit", "completed")
    assert sending.process_next_batch() == "nothing to send"
    assert results() == ["event_changed"]


# Runs that are late, cut short or at once


def test_after_an_outage_what_is_still_sensible_is_sent_once(alice):
    make_rule(alice, running_since=3 * DAY)
    contacts = [make_contact(alice, f"+30690000000{number}") for number in range(3)]
    for contact, hours in zip(contacts, (-1, 1, 23), strict=True):
        make_event(contact, in_(hours=hours))
    assert [run(), run()] == [3, 0]
    assert sorted(results()) == ["event_begun", "queued", "queued"]


def test_a_run_cut_short_goes_on_where_it_was(alice, monkeypatch):
    make_rule(alice)
    for number in range(6):
        make_event(make_contact(alice, f"+30690000000{number}"), in_(hours=23))
    monkeypatch.setattr(due_messages, "CHUNK", 2)
    write, written = due_messages._write_and_enqueue_paid_messages, []

    def dying(model, chunk):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(chunk)
        return write(model, chunk)

    monkeypatch.setattr(due_messages, "_write_and_enqueue_paid_messages", dying)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(results()) == 4
    monkeypatch.setattr(due_messages, "_write_and_enqueue_paid_messages", write)
    assert run() == 2
    assert AutomationSend.objects.values("contact").distinct().count() == 6
    assert ledger_balances(alice)


def test_a_run_does_nothing_while_another_is_at_work(alice):
    make_rule(alice)
    make_event(make_contact(alice), in_(hours=23))
    with lock_held_elsewhere("automation rules"):
        assert rules.enqueue_rule_messages() == {}
    assert results() == []


def test_a_store_that_cannot_pay_is_tried_again_until_the_event(alice):
    poor = make_store("bob", balance=0)
    for store in (alice, poor):
        make_rule(store)
        make_event(make_contact(store), in_(hours=23))
    assert rules.enqueue_rule_messages() == {
        "rules": 2,
        "messages": 1,
        "stores_without_credit": 1,
    }
    rule = AutomationRule.objects.get(owner=poor)
    assert rule.block_reason == "1 credit is needed: top up the store"
    credits.top_up(poor.pk, 10, reason="test", key="topped up")
    assert run() == 1
    rule.refresh_from_db()
    assert (rule.block_reason, ledger_balances(poor)) == ("", True)


@pytest.mark.parametrize("fields", [{"billing_hold": True}, {"subscription_status": "past_due"}])
def test_a_store_that_may_not_send_sends_no_rule(fields):
    store = make_store(**fields)
    make_rule(store)
    make_event(make_contact(store), in_(hours=23))
    assert run() == 0


@pytest.mark.slow
def test_due_events_are_found_by_index(alice):
    make_rule(alice)
    make_inactivity_rule(alice)
    make_contacts(alice, 2000)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO contacts_customerevent
                (owner_id, contact_id, event_type, status, start_at, updated_at)
            SELECT c.owner_id, c.id, CASE n % 2 WHEN 0 THEN 'appointment' ELSE 'visit' END,
                CASE n % 2 WHEN 0 THEN 'scheduled' ELSE 'completed' END,
                now() - n * interval '1 hour', now() - interval '30 days'
            FROM contacts_contact c CROSS JOIN generate_series(1, 10) n
            """
        )
        cursor.execute("ANALYZE contacts_customerevent")
    now = timezone.now()
    with CaptureQueriesContext(connection) as captured:
        list(rules.find_consenting_contacts_due_by_rules(rules.eligible_rules(), now, until=now))
    [query] = [one["sql"] for one in captured if "conditions AS" in one["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + query.split(" FOR ", 1)[1])
        plan = "\n".join(row[0] for row in cursor.fetchall())
    for name in ("start", "end", "changed", "contact"):
        assert f"customerevent_{name}" in plan, plan
    assert "Seq Scan on contacts_customerevent" not in plan


# Presets, switching and what is to come


@pytest.mark.parametrize(
    ("profile", "count"), [("appointments", 5), ("gym", 4), ("hotel", 4), ("retail", 2)]
)
@pytest.mark.parametrize("language", ["en", "el"])
def test_a_store_gets_the_presets_of_its_profile_once_and_switched_off(profile, count, language):
    store = make_store(business_profile=profile)
    assert rule_presets.add_missing_presets(store, language, by="test") == count
    assert rule_presets.add_missing_presets(store, language, by="test") == 0
    for rule in AutomationRule.objects.all():
        rule.full_clean()
        assert not rule.is_active


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"message_body": "Hi {{name}}"}, "is no tag"),
        ({"message_body": "{{offer_link}}"}, "no offer"),
        ({"trigger_type": "birthday", "message_body": "{{event_time}}"}, "is no tag"),
        ({"event_type": ""}, "needs it"),
        ({"trigger_type": "inactivity"}, "needs them"),
    ],
)
def test_a_rule_that_cannot_work_is_refused(alice, fields, problem):
    fields = {"name": "x", "message_body": "Hi", "trigger_type": "event",
              "event_type": "visit", "event_status": "completed"} | fields  # fmt: skip
    with pytest.raises(ValidationError, match=problem):
        AutomationRule(owner=alice, **fields).full_clean()


def test_rules_are_listed_switched_and_looked_ahead_by_command(capsys):
    store = make_store(business_profile="appointments")
    call_command("create_operator", "olga@example.com", role="service_operator", password="x" * 20)
    call_command("automation_rules", "add-presets", store.email, language="el")
    assert "appointments_reminder_2h off: {{first_name|Γεια σας}}" in capsys.readouterr().out
    with pytest.raises(CommandError, match="account that may send them"):
        call_command("automation_rules", "on", store.email, "appointments_reminder_2h")
    call_command(
        "automation_rules", "on", store.email, "appointments_reminder_2h", by="olga@example.com"
    )
    make_event(make_contact(store), in_(days=2))
    make_event(make_contact(store, "+306900000002"), in_(days=9))
    capsys.readouterr()
    call_command("automation_rules", "upcoming", store.email)
    said = capsys.readouterr().out
    assert "δύο ώρες πριν: 1 messages" in said and said.count("contact") == 1
    assert results() == []


def test_the_look_ahead_counts_as_the_run_would(alice):
    make_rule(alice, message_type="marketing", dedupe_window_minutes=1440)
    contact = make_contact(alice)
    for days in (2, 2.5, 4):
        make_event(contact, in_(days=days))
    suppressed = make_contact(alice, "+306900000002")
    make_event(suppressed, in_(days=2))
    Suppression.objects.create(phone_hash=phone_hash(suppressed.phone), reason="test")
    [found] = rules.preview_rule_messages(alice)
    assert found.total == 2
    assert [round((one.at - timezone.now()) / DAY) for one in found.first] == [1, 3]
    assert rules.preview_rule_messages(alice, shown=1)[0].first == found.first[:1]


def test_an_operator_adds_presets_and_switches_a_marketing_rule(client):
    store = make_store(business_profile="gym", language="el")
    call_command("create_operator", "me@example.com", role="operator", password="x" * 20)
    client.force_login(User.objects.get(email="me@example.com"))
    page = f"/admin/campaigns/automationrule/store/{store.pk}/"
    client.post(page, {"language": "el"})
    rule = AutomationRule.objects.get(preset_key="gym_inactivity_14d")
    contact = make_contact(store, first_name="Nina")
    make_event(contact, in_(days=-12), "visit", "completed")
    client.post(f"/admin/campaigns/automationrule/{rule.pk}/switch/")
    shown = client.get(page).text
    assert "Απουσία δύο εβδομάδων" in shown and "<strong>1</strong>" in shown and "Nina" in shown
    service = AutomationRule.objects.get(preset_key="gym_membership_expiring_7d")
    answer = client.post(f"/admin/campaigns/automationrule/{service.pk}/switch/", follow=True)
    assert "may send them" in answer.text
    on = AutomationRule.objects.filter(is_active=True)
    assert list(on) == [rule]
    entries = AuditEntry.objects.filter(owner=store, actor__email="me@example.com")
    assert list(entries.order_by("pk").values_list("action", flat=True)) == [
        "automation rules added",
        "switched on",
    ]


def test_a_viewer_sees_rules_and_switches_none(alice, client):
    rule = make_rule(alice)
    call_command("create_operator", "me@example.com", role="viewer", password="x" * 20)
    client.force_login(User.objects.get(email="me@example.com"))
    page = f"/admin/campaigns/automationrule/store/{alice.pk}/"
    assert "Switch off" not in client.get(page).text
    assert client.post(page, {"language": "en"}).status_code == 403
    switch = client.post(f"/admin/campaigns/automationrule/{rule.pk}/switch/")
    assert switch.status_code == 403
