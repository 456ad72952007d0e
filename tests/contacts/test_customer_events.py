"""Customer events: recorded once by command, file and admin, on the store's clock."""

from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from astronote.models import AuditEntry, User
from compliance.erasure import anonymise_contacts
from contacts import customer_events
from contacts.models import CustomerEvent
from tests.support.factories import make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
FORM = "/admin/contacts/customerevent/add/"


@pytest.fixture
def alice():
    return make_store(timezone="Europe/Athens", phone_region="GR")


@pytest.fixture
def record(tmp_path, capsys):
    """Records the lines of a file; returns what the command says and lists as not used."""

    def run(store, *lines):
        path = tmp_path / "events.csv"
        path.write_text("\n".join(lines) + "\n", "utf-8")
        call_command("customer_events", str(store.pk), str(path))
        printed = capsys.readouterr()
        return printed.out.strip(), printed.err.splitlines()

    return run


def kept():
    found = CustomerEvent.objects.order_by("pk")
    return list(found.values_list("external_ref", "event_type", "status", "start_at"))


HEADINGS = "phone,type,start,status,external_ref"


def test_a_file_is_recorded_on_the_stores_clock_and_twice_changes_nothing(alice, record):
    make_contact(alice, "+306900000001")
    lines = [
        HEADINGS + ",value",
        "690 000 0001,Appointment,2026-06-01 10:00,,A1,",
        "6900000001,purchase,2026-06-01T10:00:00+00:00,,P1,12.50",
    ]
    assert record(alice, *lines)[0] == "2 created, 0 updated, 0 unchanged, 0 rejected"
    assert record(alice, *lines)[0] == "0 created, 0 updated, 2 unchanged, 0 rejected"
    assert kept() == [
        ("A1", "appointment", "scheduled", datetime(2026, 6, 1, 7, tzinfo=UTC)),
        ("P1", "purchase", "completed", datetime(2026, 6, 1, 10, tzinfo=UTC)),
    ]
    assert CustomerEvent.objects.get(external_ref="P1").meta == {"value": "12.50"}
    entry = AuditEntry.objects.filter(action="customer events recorded").first()
    assert (entry.owner, entry.details["created"]) == (alice, 2)


def test_an_event_with_a_known_reference_is_moved_or_cancelled_at_its_own_store(alice, record):
    bob = make_store("bob", phone_region="GR")
    for store in (alice, bob):
        make_contact(store, "+306900000001")
        record(store, HEADINGS, "6900000001,appointment,2026-06-01 10:00,,A1")
    said, _ = record(
        alice,
        HEADINGS,
        "6900000001,appointment,2026-06-02 10:00,,A1",
        "6900000001,appointment,2026-06-02 12:00,cancelled,A1",
    )
    assert said == "0 created, 1 updated, 0 unchanged, 0 rejected"
    moved = CustomerEvent.objects.get(owner=alice)
    assert (moved.status, moved.start_at.hour) == ("canceled", 9)
    assert CustomerEvent.objects.get(owner=bob).status == "scheduled"


def test_lines_that_are_not_used_are_listed_with_their_reason(alice, record, monkeypatch):
    monkeypatch.setattr(customer_events, "CHUNK", 2)
    make_contact(alice, "+306900000001")
    make_contact(alice, "+306900000002", restricted_at=datetime.now(UTC))
    said, problems = record(
        alice,
        f"{HEADINGS},note",
        "6900000001,visit,2026-06-01 10:00,,,",
        "6900000002,visit,2026-06-01 10:00,,,",
        "6900000003,visit,2026-06-01 10:00,,,",
        "no number,visit,2026-06-01 10:00,,,",
        "6900000001,party,2026-06-01 10:00,,,",
        "6900000001,visit,01/06/2026,,,",
        "6900000001,visit,2026-03-29 03:30,,,",
        "6900000001,visit,2026-10-25 03:30,,,",
        "6900000001,visit,,,,",
        "6900000001,visit,1926-06-01,,,",
        "6900000001,visit,0001-01-01,,,",
        "6900000001,visit,9999-12-31 23:00-05:00,,,",
    )
    assert said == "1 created, 0 updated, 0 unchanged, 11 rejected"
    assert problems[0] == "columns that are not read: note"
    reasons = dict(line.split(": ", 1) for line in sorted(problems[1:]))
    assert set(reasons) == {f"line {number}" for number in range(3, 14)}
    for line, words in (
        (3, "only be stored"), (4, "no contact has the number"), (6, "'party' is no type of event"),
        (7, "no time such as"), (8, "does not exist"), (9, "comes twice"), (10, "neither"),
        (11, "before 2000"), (12, "before 2000"), (13, "more than ten years ahead"),
    ):  # fmt: skip
        assert words in reasons[f"line {line}"]


def test_a_file_without_a_needed_column_is_refused_as_a_whole(alice, record):
    with pytest.raises(CommandError, match="no column start or end"):
        record(alice, "phone,type", "6900000001,visit")
    assert kept() == []


def test_one_event_is_recorded_by_command(alice, capsys):
    make_contact(alice, "+306900000001")
    one = ("--number", "6900000001", "--type", "stay", "--start", "2026-06-01", "--end")
    call_command("customer_events", alice.email, *one, "2026-06-03", "--json")
    assert '"created": 1' in capsys.readouterr().out
    stay = CustomerEvent.objects.get()
    assert (stay.start_at, stay.end_at) == (
        datetime(2026, 5, 31, 21, tzinfo=UTC),
        datetime(2026, 6, 2, 21, tzinfo=UTC),
    )
    with pytest.raises(CommandError, match="ends before it starts"):
        call_command("customer_events", alice.email, *one, "2026-05-03")


def test_an_operator_adds_moves_and_finds_an_event_in_the_admin(alice, admin_client):
    contact = make_contact(alice, "+306900000001")
    form = {"owner": alice.pk, "number": "690 000 0001", "event_type": "appointment"}
    form |= {"status": "scheduled", "start": "2026-10-25 03:30", "external_ref": "A1"}
    assert "comes twice" in admin_client.post(FORM, form).text
    admin_client.post(FORM, form | {"start": "2026-10-25 03:30+02:00"})
    event = CustomerEvent.objects.get()
    assert (event.contact, event.start_at) == (contact, datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    page = f"/admin/contacts/customerevent/{event.pk}/change/"
    assert "2026-10-25 03:30+02:00" in admin_client.get(page).text
    admin_client.post(page, form | {"start": "2026-10-26 10:00", "value": "5"})
    event.refresh_from_db()
    assert (event.start_at.day, event.meta) == (26, {"value": "5"})
    stranger = admin_client.post(FORM, form | {"number": "6900000002", "start": "2026-10-26"})
    assert "No contact of the store has this number" in stranger.text
    shown = admin_client.get(f"/admin/contacts/customerevent/?owner__id__exact={alice.pk}").text
    assert "Appointment" in shown
    actions = AuditEntry.objects.filter(subject=f"customer event {event.pk}")
    assert list(actions.order_by("pk").values_list("action", flat=True)) == ["added", "changed"]


def test_a_viewer_sees_events_and_changes_none(alice, client):
    contact = make_contact(alice, "+306900000001")
    event = CustomerEvent.objects.create(
        owner=alice, contact=contact, event_type="visit", start_at=datetime.now(UTC)
    )
    call_command("create_operator", "me@example.com", role="viewer", password="a-long-one-of-mine")
    client.force_login(User.objects.get(email="me@example.com"))
    assert client.get(f"/admin/contacts/customerevent/{event.pk}/change/").status_code == 200
    assert client.get(FORM).status_code == 403


def test_events_go_when_their_contact_is_anonymised(alice):
    contact = make_contact(alice, "+306900000001")
    CustomerEvent.objects.create(
        owner=alice, contact=contact, event_type="visit", start_at=datetime.now(UTC)
    )
    anonymise_contacts([contact.pk])
    assert kept() == []
