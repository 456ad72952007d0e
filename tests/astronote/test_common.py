"""What all apps take from contacts: numbers, audit, log lines, CSV cells and progress."""

import csv
import io
import json
import logging
import sys
import tempfile
import time
import unicodedata
from datetime import datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from astronote.accounts.lookup import get_store_or_command_error
from astronote.common import audit, progress
from astronote.common.counts import counted_in_english, format_count
from astronote.common.logs import (
    NumberMaskingJsonFormatter,
    NumberMaskingTextFormatter,
    log_context,
    mask_e164_numbers,
)
from astronote.common.spreadsheet_csv import (
    csv_line_with_escaped_formulas,
    escape_formula,
    unescape_formula,
)
from astronote.models import AuditEntry, User
from campaigns.models import Campaign
from contacts.lookup import contact_ids_of_all_stores_with_phone
from contacts.phones import phone_hash, phone_region_of_store_or_default, to_e164_or_none
from tests.support.factories import make_campaign, make_contact, make_store

database = pytest.mark.django_db(transaction=True)


# Numbers.


def test_the_hash_of_a_number_is_the_same_for_ever(settings):
    """Suppressions that were written with it years ago must still be found."""
    settings.PHONE_HASH_KEY = "a key"
    expected = "052ad781183f16489d2ac0ae841db99b0db3f7d2b13e541c227bd8400c3f37ae"
    assert phone_hash("+306900000001") == expected
    settings.PHONE_HASH_KEY = "another key"
    assert phone_hash("+306900000001") != expected


@database
def test_the_country_of_numbers_is_the_stores_or_else_the_default(settings):
    settings.DEFAULT_PHONE_REGION = "DE"
    assert phone_region_of_store_or_default(make_store("alice", phone_region="GR")) == "GR"
    assert phone_region_of_store_or_default(make_store("bob")) == "DE"


def test_punctuation_and_spaces_around_a_number_do_not_matter():
    assert to_e164_or_none("+306900000001" + "-" * 26, "GR") == "+306900000001"
    assert to_e164_or_none("\u00a0+30 (690) 000/0001 ", "DE") == "+306900000001"


@database
def test_a_number_is_found_at_every_store_that_has_it():
    alice, bob, cleo = (make_store(name) for name in ("alice", "bob", "cleo"))
    wanted = [make_contact(owner, "+306900000001").pk for owner in (alice, bob)]
    make_contact(cleo, "+306900000002")
    assert sorted(contact_ids_of_all_stores_with_phone("+306900000001")) == wanted
    assert contact_ids_of_all_stores_with_phone("+306900000009") == []


@database
def test_a_store_is_found_by_its_address_in_any_case_or_by_its_id():
    store = make_store("alice")
    make_store("bob")
    assert (
        get_store_or_command_error("Alice@Example.COM")
        == get_store_or_command_error(str(store.pk))
        == store
    )
    operator = make_store("operator", is_staff=True)
    for name in ("0", "⓵", "nobody@example.com", "", operator.email, str(operator.pk)):
        with pytest.raises(CommandError, match="no store has"):
            get_store_or_command_error(name)


# The audit trail.


@database
def test_an_entry_names_the_account_the_subject_and_its_store():
    user = User.objects.create_superuser("root@example.com")
    campaign = make_campaign(make_store("alice"), None)
    audit.write_entry("start", campaign, by=user, run=1)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.actor_name) == (user, f"account {user.pk}")
    assert (entry.action, entry.subject) == ("start", f"campaign {campaign.pk}")
    assert (entry.owner_id, entry.details) == (campaign.owner_id, {"run": 1})


@database
def test_an_entry_of_a_program_has_no_account_and_may_have_no_subject():
    other = make_store("bob")
    audit.write_entry("mended", by="watchdog")
    audit.write_entry(
        "mended", make_campaign(make_store("alice"), None), by="watchdog", owner_id=other.pk
    )
    first, second = AuditEntry.objects.order_by("pk")
    assert (first.actor, first.actor_name, first.subject) == (None, "watchdog", "")
    assert (first.owner, first.details) == (None, {})
    assert second.owner == other and Campaign.objects.get().owner != other


# Log lines.


def record(message="sent", *args, error=None):
    record = logging.LogRecord("messaging", logging.WARNING, "", 0, message, args, error)
    record.created = 1_790_000_000.25
    return record


def test_a_line_of_text_has_time_level_and_logger():
    line = NumberMaskingTextFormatter().format(record("sent %s", 3))
    assert line.endswith("WARNING messaging: sent 3") and line[:4].isdecimal()
    with log_context(store=3, batch=7):
        assert NumberMaskingTextFormatter().format(record()).startswith("store=3 batch=7: ")


def test_a_line_of_json_has_everything_by_name():
    try:
        raise ZeroDivisionError("to +306900000001")
    except ZeroDivisionError:
        error = sys.exc_info()
    with log_context(store=3):
        line = json.loads(
            NumberMaskingJsonFormatter().format(record("Γειά %s", "σου", error=error))
        )
    assert datetime.fromisoformat(line["time"]).timestamp() == 1_790_000_000.25
    assert line["time"].endswith("+00:00")
    assert (line["level"], line["logger"], line["message"]) == ("WARNING", "messaging", "Γειά σου")
    assert line["store"] == 3
    assert "ZeroDivisionError: to +•••" in line["exception"]
    assert "exception" not in json.loads(NumberMaskingJsonFormatter().format(record()))
    assert "Γειά" in NumberMaskingJsonFormatter().format(record("Γειά"))


def test_what_a_line_is_about_ends_with_its_context_also_after_an_error():
    with log_context(store=3):
        with pytest.raises(ZeroDivisionError), log_context(batch=7, store=4):
            assert "store=4 batch=7" in NumberMaskingTextFormatter().format(record())
            raise ZeroDivisionError
        assert NumberMaskingTextFormatter().format(record()).startswith("store=3: ")
    assert "store" not in NumberMaskingTextFormatter().format(record())


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to +306900000001 and +4912345", "to +••• and +•••"),
        ("+123456 is too short", "+123456 is too short"),
        ("1+1", "1+1"),
        ("+123456789012345", "+•••"),
    ],
)
def test_phone_numbers_are_hidden_and_other_figures_are_not(text, masked):
    assert mask_e164_numbers(text) == masked


# CSV for spreadsheets.


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t"])
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(first):
    assert csv_line_with_escaped_formulas(["plain", f"{first}1"]) == f"plain,'{first}1\r\n"


def test_other_cells_are_written_as_they_are():
    assert (
        csv_line_with_escaped_formulas(["\r", None, 7, "a=b", 'x"y', "a,b"])
        == '"\'\r",,7,a=b,"x""y","a,b"\r\n'
    )


# Waiting for other processes.


def test_following_ends_when_the_work_has_ended(capsys):
    states = iter([(1, False), (2, False), (3, True), (4, True)])
    progress.wait_with_progress_bar("Import", 3, lambda: next(states))
    assert next(states) == (4, True)
    shown = capsys.readouterr()
    assert "Import" in shown.err and "3/3" in shown.err and shown.out == ""


def test_following_ends_with_an_error_after_its_longest_time():
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="Import has not ended at 1 of 3"):
        progress.wait_with_progress_bar("Import", 3, lambda: (1, False), timeout_seconds=0.01)
    assert time.monotonic() - began < 20


# Uploads.


def test_a_large_upload_has_no_name_on_the_disk_and_is_read_whole(rf, tmp_path, monkeypatch):
    """So a web process that is killed leaves no list of customers behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = b"phone\n" + b"+306900000001\n" * 300_000
    request = rf.post("/", {"file": SimpleUploadedFile("customers.csv", content)})
    file = request.FILES["file"]
    assert list(tmp_path.iterdir()) == []
    assert (file.name, file.size, b"".join(file.chunks())) == (
        "customers.csv", len(content), content,
    )  # fmt: skip
    request.close()
    assert file.closed


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "＝1+1", "＋1", "－1", "＠SUM(1)", "﹦1", "\u22121", " =1", "\u3000=1", '"=1', "'=1",
     "\t=1", "\r=1", "\n=1", "a;=1", "a; =1", "a\t＝1", "a\n-1", 'a;"=1'],
)  # fmt: skip
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_is_a_formula_however_a_spreadsheet_separates(cell, delimiter):
    line = csv_line_with_escaped_formulas(["x", cell, "y"])
    for row in csv.reader(io.StringIO(line, newline=""), delimiter=delimiter):
        for read in row:
            begins = unicodedata.normalize("NFKC", read).lstrip(' \t\r\n"')[:1]
            assert begins not in ("=", "+", "-", "@", "\u2212"), read


@given(st.text(alphabet="a'=+-@;\t\r\n \"＝－x"))
def test_an_escaped_cell_reads_back_as_it_was(cell):
    assert unescape_formula(escape_formula(cell)) == cell


@pytest.mark.parametrize("text", ["\n" * 100_000 + "!", "\n'" * 50_000 + "!", "\t" * 100_000])
def test_a_cell_of_blank_lines_is_escaped_in_a_moment(text):
    """Anybody can send one in a reply; it took minutes, by the square of its length."""
    began = time.thread_time()
    escape_formula(text)
    unescape_formula(text)
    assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 replies"), (1, "1 reply"), (2, "2 replies"), (1200, "1,200 replies")]
)
def test_a_count_has_its_noun_in_the_right_number(count, said):
    assert counted_in_english(count, "reply", "replies") == said
    assert counted_in_english(count, "row") == f"{count:,} row{'' if count == 1 else 's'}"


@pytest.mark.parametrize(
    ("language", "written"), [("en", "1,234,567"), ("el", "1.234.567"), ("de", "1.234.567")]
)
def test_a_count_has_the_separators_of_the_language(language, written):
    with translation.override(language):
        assert format_count(1_234_567) == written
