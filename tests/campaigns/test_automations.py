"""Birthday and welcome messages: who is due, once, through the same batches as campaigns."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection

from astronote.models import AuditEntry
from campaigns.audience import campaign_audience_with_consent_and_age
from campaigns.automations import birthday, due_messages, welcome
from campaigns.models import Automation, AutomationMessage
from contacts.importing import lifecycle
from contacts.models import Contact
from messaging import credits, sending
from tests.support.checks import ledger_balances
from tests.support.factories import make_campaign, make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
DAY = date(2026, 5, 17)


def automation(store, kind="birthday_message", **fields):
    fields.setdefault("message_body", "Happy birthday {{first_name}}")
    return Automation.objects.create(owner=store, type=kind, is_active=True, **fields)


def contact(store, number, birthday=date(1990, 5, 17), **fields):
    return make_contact(
        store, f"+30690{number:07}", first_name=f"N{number}", birthday=birthday, **fields
    )


def test_those_whose_birthday_it_is_get_one_message_a_year(sandbox):
    store = make_store()
    automation(store)
    contact(store, 1)
    contact(store, 2, date(1990, 5, 18))
    contact(store, 3, is_subscribed=False)
    contact(store, 4, date(2010, 5, 17))
    for _ in range(2):
        birthday.enqueue_birthday_messages(day_for_all_stores=DAY)
    assert sending.process_next_batch() == "accepted"
    assert [m["text"].split("\n")[0] for m in sandbox.messages()] == ["Happy birthday N1"]
    Contact.objects.filter(phone="+306900000001").update(birthday=date(1990, 5, 18))
    assert (
        birthday.enqueue_birthday_messages(day_for_all_stores=DAY + timedelta(days=1))["messages"]
        == 1
    )
    assert AutomationMessage.objects.count() == 2
    assert (
        birthday.enqueue_birthday_messages(day_for_all_stores=DAY.replace(year=2027))["messages"]
        == 0
    )
    assert ledger_balances(store)


@pytest.mark.parametrize(
    ("day", "names"),
    [(date(2026, 2, 28), {"N28", "N29"}), (date(2028, 2, 28), {"N28"}),
     (date(2028, 2, 29), {"N29"}), (date(2026, 3, 1), {"N1"})],
)  # fmt: skip
def test_29_february_is_kept_on_28_february_in_common_years(day, names):
    store = make_store()
    automation(store)
    contact(store, 28, date(1992, 2, 28))
    contact(store, 29, date(1992, 2, 29))
    contact(store, 1, date(1992, 3, 1))
    birthday.enqueue_birthday_messages(day_for_all_stores=day)
    found = AutomationMessage.objects.values_list("contact__first_name", flat=True)
    assert set(found) == names


def test_each_store_keeps_its_own_day():
    for name, zone, number in (("alice", "Pacific/Kiritimati", 1), ("bob", "Pacific/Midway", 2)):
        store = make_store(name, timezone=zone)
        mine = automation(store, send_hour=0)
        Automation.objects.filter(pk=mine.pk).update(done_until=None)
        today = datetime.now(ZoneInfo(zone)).date()
        born = date(1992, today.month, today.day)
        contact(store, number, born)
        contact(store, number + 10, born - timedelta(days=1))
        contact(store, number + 20, born + timedelta(days=1))
    birthday.enqueue_birthday_messages()
    found = AutomationMessage.objects.values_list("contact__first_name", flat=True)
    assert sorted(found) == ["N1", "N2"]


def test_a_store_without_credit_does_not_stop_the_others():
    poor, rich = make_store(balance=0), make_store("bob")
    for number, store in enumerate((poor, rich)):
        automation(store)
        contact(store, number)
    counts = birthday.enqueue_birthday_messages(day_for_all_stores=DAY)
    assert counts == {"stores": 2, "messages": 1, "stores_without_credit": 1}
    assert AutomationMessage.objects.get().owner == rich


def test_stores_that_may_not_send_are_left_out():
    store = make_store(billing_hold=True)
    automation(store)
    contact(store, 1)
    assert birthday.enqueue_birthday_messages(day_for_all_stores=DAY)["messages"] == 0


def test_a_birthday_run_cut_short_goes_on_where_it_was(monkeypatch):
    store = make_store()
    automation(store)
    for number in range(6):
        contact(store, number)
    monkeypatch.setattr(due_messages, "CHUNK", 2)
    write, written = due_messages._write_and_enqueue_paid_messages, []

    def dying(model, chunk):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(chunk)
        return write(model, chunk)

    monkeypatch.setattr(due_messages, "_write_and_enqueue_paid_messages", dying)
    with pytest.raises(KeyboardInterrupt):
        birthday.enqueue_birthday_messages(day_for_all_stores=DAY)
    assert AutomationMessage.objects.count() == 4
    monkeypatch.setattr(due_messages, "_write_and_enqueue_paid_messages", write)
    birthday.enqueue_birthday_messages(day_for_all_stores=DAY)
    assert AutomationMessage.objects.count() == 6
    assert ledger_balances(store)


@pytest.mark.slow
def test_birthdays_are_found_by_index():
    store = make_store()
    mine = automation(store)
    Contact.objects.bulk_create(
        Contact(
            owner=store,
            phone=f"+30691{n:07}",
            birthday=date(1950, 1, 1) + timedelta(days=n * 5),
            is_subscribed=True,
        )
        for n in range(4000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE contacts_contact")
        cursor.execute(
            "EXPLAIN " + due_messages.FIND_DUE_CONTACTS.format(condition=birthday.BIRTHDAY_IS_DUE),
            {
                "key": "2026",
                "automations": [mine.pk],
                "month": 5,
                "days": [17],
                "adults_born_until": [date(2008, 5, 17)],
            },
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "contact_birthday" in plan and "Seq Scan on contacts_contact" not in plan


def test_the_command_counts_without_sending(capsys):
    store = make_store()
    automation(store)
    contact(store, 1)
    call_command("run_birthday", "--dry-run", "--date", "2026-05-17")
    assert "messages 1" in capsys.readouterr().out
    assert not AutomationMessage.objects.exists()


def test_new_contacts_are_welcomed_once_and_without_consent_not_at_all(sandbox):
    store = make_store()
    automation(store, "welcome_message", message_body="Welcome {{first_name}}")
    contact(store, 5)
    contact(store, 6, awaits_welcome=True, is_subscribed=False)
    contact(store, 7, awaits_welcome=True)
    for _ in range(2):
        welcome.enqueue_welcome_messages()
    assert sending.process_next_batch() == "accepted"
    assert [m["text"].split("\n")[0] for m in sandbox.messages()] == ["Welcome N7"]


def test_a_welcome_that_cannot_be_paid_says_so_on_the_stores_page(admin_client):
    store = make_store(balance=0)
    automation(store, "welcome_message", message_body="Welcome")
    contact(store, 5, awaits_welcome=True)
    found = welcome.enqueue_welcome_messages()
    assert found == {"messages": 0, "stores_without_credit": 1}
    page = f"/admin/astronote/user/{store.pk}/change/"
    assert "needed: top up the store" in admin_client.get(page).text
    credits.top_up(store.pk, 10, reason="test", key="more")
    assert welcome.enqueue_welcome_messages()["messages"] == 1
    assert "needed: top up the store" not in admin_client.get(page).text


def test_a_store_without_a_welcome_forgets_who_is_new_whatever_another_store_sends():
    alice, bob = make_store("alice", balance=0), make_store("bob")
    automation(alice, "welcome_message", message_body="Welcome")
    for store in (alice, bob):
        contact(store, 5, awaits_welcome=True)
    welcome.enqueue_welcome_messages()
    assert Contact.objects.get(awaits_welcome=True).owner == alice


def test_a_contact_that_an_operator_entered_gets_neither_campaign_nor_welcome(admin_client):
    store = make_store()
    automation(store, "welcome_message", message_body="Welcome {{first_name}}")
    form = {"owner": store.pk, "phone": "+306900000007", "gender": "female"}
    admin_client.post("/admin/contacts/contact/add/", form | {"birthday": "1990-01-01"})
    entered = Contact.objects.get()
    assert (entered.is_subscribed, entered.service_allowed) == (False, True)
    assert welcome.enqueue_welcome_messages()["messages"] == 0
    to_women = make_campaign(store, None, filter_gender="female")
    assert not campaign_audience_with_consent_and_age(to_women).exists()
    to_women.message_type = "service"
    assert list(campaign_audience_with_consent_and_age(to_women)) == [entered]


def test_an_import_may_ask_for_the_welcome(sandbox, tmp_path):
    store = make_store()
    automation(store, "welcome_message", message_body="Welcome {{first_name}}")
    contact(store, 1)
    path = tmp_path / "new.csv"
    path.write_text("phone,first name\n+306900000001,Old\n+306900000002,Nina\n")
    job = lifecycle.create_import_and_enqueue_or_refuse(
        store.pk, path, welcome=True, consent_source="a form"
    )
    lifecycle.run_open_import_unless_running(job.pk)
    for _ in range(2):
        welcome.enqueue_welcome_messages()
    assert sending.process_next_batch() == "accepted"
    assert [m["text"].split("\n")[0] for m in sandbox.messages()] == ["Welcome Nina"]


def test_a_welcome_is_off_by_default_and_never_comes_late():
    store = make_store()
    late = contact(store, 1, awaits_welcome=True)
    welcome.enqueue_welcome_messages()
    late.refresh_from_db()
    assert late.awaits_welcome is False
    automation(store, "welcome_message")
    welcome.enqueue_welcome_messages()
    assert not AutomationMessage.objects.exists()


# The store's day


def zone_where_it_is(hour):
    """A time zone in which it is about this hour now."""
    ahead = (hour - datetime.now(UTC).hour) % 24
    ahead -= 24 if ahead > 14 else 0
    return f"Etc/GMT{-ahead:+}"  # the sign of these names is reversed


def due_today(**fields):
    """A store where it is noon, its automation that was last done yesterday, and the day."""
    store = make_store(timezone=zone_where_it_is(12), **fields)
    today = datetime.now(ZoneInfo(store.timezone)).date()
    mine = automation(store)
    Automation.objects.filter(pk=mine.pk).update(done_until=today - timedelta(days=1))
    return store, mine, today


def born_on(day):
    return day.replace(year=1992)


def greeted():
    found = AutomationMessage.objects.order_by("pk")
    return list(found.values_list("contact__first_name", flat=True))


@pytest.mark.parametrize(
    ("hour", "names"), [(None, ["N1"]), (9, ["N1"]), (11, ["N1"]), (14, []), (23, [])]
)
def test_a_store_is_greeted_from_its_own_hour_on_and_once(hour, names):
    store, mine, today = due_today()
    Automation.objects.update(send_hour=hour)
    contact(store, 1, born_on(today))
    for _ in range(2):
        birthday.enqueue_birthday_messages()
        assert greeted() == names
    mine.refresh_from_db()
    assert mine.done_until == (today if names else today - timedelta(days=1))


def test_before_ten_nobody_is_greeted_by_default():
    store, mine, today = due_today()
    store.timezone = zone_where_it_is(2)
    store.save()
    at_two = datetime.now(ZoneInfo(store.timezone)).date()
    contact(store, 1, born_on(at_two))
    Automation.objects.update(done_until=at_two - timedelta(days=3))
    assert birthday.enqueue_birthday_messages()["stores"] == 0
    assert greeted() == []


def test_two_missed_days_are_caught_up_today_first_and_older_ones_are_said_to_be_left_out():
    store, mine, today = due_today()
    for late in range(5):
        contact(store, late, born_on(today - timedelta(days=late)))
    Automation.objects.update(done_until=today - timedelta(days=5))
    birthday.enqueue_birthday_messages()
    assert greeted() == ["N0", "N1", "N2"]
    birthday.enqueue_birthday_messages()
    assert greeted() == ["N0", "N1", "N2"]
    entry = AuditEntry.objects.get(action="birthdays left out")
    assert (entry.owner, entry.subject) == (store, f"automation {mine.pk}")
    assert entry.details == {
        "first_day": (today - timedelta(days=4)).isoformat(),
        "last_day": (today - timedelta(days=3)).isoformat(),
    }


def test_a_store_topped_up_minutes_later_gets_its_greetings(admin_client):
    store, mine, today = due_today(balance=0)
    contact(store, 1, born_on(today))
    contact(store, 2, born_on(today - timedelta(days=1)))
    for _ in range(3):
        counts = birthday.enqueue_birthday_messages()
        assert counts == {"stores": 1, "messages": 0, "stores_without_credit": 1}
    mine.refresh_from_db()
    assert mine.block_reason == "1 credit is needed: top up the store"
    assert AuditEntry.objects.filter(action="automation not sent").count() == 1
    page = admin_client.get(f"/admin/astronote/user/{store.pk}/change/").text
    assert "waits: 1 credit is needed" in page
    credits.top_up(store.pk, 10, reason="test", key="topped up")
    assert birthday.enqueue_birthday_messages()["messages"] == 1
    mine.refresh_from_db()
    assert (mine.block_reason, mine.done_until) == ("", today)
    assert greeted() == ["N1"]
    assert birthday.enqueue_birthday_messages()["stores"] == 0
    assert ledger_balances(store)


def test_where_credits_are_few_those_are_greeted_whose_birthday_it_is():
    store, mine, today = due_today(balance=1)
    yesterday = today - timedelta(days=1)
    contact(store, 1, born_on(yesterday))
    contact(store, 2, born_on(today))
    Automation.objects.update(done_until=yesterday - timedelta(days=1))
    birthday.enqueue_birthday_messages()
    assert greeted() == ["N2"]
    credits.top_up(store.pk, 10, reason="test", key="topped up")
    birthday.enqueue_birthday_messages()
    assert greeted() == ["N2", "N1"]


def test_a_birthday_at_the_end_of_a_year_that_is_caught_up_is_one_of_the_year_before():
    store = make_store()
    automation(store)
    contact(store, 1, date(1990, 12, 31))
    for day in (date(2026, 12, 31), date(2027, 12, 31)):
        assert birthday.enqueue_birthday_messages(day_for_all_stores=day)["messages"] == 1
    keys = AutomationMessage.objects.order_by("pk").values_list("occurrence_key", flat=True)
    assert list(keys) == ["2026", "2027"]


def test_an_automation_whose_text_cannot_be_sent_waits_with_the_reason_until_it_is_mended():
    store, mine, today = due_today()
    contact(store, 1, born_on(today))
    Automation.objects.update(message_body="Hi {{first-nam}}")
    for _ in range(2):
        assert birthday.enqueue_birthday_messages()["messages"] == 0
    mine.refresh_from_db()
    assert "{{first_name}}" in mine.block_reason
    assert AuditEntry.objects.filter(action="automation not sent").count() == 1
    Automation.objects.update(message_body="Hi {{first_name}}")
    assert birthday.enqueue_birthday_messages()["messages"] == 1
    mine.refresh_from_db()
    assert mine.block_reason == ""


def test_a_store_that_may_send_again_within_the_day_greets():
    store, mine, today = due_today(billing_hold=True)
    contact(store, 1, born_on(today))
    assert birthday.enqueue_birthday_messages()["stores"] == 0
    store.billing_hold = False
    store.save()
    birthday.enqueue_birthday_messages()
    assert greeted() == ["N1"]


def test_a_day_that_was_done_in_another_zone_is_not_done_again():
    store, mine, today = due_today()
    birthday.enqueue_birthday_messages()
    contact(store, 1, born_on(today))
    store.timezone = zone_where_it_is(23)
    store.save()
    birthday.enqueue_birthday_messages()
    assert greeted() == []


def test_an_automation_that_is_switched_on_after_its_hour_begins_with_the_next_day():
    store, mine, today = due_today()
    contact(store, 1, born_on(today))
    for hour, names in ((9, []), (None, []), (12, []), (14, [])):
        Automation.objects.update(is_active=False, send_hour=hour)
        mine.refresh_from_db()
        mine.is_active = True
        mine.save()
        birthday.enqueue_birthday_messages()
        assert greeted() == names
    assert mine.done_until == today - timedelta(days=1), "its hour has not come yet"


@pytest.mark.parametrize(
    ("hour", "end", "refused"), [(23, "09:00", True), (8, "09:00", False), (12, "09:00", False)]
)
def test_an_hour_in_quiet_hours_that_end_on_the_next_day_is_refused(settings, hour, end, refused):
    settings.QUIET_HOURS_ENABLED = True
    settings.QUIET_HOURS_START, settings.QUIET_HOURS_END = time(22), time.fromisoformat(end)
    store = make_store(timezone="Europe/Athens")
    mine = automation(store, send_hour=hour)
    if refused:
        with pytest.raises(ValidationError, match="23:00 until 09:00 of the next day"):
            mine.full_clean()
    else:
        mine.full_clean()
    settings.QUIET_HOURS_ALLOW_MARKETING = True
    mine.full_clean()
