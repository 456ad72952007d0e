"""A person is planted wherever a declaration says that personal data may be.

Access hands out all of it. After an erasure nothing of it is anywhere.
"""

import json
import tempfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from astronote.models import User
from astronote.operations import registry
from astronote.operations.personal_data import PlaceKind
from astronote.queues import jobs
from compliance import elsewhere, rights
from compliance.person import find_contacts_and_traces_of_person
from compliance.search import find_traces_left_and_kept_for_a_reason
from contacts.importing import lifecycle
from contacts.models import Contact, ContactImport, ImportFileChunk, RejectedRow, Suppression
from messaging.models import WebhookEvent
from tests.compliance import planting
from tests.compliance.planting import EMAIL, FIRST, LAST, NEEDLES, OTHER, PHONE
from tests.support.factories import make_store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def world():
    return planting.World()


@pytest.fixture
def planted(world):
    """The person everywhere; the files that were left go with the test."""
    planting.plant_rows(world)
    planting.plant_uploads(world)
    planting.plant_session(world)
    paths = planting.plant_places(world)
    yield world
    for path in paths:
        path.unlink(missing_ok=True)


def test_every_declaration_is_planted(world):
    planted = planting.plant_rows(world)
    by_hand = planting.BY_HAND | planting.NOT_REACHED
    declared = {
        f"{one.model}.{name}"
        for one in registry.personal_data
        if one.model not in by_hand
        for name in one.fields
    }
    assert declared == set(planted)
    kinds = {place.kind for place in registry.personal_places if place.pattern}
    assert kinds == {PlaceKind.REDIS, PlaceKind.FILE}


def test_access_hands_out_all_that_is_planted(planted):
    held = rights.collect_held_data_of_person_and_audit(PHONE, by="test")
    text = json.dumps(held, default=str, ensure_ascii=False)
    assert [mark for mark in planted.marks if mark not in text] == []
    tables = {one["what"] for one in held["data"]}
    planted_models = {one.model for one in registry.personal_data} - {
        *planting.NOT_REACHED, "astronote.Session",
    }  # fmt: skip
    assert tables == planted_models
    assert "upload-mark" in text
    assert any("session" in one for one in held["elsewhere"])
    assert any("file" in one for one in held["elsewhere"])
    assert any("Redis" in one for one in held["elsewhere"])


def test_after_an_erasure_nothing_is_anywhere(planted, capsys):
    assert set(planting.needles_in(planting.database_dump())) == set(NEEDLES)
    assert planting.needles_in(planting.redis_dump())
    call_command("person", "erase", PHONE, "--yes")
    assert "nothing else is left" in capsys.readouterr().out
    assert planting.needles_in(planting.database_dump()) == []
    assert planting.needles_in(planting.redis_dump()) == []
    assert Suppression.objects.filter(phone_hash__isnull=False).exists()
    assert Contact.objects.get().phone == OTHER


def test_an_erasure_takes_nothing_that_is_somebody_elses(planted):
    """Texts that only mentioned the person stay, without the mention."""
    other = Contact.objects.filter(phone=OTHER).values().get()
    rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    assert Contact.objects.values().get() == other
    masked = {one.model for one in planting.masked_declarations()}
    assert masked and len(list(planting.kept_marks(planted))) >= len(masked)
    kept = jobs.redis_connection()
    for kind in ("list", "set", "zset"):
        key = f"rq:planted:{kind}"
        members = {
            "list": lambda: kept.lrange(key, 0, -1),  # noqa: B023
            "set": lambda: kept.smembers(key),  # noqa: B023
            "zset": lambda: kept.zrange(key, 0, -1),  # noqa: B023
        }[kind]()
        assert list(members) == [b"kept"]


def test_the_search_finds_each_planted_row_that_an_erasure_would_overlook(world):
    """Each is planted alone, so that none is found for another's sake."""
    person = find_contacts_and_traces_of_person(PHONE, None)
    world.person.delete()
    for declaration in registry.personal_data:
        if declaration.model in planting.BY_HAND | planting.NOT_REACHED:
            continue
        if declaration.found_by.contact == "pk":
            continue
        for name in planting.free_text_and_json_fields(declaration):
            if name in planting.IDENTITY.get(declaration.model, ()):
                continue
            planting.plant_text(world, declaration, name, world.other)
            found = [
                trace
                for trace in find_traces_left_and_kept_for_a_reason(person)
                if not trace.reason
            ]
            table = planting.model_of_declaration(declaration)._meta.db_table
            assert [trace.where for trace in found] == [f"table {table}"], name
            assert (
                rights.erase_or_restrict_person_by_phone(
                    PHONE, by="test"
                ).traces_left_without_reason
                == []
            )


def test_the_search_finds_what_is_left_in_other_places(world):
    person = find_contacts_and_traces_of_person(PHONE, None)
    world.person.delete()
    assert [
        trace for trace in find_traces_left_and_kept_for_a_reason(person) if not trace.reason
    ] == []
    planting.plant_session(world)
    made = planting.plant_uploads(world)
    paths = planting.plant_places(world)
    found = "; ".join(str(trace) for trace in find_traces_left_and_kept_for_a_reason(person))
    for path in paths:
        path.unlink()
    for one in made.values():
        assert f"the file of import {one.pk}" in found
    for where in ("sessions", "the file /", "Redis: rq:", "Redis: astronote:", "contactimport"):
        assert where in found


def test_a_table_that_belongs_to_no_model_is_searched(world, capsys):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE forgotten (id int, note jsonb)")
        cursor.execute(
            "INSERT INTO forgotten VALUES (1, %s)", [json.dumps({"a": ["690 000 0001"]})]
        )
        try:
            with pytest.raises(CommandError, match=r"column forgotten\.note"):
                call_command("person", "erase", PHONE, "--yes")
        finally:
            cursor.execute("DROP TABLE forgotten")


def test_what_an_account_says_is_reported_and_stays(world, capsys):
    User.objects.filter(pk=world.store.pk).update(company=f"{FIRST} {LAST} & Co")
    call_command("person", "erase", PHONE, "--yes")
    assert "kept: table astronote_user: an account" in capsys.readouterr().out
    assert User.objects.get(pk=world.store.pk).company == f"{FIRST} {LAST} & Co"


def test_the_same_name_of_another_number_is_said_and_left(world, capsys):
    namesake = Contact.objects.create(
        owner=world.store, phone="+306900000088", first_name=FIRST, last_name=LAST, email=EMAIL
    )
    message = world.message(namesake, text=f"Hi {FIRST} {LAST}")
    row = RejectedRow.objects.create(
        contact_import=world.new_import(), line=2, reason="x", row=["690 000 0088", FIRST, LAST]
    )
    call_command("person", "erase", PHONE, "--yes")
    assert "other numbers with the same e-mail address or name" in capsys.readouterr().out
    for one in (namesake, message, row):
        before = {name: value for name, value in vars(one).items() if not name.startswith("_")}
        one.refresh_from_db()
        assert {name: vars(one)[name] for name in before} == before


def test_a_legal_hold_keeps_all_of_its_store_and_the_contact_is_restricted(planted, capsys):
    bob = make_store("bob")
    Contact.objects.create(owner=bob, phone=PHONE, first_name=FIRST, last_name=LAST)
    Contact.objects.filter(pk=planted.person.pk).update(legal_hold=True)
    before = set(planting.kept_marks(planted))
    call_command("person", "erase", PHONE, "--yes")
    said = capsys.readouterr().out
    assert f"store {planted.store.pk}: not erased" in said and "restricted instead" in said
    assert f"kept: all rows of store {planted.store.pk}" in said
    assert not Contact.objects.filter(owner=bob).exists()
    kept = Contact.objects.get(phone=PHONE)
    assert (kept.first_name, kept.restricted_at is None) == (FIRST, False)
    assert "legal hold" in kept.restricted_reason
    gone = before - set(planting.kept_marks(planted))
    # Three columns of an event of no store, and the reason of an earlier restriction.
    assert len(gone) == 4
    assert ImportFileChunk.objects.count() > 0


def test_an_erasure_at_one_store_leaves_all_of_another(planted):
    bob = make_store("bob")
    rights.erase_or_restrict_person_by_phone(PHONE, bob.pk, by="test")
    assert Contact.objects.get(phone=PHONE).owner == planted.store
    text = json.dumps(
        rights.collect_held_data_of_person_and_audit(PHONE, planted.store.pk, by="test"),
        default=str,
    )
    of_no_store = {"admin.LogEntry"}
    assert "upload-mark" in text
    kept = set(planting.kept_marks(planted))
    assert len(kept) > len(planted.marks) * 0.9, of_no_store


def test_what_is_erased_does_not_come_back_with_an_import(planted):
    pending = ContactImport.objects.get(status="pending")
    rights.erase_or_restrict_person_by_phone(PHONE, by="test")
    done = lifecycle.run_open_import_unless_running(pending.pk)
    assert (done.status, done.processed, done.rejected) == ("completed", 3, 1)
    assert not Contact.objects.filter(phone=PHONE).exists()
    assert Contact.objects.filter(phone="+306900000055").exists()
    assert done.finished_at <= timezone.now()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_temporary_file_in_utf_16_is_searched_whatever_its_mark(world, encoding):
    [pattern] = elsewhere.declared_place_patterns(PlaceKind.FILE)[:1]
    folder = Path(tempfile.gettempdir())
    named, other = (folder / f"{encoding}-{n}{pattern.replace('*', 'x')}" for n in range(2))
    named.write_bytes(f"note of {PHONE}".encode(encoding))
    other.write_bytes(f"note of {OTHER}".encode(encoding))
    try:
        rights.erase_or_restrict_person_by_phone(PHONE, by="test")
        assert (named.exists(), other.exists()) == (False, True)
    finally:
        named.unlink(missing_ok=True)
        other.unlink()


@pytest.mark.parametrize("provider", ["opt_out_page", "opt_in_page", "mitto"])
def test_a_press_that_cannot_be_applied_goes_with_the_person(world, provider):
    WebhookEvent.objects.create(
        provider=provider,
        event_id="set-aside",
        event_type="inbound",
        owner=world.store,
        consent_request="stop",
        payload={"from": PHONE, "kind": "gone", "message": 0, "user_agent": LAST},
    )
    assert planting.needles_in(planting.database_dump()) != []
    assert (
        rights.erase_or_restrict_person_by_phone(PHONE, by="test").traces_left_without_reason == []
    )
    assert planting.needles_in(planting.database_dump()) == []
