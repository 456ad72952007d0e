"""What an import makes of a no and of a yes, of rows of one person, and of an error."""

import itertools
import logging
import signal
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from rq.timeouts import JobTimeoutException

from contacts import tasks
from contacts.consent import change_consent
from contacts.importing import files, lifecycle, planning, rejected, writing
from contacts.importing.validating import build_row_validator
from contacts.models import (
    ConsentEvent,
    Contact,
    ContactImport,
    OptInRequest,
    RejectedRow,
    Suppression,
)
from contacts.phones import phone_hash
from tests.support.factories import make_contact, make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
PHONE = "+306900000001"
MAPPING = {
    "phone": [0], "first_name": [1], "email": [2], "birthday": [3], "sms_consent": [4, 5],
    "sms_opt_out": [6],
}  # fmt: skip
HEADINGS = ["Phone", "First", "Email", "Born", "SMS", "Offers", "Stop"]


def imported(store, *rows, columns=tuple(HEADINGS), **options):
    """The import of rows, given as cells by heading; the mapping is chosen."""
    options = {"consent_source": "form", **options}
    lines = [",".join(columns)]
    lines += [",".join(row.get(heading, "") for heading in columns) for row in rows]
    job = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "customers.csv", ["\n".join(lines).encode() + b"\n"], **options
    )
    mapping = {
        field: [columns.index(HEADINGS[at]) for at in places if HEADINGS[at] in columns]
        for field, places in MAPPING.items()
    }
    planning.plan_import_and_store_plan_or_refuse(job, chosen=mapping, date_order="iso")
    lifecycle.start_import_audit_and_enqueue_or_raise(job, by="test")
    job = lifecycle.run_open_import_unless_running(job.pk)
    assert job.status == "completed", job.error
    return job


def contact_of(store, phone=PHONE):
    return Contact.objects.get(owner=store, phone=phone)


def is_suppressed(store, phone=PHONE):
    return Suppression.objects.filter(owner=store, phone_hash=phone_hash(phone)).exists()


@pytest.mark.parametrize(
    ("cells", "subscribed", "suppressed"),
    [
        ({"SMS": "yes"}, True, False), ({"SMS": "no"}, False, True), ({"SMS": ""}, False, False),
        ({"SMS": "-"}, False, False), ({"SMS": "perhaps"}, False, False),
        ({"SMS": "pending"}, False, False), ({"SMS": "yes", "Offers": "no"}, False, True),
        ({"SMS": "yes", "Stop": "yes"}, False, True), ({"SMS": "✗"}, False, True),
        ({"SMS": "2024-02-02"}, True, False), ({"SMS": "yes", "Stop": "0"}, True, False),
    ],
)  # fmt: skip
def test_a_row_subscribes_only_by_a_yes_and_without_a_no(cells, subscribed, suppressed):
    store = make_store("alice")
    job = imported(store, {"Phone": PHONE, **cells})
    contact = contact_of(store)
    assert (contact.is_subscribed, is_suppressed(store)) == (subscribed, suppressed)
    assert (contact.unsubscribed_at is not None) == suppressed
    status = "opted_in" if subscribed else "opted_out" if suppressed else ""
    assert (contact.sms_consent_status, job.created) == (status, 1)
    types = list(ConsentEvent.objects.values_list("type", flat=True))
    assert types == {"opted_in": ["subscribed"], "opted_out": ["unsubscribed"], "": []}[status]


def test_without_a_column_for_consent_the_declaration_of_the_store_counts():
    store = make_store("alice")
    imported(store, {"Phone": PHONE}, columns=("Phone", "First"))
    imported(store, {"Phone": "+306900000002"}, columns=("Phone", "Stop"))
    assert set(Contact.objects.values_list("is_subscribed", flat=True)) == {True}
    imported(store, {"Phone": "+306900000003"}, columns=("Phone", "First"), consent_source="")
    assert not contact_of(store, "+306900000003").is_subscribed


def test_a_yes_gives_no_consent_to_a_file_that_declares_none():
    store = make_store("alice")
    imported(store, {"Phone": PHONE, "SMS": "yes"}, consent_source="")
    assert not contact_of(store).is_subscribed and not ConsentEvent.objects.exists()


@pytest.mark.parametrize("update_existing", [True, False])
def test_a_no_stays_whatever_the_next_file_says(update_existing):
    store = make_store("alice")
    imported(store, {"Phone": PHONE}, columns=("Phone",))
    assert contact_of(store).is_subscribed
    job = imported(store, {"Phone": PHONE, "Stop": "x"}, update_existing=update_existing)
    assert job.updated == 1
    assert not contact_of(store).is_subscribed and is_suppressed(store)
    for cells, columns in (({}, ("Phone",)), ({"SMS": "yes"}, tuple(HEADINGS))):
        imported(store, {"Phone": PHONE, **cells}, columns=columns)
        assert not contact_of(store).is_subscribed
    Contact.objects.all().delete()
    imported(store, {"Phone": PHONE}, columns=("Phone",))
    assert not contact_of(store).is_subscribed, "the number was not kept"


def test_the_time_of_a_no_is_that_of_the_file_and_never_in_the_future():
    store = make_store("alice", timezone="Europe/Athens")
    imported(
        store,
        {"Phone": PHONE, "Stop": "2024-02-02 10:00:00"},
        {"Phone": "+306900000002", "Stop": "2099-02-02"},
        {"Phone": "+306900000003", "Stop": "yes"},
    )
    assert contact_of(store).unsubscribed_at == datetime(2024, 2, 2, 8, tzinfo=UTC)
    event = ConsentEvent.objects.get(contact=contact_of(store))
    assert event.decided_at == datetime(2024, 2, 2, 8, tzinfo=UTC)
    for number in (2, 3):
        at = contact_of(store, f"+30690000000{number}").unsubscribed_at
        assert timezone.now() - timedelta(minutes=1) < at <= timezone.now()


def test_the_time_of_a_yes_is_the_evidence_of_its_row():
    store = make_store("alice")
    imported(store, {"Phone": PHONE, "SMS": "2024-02-02T10:00:00Z"}, consent_at=timezone.now())
    assert ConsentEvent.objects.get().decided_at == datetime(2024, 2, 2, 10, tzinfo=UTC)
    assert contact_of(store).gdpr_consent_at == datetime(2024, 2, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("column", "event_type"), [("SMS", "subscribed"), ("Stop", "unsubscribed")]
)
def test_an_implausible_time_of_a_row_is_kept_as_claimed(column, event_type):
    store = make_store("alice")
    imported(store, {"Phone": PHONE, column: "1985-02-02 10:00:00"})
    event = ConsentEvent.objects.get()
    assert event.type == event_type
    assert timezone.now() - timedelta(minutes=1) < event.decided_at <= timezone.now()
    claimed = datetime.fromisoformat(event.meta["claimed_at"])
    assert claimed == datetime(1985, 2, 2, 10, tzinfo=UTC)


def test_an_objection_is_not_undone_by_a_file():
    store = make_store("alice")
    contact = make_contact(store, PHONE, is_subscribed=False)
    change_consent(contact.pk, "unsubscribed", source="objection")
    for update_existing in (True, False):
        imported(store, {"Phone": PHONE, "SMS": "yes"}, update_existing=update_existing)
    assert not contact_of(store).is_subscribed
    Contact.objects.all().delete()
    imported(store, {"Phone": PHONE, "SMS": "yes"})
    assert not contact_of(store).is_subscribed and is_suppressed(store)


def test_who_opted_out_before_keeps_the_time_and_gets_no_second_event():
    store = make_store("alice")
    contact = make_contact(store, PHONE)
    change_consent(contact.pk, "unsubscribed", source="inbound_stop")
    before = contact_of(store)
    assert imported(store, {"Phone": PHONE, "SMS": "no"}).unchanged == 1
    after = contact_of(store)
    assert (after.unsubscribed_at, after.sms_consent_source) == (
        before.unsubscribed_at,
        "inbound_stop",
    )
    assert ConsentEvent.objects.count() == 1


def test_an_opt_out_of_a_file_waits_for_a_call_under_way():
    from contacts.sending_window import sending_window

    store = make_store("alice")
    make_contact(store, PHONE)
    waited = []

    def locks():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                " AND mode = 'ExclusiveLock' AND classid = %s",
                [0x5E4D],
            )
            return cursor.fetchone()[0]

    original = writing.wait_for_sends_and_suppress_phones

    def watched(*args, **options):
        original(*args, **options)
        waited.append(locks())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "wait_for_sends_and_suppress_phones", watched)
        imported(store, {"Phone": PHONE, "SMS": "no"})
        imported(store, {"Phone": "+306900000002", "SMS": "no"})
        asked = make_contact(store, "+306900000003", is_subscribed=False)
        OptInRequest.objects.create(contact=asked, purpose="double_opt_in", wording="Offers?")
        imported(store, {"Phone": asked.phone, "SMS": "no"})
    assert waited == [1, 0, 1], "a contact was opted out beside an open sending window"
    with sending_window(store.pk):
        pass


PERSON = (
    {"Phone": PHONE, "First": "Anna", "SMS": ""},
    {"Phone": PHONE, "First": "Anne", "Email": "anna@example.com", "SMS": "yes"},
    {"Phone": PHONE, "Born": "1985-03-25", "Email": "other@example.com"},
)


@pytest.mark.parametrize("chunk_rows", [1, 2, 100])
@pytest.mark.parametrize("update_existing", [True, False])
def test_rows_of_one_person_fill_each_others_blanks(monkeypatch, chunk_rows, update_existing):
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", chunk_rows)
    store = make_store("alice")
    other = {"Phone": "+306900000002", "First": "Eva", "SMS": "yes"}
    job = imported(store, PERSON[0], other, *PERSON[1:], update_existing=update_existing)
    contact = contact_of(store)
    assert (contact.first_name, contact.email) == ("Anna", "anna@example.com")
    assert contact.birthday.isoformat() == "1985-03-25" and contact.is_subscribed
    assert (job.processed, job.created, job.updated, job.duplicate) == (4, 2, 0, 2)
    assert ConsentEvent.objects.count() == 2


@pytest.mark.parametrize("chunk_rows", [1, 100])
def test_a_known_contact_gets_the_first_filled_cells_of_its_rows(monkeypatch, chunk_rows):
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", chunk_rows)
    store = make_store("alice")
    make_contact(store, PHONE, first_name="Old", email="old@example.com")
    job = imported(store, *PERSON)
    contact = contact_of(store)
    assert (contact.first_name, contact.email) == ("Anna", "anna@example.com")
    assert (job.updated, job.duplicate) == (1, 2)


@pytest.mark.parametrize("chunk_rows", [1, 100])
def test_a_contact_that_is_left_alone_is_not_filled_either(monkeypatch, chunk_rows):
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", chunk_rows)
    store = make_store("alice")
    make_contact(store, PHONE, first_name="Old", is_subscribed=False)
    job = imported(store, *PERSON, update_existing=False)
    contact = contact_of(store)
    assert (contact.first_name, contact.email, contact.birthday) == ("Old", "", None)
    assert not contact.is_subscribed and (job.unchanged, job.duplicate) == (1, 2)


ANSWERS = {"yes": True, "no": False, "": None, "perhaps": False}


@pytest.mark.slow
@pytest.mark.parametrize("chunk_rows", [1, 2, 100])
def test_any_no_of_any_row_wins_in_every_order(monkeypatch, chunk_rows):
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", chunk_rows)
    store = make_store("alice")
    orders = list(itertools.product(ANSWERS, repeat=3))
    rows = [
        {"Phone": f"+3069000{number:05}", "SMS": answers[at]}
        for at in range(3)
        for number, answers in enumerate(orders)
    ]
    imported(store, *rows)
    for number, answers in enumerate(orders):
        contact = contact_of(store, f"+3069000{number:05}")
        said = {ANSWERS[answer] for answer in answers}
        is_subscribed = True in said and False not in said
        assert contact.is_subscribed == is_subscribed, answers
        assert "no" not in answers or is_suppressed(store, contact.phone), answers
        # Nobody was subscribed for a while, and a doubt is no opt-out.
        events = ConsentEvent.objects.filter(contact=contact).values_list("type", flat=True)
        expected = ["subscribed"] if is_subscribed else ["unsubscribed"] if "no" in answers else []
        assert list(events) == expected, answers


@pytest.mark.parametrize(
    ("name", "subscribed"),
    [("Anna (no SMS)", False), ("Άννα ΜΗΝ ΣΤΕΛΝΕΤΕ SMS", False), ("Anna Maria", True)],
)
def test_a_no_beside_a_name_is_one(name, subscribed):
    store = make_store("alice")
    imported(store, {"Phone": PHONE, "First": name, "SMS": "yes"})
    assert contact_of(store).is_subscribed == subscribed
    assert is_suppressed(store) != subscribed


def test_the_no_of_a_rejected_row_counts_if_its_number_is_certain():
    store = make_store("alice")
    Contact.objects.create(owner=store, phone="+306900000002", is_subscribed=True)
    job = imported(
        store,
        {"Phone": PHONE, "SMS": "yes"},
        {"Phone": PHONE, "SMS": "no", "Born": "29.02.1989"},
        {"Phone": "+306900000002", "SMS": "no", "Born": "29.02.1989"},
    )
    assert (job.created, job.rejected) == (1, 2)
    assert not contact_of(store).is_subscribed
    assert is_suppressed(store) and is_suppressed(store, "+306900000002")


def test_rows_that_were_kept_without_a_cell_are_counted_and_listed():
    store = make_store("alice")
    job = imported(
        store,
        {"Phone": PHONE, "First": "Anna", "Email": "a@b", "Born": "03/05", "SMS": "perhaps"},
        {"Phone": "12", "First": "Bad"},
        {"Phone": "+306900000003", "First": "Eva", "Email": "none", "SMS": "yes"},
    )
    assert (job.processed, job.created, job.rejected, job.kept_incomplete) == (3, 2, 1, 1)
    kept, bad = RejectedRow.objects.order_by("line")
    assert (kept.line, kept.column, kept.value, bad.line) == (2, "Born", "03/05", 3)
    assert kept.reason.startswith(
        "kept without birthday: the date has no year; kept without e-mail"
    )
    assert "kept without consent" in kept.reason
    assert "kept without birthday" in "".join(rejected.rejected_csv_lines_with_bom_and_heading(job))


def test_a_landline_is_stored_and_not_marketed_to():
    store = make_store("alice", phone_region="GR")
    job = imported(store, {"Phone": "2101234567", "SMS": "yes"})
    contact = contact_of(store, "+302101234567")
    assert not contact.is_subscribed and not is_suppressed(store, "+302101234567")
    assert (job.created, job.kept_incomplete) == (1, 1)


SECRET = "Zaphod"


def failing(kind):
    def validate_row(cells):
        if SECRET in "".join(cells):
            raise kind(f"cannot read {cells}")
        return build_row_validator(
            ["Phone", "First"], {"phone": [0], "first_name": [1]}, "iso", "GR"
        )(cells)

    return lambda *args, **options: validate_row


@pytest.fixture
def job():
    text = f"phone,first name\n{PHONE},Anna\n+306900000002,{SECRET}\n"
    contact_import = lifecycle.create_unstarted_import_or_refuse(
        make_store("alice").pk, "c.csv", [text.encode()]
    )
    lifecycle.start_import_audit_and_enqueue_or_raise(contact_import, by="test")
    return contact_import


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, KeyError, MemoryError, RecursionError])
def test_an_error_at_a_row_ends_the_import_without_its_words(job, kind, monkeypatch, caplog):
    monkeypatch.setattr(lifecycle, "build_row_validator", failing(kind))
    with caplog.at_level(logging.DEBUG):
        assert tasks.import_contacts(job.pk) == "failed"
    job.refresh_from_db()
    assert f"in line 3 ({kind.__name__} in test_import_consent.py:" in job.error
    assert SECRET not in job.error + caplog.text and job.finished_at


def test_an_error_of_the_database_ends_the_import_without_its_words(job, monkeypatch, caplog):
    wrong_table = writing.CREATE_STAGING_TABLE.replace("first_name text", "first_name int")
    monkeypatch.setattr(writing, "CREATE_STAGING_TABLE", wrong_table)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS staging")
    with caplog.at_level(logging.DEBUG):
        assert tasks.import_contacts(job.pk) == "failed"
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS staging")
    job.refresh_from_db()
    assert "in lines 1 to 3 (InvalidTextRepresentation in writing.py:" in job.error
    assert SECRET not in job.error + caplog.text and not Contact.objects.exists()


@pytest.mark.parametrize("place", ["plan", "read"])
def test_an_error_before_the_first_row_ends_the_import(job, monkeypatch, place):
    def fail(*args, **options):
        raise ZeroDivisionError(SECRET)

    if place == "plan":
        monkeypatch.setattr(planning, "plan_import_or_refuse", fail)
    else:
        monkeypatch.setattr(lifecycle.reading, "FileReader", fail)
    job = lifecycle.run_open_import_unless_running(job.pk)
    assert job.status == "failed" and "ZeroDivisionError" in job.error and SECRET not in job.error


def test_an_import_goes_on_after_the_database_was_away(job, monkeypatch):
    def away(*args):
        raise OperationalError(f"server closed the connection at {SECRET}")

    with monkeypatch.context() as patch:
        patch.setattr(writing, "upsert_contacts_with_consent_suppressions_and_list", away)
        with pytest.raises(lifecycle.DatabaseUnavailable) as raised:
            tasks.import_contacts(job.pk)
    assert SECRET not in repr(raised.value)
    assert raised.value.__context__ is None and raised.value.__cause__ is None
    assert lifecycle.run_open_import_unless_running(job.pk).status == "completed"


def test_a_job_that_takes_too_long_leaves_the_import_open(job, monkeypatch):
    def late(*args):
        raise JobTimeoutException("too long")

    with monkeypatch.context() as patch:
        patch.setattr(writing, "upsert_contacts_with_consent_suppressions_and_list", late)
        with pytest.raises(JobTimeoutException):
            lifecycle.run_open_import_unless_running(job.pk)
    job.refresh_from_db()
    assert (job.status, job.attempts) == ("processing", 1)
    assert lifecycle.run_open_import_unless_running(job.pk).status == "completed"


class Killed(BaseException):
    """As the end of a process: nothing catches it."""


def test_an_import_that_ends_its_worker_again_and_again_fails(job, monkeypatch):
    def kill(*args, **options):
        raise Killed

    monkeypatch.setattr(planning, "plan_import_or_refuse", kill)
    for attempt in range(lifecycle.MAX_ATTEMPTS):
        with pytest.raises(Killed):
            lifecycle.run_open_import_unless_running(job.pk)
        job.refresh_from_db()
        assert (job.status, job.attempts) == ("processing", attempt + 1)
    job = lifecycle.run_open_import_unless_running(job.pk)
    assert job.status == "failed" and "interrupted too often" in job.error
    assert lifecycle.enqueue_open_imports_if_queue_empty(dry_run=True) == 0


def test_an_import_that_goes_on_between_kills_ends(monkeypatch):
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", 1)
    text = "phone\n" + "".join(f"+30690000{n:04}\n" for n in range(12))
    job = lifecycle.create_unstarted_import_or_refuse(
        make_store("alice").pk, "c.csv", [text.encode()]
    )
    lifecycle.start_import_audit_and_enqueue_or_raise(job, by="test")
    original = writing.upsert_contacts_with_consent_suppressions_and_list
    calls = itertools.count()

    def one_then_killed(*args):
        if next(calls) % 2:
            raise Killed
        return original(*args)

    monkeypatch.setattr(
        writing, "upsert_contacts_with_consent_suppressions_and_list", one_then_killed
    )
    kills = 0
    while True:
        try:
            job = lifecycle.run_open_import_unless_running(job.pk)
            break
        except Killed:
            kills += 1
    assert (job.status, job.created, job.attempts) == ("completed", 12, 0)
    assert kills > lifecycle.MAX_ATTEMPTS


def test_cells_that_postgresql_cannot_store_are_listed_and_do_no_harm():
    store = make_store("alice", phone_region="GR")
    validate = build_row_validator(
        ["Phone", "First"], {"phone": [0], "first_name": [1]}, "iso", "GR"
    )
    rows = [["12\0\ud83d", "A\0"], [PHONE, "An\0na\ud83d"]]

    class Reader:
        share_read = 1.0

        def __iter__(self):
            return iter(enumerate(rows, 2))

    job = ContactImport.objects.create(owner=store, file_size=1, status="processing")
    for chunk in lifecycle._iter_all_chunks_one_ending_at_checkpoint(
        Reader(), validate, job.pk, checkpoint=0
    ):
        assert lifecycle._write_chunk_if_processing_or_raise_file_changed(job, chunk)
    assert contact_of(store).first_name == "An na"
    assert RejectedRow.objects.get().row == ["12\ufffd\ufffd", "A\ufffd"]


def test_nothing_of_a_killed_import_is_left_in_the_temporary_folder(tmp_path, worker):
    text = "phone\n" + "".join(f"+30690{n:07}\n" for n in range(200_000))
    path = tmp_path / "customers.csv"
    path.write_text(text)
    folder = tmp_path / "temporary"
    folder.mkdir()
    job = lifecycle.create_import_and_enqueue_or_refuse(make_store("alice").pk, path)
    process = worker("rqworker", "contact_import", TMPDIR=str(folder))
    wait_until(lambda: ContactImport.objects.get(pk=job.pk).processed)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(folder.iterdir()) == []


def test_the_local_copy_has_no_name(job):
    with files.temporary_local_copy_or_refuse(job.pk) as path:
        assert path.read_bytes().startswith(b"phone") and path.stat().st_nlink == 0
    assert not path.exists()


@pytest.mark.parametrize("answers", list(itertools.permutations(["yes", "pending", "no"])))
def test_a_no_outranks_a_doubt_of_another_row_wherever_it_stands(monkeypatch, answers):
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", 1)
    store = make_store()
    imported(store, *({"Phone": PHONE, "SMS": answer} for answer in answers))
    assert contact_of(store).unsubscribed_at and is_suppressed(store)


def test_a_row_in_doubt_is_not_subscribed_by_a_later_row_that_says_nothing(monkeypatch):
    monkeypatch.setattr(lifecycle, "CHUNK_ROWS", 1)
    monkeypatch.setattr(planning, "SAMPLE_ROWS", 1)
    store = make_store()
    text = f"Phone,Notes,Name\n+306900000009,,\n{PHONE},no SMS,\n{PHONE},,Anna\n"
    job = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "a.csv", [text.encode()], consent_source="form"
    )
    lifecycle.start_import_audit_and_enqueue_or_raise(job, by="test")
    assert lifecycle.run_open_import_unless_running(job.pk).status == "completed"
    assert not contact_of(store).is_subscribed
    assert contact_of(store, "+306900000009").is_subscribed


def completed(store, text):
    job = lifecycle.create_unstarted_import_or_refuse(
        store.pk, "a.csv", [text.encode()], consent_source="form"
    )
    lifecycle.start_import_audit_and_enqueue_or_raise(job, by="test")
    job = lifecycle.run_open_import_unless_running(job.pk)
    assert job.status == "completed", job.error
    return job


def test_a_no_in_a_note_below_the_sample_unsubscribes_a_known_contact(monkeypatch):
    monkeypatch.setattr(planning, "SAMPLE_ROWS", 1)
    store = make_store()
    contact = make_contact(store, phone=PHONE, is_subscribed=True)
    job = completed(store, f"Phone,Notes\n+306900000009,\n{PHONE},no SMS\n")
    contact.refresh_from_db()
    assert not contact.is_subscribed and contact.unsubscribed_at and is_suppressed(store)
    assert ConsentEvent.objects.filter(contact=contact, type="unsubscribed").exists()
    listed = RejectedRow.objects.get(contact_import=job)
    assert listed.reason == "kept without consent: it says no to messages"


@pytest.mark.parametrize("answer", ["yes", "pending"])
def test_a_no_in_a_note_below_the_sample_wins_over_an_answer(monkeypatch, answer):
    monkeypatch.setattr(planning, "SAMPLE_ROWS", 1)
    store = make_store()
    completed(store, f"Phone,SMS consent,Notes\n+306900000009,yes,\n{PHONE},{answer},no SMS\n")
    assert contact_of(store).unsubscribed_at and is_suppressed(store)


def test_an_unclear_note_below_the_sample_gives_no_consent(monkeypatch):
    monkeypatch.setattr(planning, "SAMPLE_ROWS", 1)
    store = make_store()
    job = completed(
        store, f"Phone,Notes\n+306900000009,\n{PHONE},hates texts\n+306900000010,likes blue\n"
    )
    subscribed = dict(Contact.objects.values_list("phone", "is_subscribed"))
    assert subscribed == {"+306900000009": True, PHONE: False, "+306900000010": True}
    assert not is_suppressed(store)
    listed = RejectedRow.objects.get(contact_import=job)
    assert listed.reason.startswith("kept without consent: the note may refuse messages")


@pytest.mark.parametrize("heading", ["Photo consent", "Post", "Email consent", "Serienbrief"])
@pytest.mark.parametrize(
    ("cell", "is_subscribed"), [("no", True), ("declined", True), ("do not contact", False)]
)
def test_a_no_to_everything_under_another_channel_or_purpose_counts(
    monkeypatch, heading, cell, is_subscribed
):
    monkeypatch.setattr(planning, "SAMPLE_ROWS", 2)
    store = make_store()
    completed(
        store,
        f"Phone,SMS consent,{heading}\n+306900000008,yes,yes\n+306900000009,no,no\n"
        f"{PHONE},yes,{cell}\n",
    )
    assert contact_of(store).is_subscribed == is_subscribed
    assert is_suppressed(store) != is_subscribed


@pytest.mark.parametrize("cells", ["Anna (no SMS),", "Anna,no SMS"])
def test_the_no_of_a_rejected_row_counts_in_a_file_without_a_column_of_consent(monkeypatch, cells):
    monkeypatch.setattr(planning, "SAMPLE_ROWS", 1)
    store = make_store()
    rows = f"+306900000009,Ada,,1990-05-13\n{PHONE},{cells},1990-02-31\n"
    assert completed(store, f"Phone,Name,Notes,Born\n{rows}").rejected == 1
    assert is_suppressed(store)


@pytest.mark.parametrize(
    ("cell", "is_opted_out"),
    [("see letter", True), ("☎ 3 May", True), ("not set", False), ("n/a", False), ("", False)],
)
def test_a_cell_of_an_opt_out_that_nobody_understands_unsubscribes(cell, is_opted_out):
    store = make_store()
    contact = make_contact(store, phone=PHONE, is_subscribed=True)
    completed(store, f"Phone,SMS opt-out\n+306900000008,yes\n+306900000009,no\n{PHONE},{cell}\n")
    contact.refresh_from_db()
    assert contact.is_subscribed != is_opted_out
    assert is_suppressed(store) == is_opted_out
