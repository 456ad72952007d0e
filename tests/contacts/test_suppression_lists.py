"""Lists of suppressed numbers: what is counted, whose they are, and who may handle them."""

import io
import json
import tempfile
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from astronote.models import AuditEntry, User
from contacts import suppressions
from contacts.marketing_blocks import phones_suppressed_at_store_or_everywhere
from contacts.models import Suppression
from contacts.phones import phone_hash, present_key_id
from tests.support.factories import make_store

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/admin/contacts/suppression/"
CASES = Path(__file__).parents[1] / "data/cases/suppressions"


def brought_in(lines, owner=None, region="GR"):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.writelines(lines)
        file.flush()
        return suppressions.suppress_numbers_of_file(
            Path(file.name), owner and owner.pk, region=region, reason="test"
        )


def exported(owner=None):
    file = io.StringIO()
    return suppressions.write_suppressions_csv(file, owner and owner.pk), file.getvalue()


def test_a_long_list_is_counted_over_all_its_parts():
    lines = [f"+30690{n:07}\n" for n in range(5001)]
    lines += ["nonsense\n", "+306900000000\n", "+306900005001\n"]
    counts = brought_in(lines)
    assert counts == {"added": 5002, "known": 1, "unreadable_lines": [5002]}
    assert Suppression.objects.count() == 5002
    assert brought_in(lines)["known"] == 5003


def test_only_the_first_line_may_be_a_heading():
    counts = brought_in(["phone,why\n", "who,why\n", " 6900000001 ,x\n", "\n", ",\n"])
    assert counts == {"added": 1, "known": 0, "unreadable_lines": [2]}
    assert Suppression.objects.get().phone_hash == phone_hash("+306900000001")
    assert brought_in(["6900000002\n"])["added"] == 1, "a number in the first line is no heading"


def test_hashes_are_taken_as_they_are_and_nothing_like_them():
    counts = brought_in(["x\n", "ab" * 32 + "\n", "ab" * 31 + "\n", "AB" * 32 + "\n"])
    assert counts == {"added": 1, "known": 0, "unreadable_lines": [3, 4]}
    assert Suppression.objects.get().phone_hash == "ab" * 32


def test_national_numbers_are_those_of_the_given_country():
    brought_in(["07400 123456\n"], region="GB")
    brought_in(["6900000001\n"], region="GR")
    hashes = set(Suppression.objects.values_list("phone_hash", flat=True))
    assert hashes == {phone_hash("+447400123456"), phone_hash("+306900000001")}


@pytest.mark.parametrize(
    "case", json.loads((CASES / "expected.json").read_text()), ids=lambda case: case["file"]
)
def test_lists_as_people_bring_them(case):
    path = CASES / "files" / case["file"]
    counts = suppressions.suppress_numbers_of_file(path, None, region=case["region"], reason="test")
    assert len(counts["unreadable_lines"]) == case["unreadable"]
    suppressed = set(Suppression.objects.values_list("phone_hash", flat=True))
    assert suppressed == set(map(phone_hash, case["suppressed"]))


def test_a_number_with_two_readings_is_suppressed_in_both_unless_its_column_tells():
    brought_in(["number\n", "33612345678\n"], region="DE")
    hashes = set(Suppression.objects.values_list("phone_hash", flat=True))
    assert hashes == {phone_hash("+33612345678"), phone_hash("+4933612345678")}
    Suppression.objects.all().delete()
    brought_in(["number\n", "33612345678\n", "491701234567\n"], region="DE")
    hashes = set(Suppression.objects.values_list("phone_hash", flat=True))
    assert hashes == {phone_hash("+33612345678"), phone_hash("+491701234567")}


def test_numbers_beside_a_named_column_are_left_alone():
    counts = brought_in(["ID;Mobile;Date\n", "2101234567;6900000001;2024-01-05\n"])
    assert counts == {"added": 1, "known": 0, "unreadable_lines": []}
    assert Suppression.objects.get().phone_hash == phone_hash("+306900000001")


def test_the_same_number_is_suppressed_by_each_store_for_itself():
    alice, bob = make_store("alice"), make_store("bob")
    assert brought_in(["+306900000001\n"], alice)["added"] == 1
    assert phones_suppressed_at_store_or_everywhere(bob.pk, ["+306900000001"]) == set()
    assert brought_in(["+306900000001\n"], bob)["added"] == 1
    assert brought_in(["+306900000001\n"])["added"] == 1
    assert set(Suppression.objects.values_list("owner", "reason")) == {
        (alice.pk, "test"), (bob.pk, "test"), (None, "test"),
    }  # fmt: skip


def test_a_store_takes_out_its_own_entries_in_the_order_they_came():
    alice, bob = make_store("alice"), make_store("bob")
    brought_in(["+306900000002\n"], alice)
    brought_in(["+306900000001\n"], alice)
    brought_in(["+306900000003\n"], bob)
    brought_in(["+306900000004\n"])
    count, text = exported(alice)
    lines = text.splitlines()
    assert (count, lines[0]) == (2, "phone_hash,reason,since,key")
    since = Suppression.objects.filter(owner=alice).first().created_at.isoformat()
    key = f"key-{present_key_id()}"
    assert lines[1] == f"{phone_hash('+306900000002')},test,{since},{key}"
    assert lines[2].startswith(phone_hash("+306900000001"))
    assert exported(bob)[0] == 1
    count, text = exported()
    assert count == 1 and phone_hash("+306900000004") in text


def test_the_command_names_store_and_reason_and_is_audited(tmp_path, capsys, settings):
    settings.DEFAULT_PHONE_REGION = "GB"
    store = make_store("alice", phone_region="GR")
    path = tmp_path / "list.csv"
    path.write_text("\ufeff6900000001\n", encoding="utf-8")
    call_command("suppressions", "import", str(path), store=str(store.pk), reason="paper list")
    entry = Suppression.objects.get()
    assert (entry.owner, entry.reason) == (store, "paper list")
    assert entry.phone_hash == phone_hash("+306900000001")
    audit = AuditEntry.objects.get()
    assert (audit.actor_name, audit.action) == ("command line", "suppressions imported")
    assert (audit.owner, audit.details) == (store, {"added": 1, "known": 0})
    path.write_text("07400 123456\n")
    call_command("suppressions", "import", str(path))
    entry = Suppression.objects.last()
    assert (entry.owner, entry.reason) == (None, "imported list")
    assert entry.phone_hash == phone_hash("+447400123456")
    capsys.readouterr()
    call_command("suppressions", "export", store=store.email)
    assert capsys.readouterr().out.splitlines()[1].startswith(phone_hash("+306900000001"))
    call_command("suppressions", "export", str(tmp_path / "out.csv"), store=store.email)
    assert "1 entry" in capsys.readouterr().out


def test_the_page_takes_a_list_of_one_store_and_is_audited(client):
    user = User.objects.create_superuser("root@example.com")
    client.force_login(user)
    store = make_store("alice", phone_region="GB")
    file = SimpleUploadedFile("list.csv", "\ufeff07400 123456\nwho\n".encode())
    form = {"file": file, "store": store.pk, "reason": "paper list"}
    answer = client.post(f"{PAGE}import/", form, follow=True)
    assert "1 added, 0 known before" in answer.text
    assert "1 line holds no number: 2" in answer.text
    entry = Suppression.objects.get()
    assert (entry.owner, entry.reason) == (store, "paper list")
    assert entry.phone_hash == phone_hash("+447400123456")
    audit = AuditEntry.objects.get()
    assert (audit.actor, audit.action) == (user, "suppressions imported")
    assert (audit.owner, audit.details) == (store, {"added": 1, "known": 0})
    broken = SimpleUploadedFile("list.csv", b"%PDF-1.7")
    answer = client.post(f"{PAGE}import/", form | {"file": broken})
    assert "save the list as CSV" in answer.text and Suppression.objects.count() == 1


def test_the_page_hands_out_the_entries_of_one_store_or_of_all(client):
    client.force_login(User.objects.create_superuser("root@example.com"))
    alice, bob = make_store("alice"), make_store("bob")
    for owner, number in ((alice, 1), (bob, 2), (None, 3)):
        brought_in([f"+30690000000{number}\n"], owner)
    for query, number in ((f"?store={alice.pk}", 1), (f"?store={bob.pk}", 2), ("", 3)):
        answer = client.get(f"{PAGE}export.csv{query}")
        text = b"".join(answer.streaming_content).decode()
        lines = text.splitlines()
        assert len(lines) == 2 and lines[1].startswith(phone_hash(f"+30690000000{number}"))
    assert 'filename="suppressions.csv"' in answer["Content-Disposition"]
    exported_of = AuditEntry.objects.order_by("pk").values_list("action", "owner")
    assert list(exported_of) == [
        ("suppressions exported", owner and owner.pk) for owner in (alice, bob, None)
    ]
    for number in ("0", "9" * 30):
        assert client.get(f"{PAGE}export.csv?store={number}").status_code == 404


def test_a_viewer_takes_suppressions_out_and_brings_none_in(client):
    call_command("create_operator", "viewer@example.com", role="viewer", password="a-long-one-9")
    client.force_login(User.objects.get(email="viewer@example.com"))
    assert client.get(f"{PAGE}export.csv").status_code == 200
    assert client.get(f"{PAGE}import/").status_code == 403
    link = "/admin/contacts/suppression/import/"
    assert link not in client.get(PAGE).text
    client.force_login(User.objects.create_superuser("root@example.com"))
    assert link in client.get(PAGE).text


def test_a_reason_that_is_too_long_is_said_at_its_field(admin_client):
    file = SimpleUploadedFile("list.csv", b"+306900000001\n")
    page = admin_client.post(f"{PAGE}import/", {"file": file, "reason": "x" * 81})
    assert page.context["form"].errors.keys() == {"reason"}
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("lines", "region", "expected"),
    [
        (["DDD;Celular\n", "11;98765-4321\n", "21;11987654322\n"], "BR",
         ["+5511987654321", "+5511987654322"]),
        (["Vorwahl;Rufnummer\n", "0171;1234567\n", "0160;01601234568\n"], "DE",
         ["+491711234567", "+491601234568"]),
        (["Country code;Area code;Phone\n", "1;415;5550132\n", "55;11;987654321\n"], "GR",
         ["+14155550132", "+5511987654321"]),
    ],
)  # fmt: skip
def test_numbers_are_read_with_area_codes_of_another_column(lines, region, expected):
    counts = brought_in(lines, region=region)
    assert counts["unreadable_lines"] == []
    hashes = set(Suppression.objects.values_list("phone_hash", flat=True))
    assert hashes == set(map(phone_hash, expected))
