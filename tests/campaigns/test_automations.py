"""Birthday and welcome messages: who is due, once, through the same batches as campaigns."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from astronote.operations.watchdog import run_watchdog
from astronote.queues import jobs
from campaigns.audience import campaign_audience
from campaigns.automations import birthday, due_messages, welcome
from campaigns.models import Automation, AutomationMessage
from contacts.importing import lifecycle
from contacts.models import Contact
from messaging import sending
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
        automation(store)
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

    def dying(chunk, key):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(chunk)
        return write(chunk, key)

    monkeypatch.setattr(due_messages, "_write_and_enqueue_paid_messages", dying)
    with pytest.raises(KeyboardInterrupt):
        birthday.enqueue_birthday_messages(day_for_all_stores=DAY)
    assert AutomationMessage.objects.count() == 4
    monkeypatch.setattr(due_messages, "_write_and_enqueue_paid_messages", write)
    birthday.enqueue_birthday_messages(day_for_all_stores=DAY)
    assert AutomationMessage.objects.count() == 6
    assert ledger_balances(store)


def test_a_missed_birthday_run_is_found_by_the_watchdog():
    store = make_store()
    mine = automation(store)
    assert not birthday.birthday_run_missed()
    Automation.objects.update(last_run_at=timezone.now() - timedelta(days=2))
    assert run_watchdog()["birthday_runs_enqueued"] == 1
    assert jobs.count_waiting_jobs("birthday") == 1
    birthday.enqueue_birthday_messages()
    assert not birthday.birthday_run_missed()
    mine.refresh_from_db()
    assert mine.last_run_at > timezone.now() - timedelta(minutes=1)


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


def test_a_contact_that_an_operator_entered_gets_neither_campaign_nor_welcome(admin_client):
    store = make_store()
    automation(store, "welcome_message", message_body="Welcome {{first_name}}")
    form = {"owner": store.pk, "phone": "+306900000007", "gender": "female"}
    admin_client.post("/admin/contacts/contact/add/", form | {"birthday": "1990-01-01"})
    entered = Contact.objects.get()
    assert (entered.is_subscribed, entered.service_allowed) == (False, True)
    assert welcome.enqueue_welcome_messages()["messages"] == 0
    to_women = make_campaign(store, None, filter_gender="female")
    assert not campaign_audience(to_women).exists()
    to_women.message_type = "service"
    assert list(campaign_audience(to_women)) == [entered]


def test_an_import_may_ask_for_the_welcome(sandbox, tmp_path):
    store = make_store()
    automation(store, "welcome_message", message_body="Welcome {{first_name}}")
    contact(store, 1)
    path = tmp_path / "new.csv"
    path.write_text("phone,first name\n+306900000001,Old\n+306900000002,Nina\n")
    job = lifecycle.create_and_start_import(store.pk, path, welcome=True, consent_source="a form")
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
