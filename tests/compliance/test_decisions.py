"""What persons and stores decided after a backup holds in the restored database, too.

Each test makes the list, takes the decision back as a restore does, and repeats the list.
"""

import datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from astronote.models import AuditEntry, User
from compliance import off_boarding, rights
from contacts.consent import change_consent
from contacts.marketing_blocks import phones_suppressed_at_store_or_everywhere
from contacts.models import Contact, Suppression
from tests.support.factories import make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
TOMORROW = timezone.now().date() + datetime.timedelta(days=1)


@pytest.fixture
def alice():
    store = make_store()
    make_list(store, 3)
    return store


@pytest.fixture
def phone(alice):
    return Contact.objects.order_by("pk").first().phone


@pytest.fixture
def listed(tmp_path):
    """Writes the list, and returns what repeats it and says what the command said."""
    path = tmp_path / "decisions.jsonl"

    def write():
        with path.open("w") as file:
            call_command("decisions", "list", stdout=file)
        return repeat

    def repeat():
        said = StringIO()
        call_command("decisions", "repeat", "--from", str(path), stdout=said)
        return said.getvalue().strip().removeprefix("decisions younger than the backup: ")

    write.path = path
    return write


def test_a_person_who_came_back_before_the_backup_is_not_erased_again(alice, phone, listed):
    rights.erase_or_restrict_person_by_phone(phone, by="test")
    repeat = listed()
    Contact.objects.filter(phone=None).delete()
    Contact.objects.create(owner=alice, phone=phone, first_name="Maria")
    assert repeat() == "none"
    assert Contact.objects.filter(phone=phone).exists()
    assert phone not in listed.path.read_text() and phone[3:] not in listed.path.read_text()


def test_an_erasure_is_made_again(alice, phone, listed):
    rights.erase_or_restrict_person_by_phone(phone, alice.pk, by="test")
    repeat = listed()
    AuditEntry.objects.all().delete()
    Contact.objects.create(owner=alice, phone=phone, first_name="Maria")
    assert repeat() == "personal data erased: 1"
    assert not Contact.objects.filter(phone=phone).exists()


def test_a_restriction_is_made_again_and_one_that_was_lifted_is_not(alice, phone, listed):
    other = Contact.objects.order_by("pk").last().phone
    rights.restrict_contacts_with_phone(phone, reason="disputed", by="test")
    rights.restrict_contacts_with_phone(other, reason="disputed", by="test")
    rights.lift_restrictions_of_contacts_with_phone(other, by="test")
    repeat = listed()
    AuditEntry.objects.all().delete()
    Contact.objects.update(restricted_at=None, restricted_reason="")
    assert repeat() == "restricted: 2, restriction lifted: 1"
    assert list(Contact.objects.exclude(restricted_at=None).values_list("phone")) == [(phone,)]


def test_an_opt_out_holds_again_and_keeps_its_time_and_reason(alice, phone, listed):
    contact = Contact.objects.get(phone=phone)
    change_consent(contact.pk, "unsubscribed", source="reply")
    then = Suppression.objects.get()
    rights.withdraw_all_consent("+306900000099", by="test")
    repeat = listed()
    Suppression.objects.all().delete()
    Contact.objects.filter(pk=contact.pk).update(is_subscribed=True)
    assert repeat() == "opt-out: 2"
    assert phones_suppressed_at_store_or_everywhere(alice.pk, [phone]) == {phone}
    again = Suppression.objects.get(owner=alice)
    assert (again.reason, again.created_at) == ("reply", then.created_at)
    entry = AuditEntry.objects.get(action="decisions repeated")
    assert entry.details == {"decisions": {"opt-out": 2}}
    assert repeat() == "none"


def test_an_objection_after_the_backup_takes_the_place_of_an_older_opt_out(alice, phone, listed):
    change_consent(Contact.objects.get(phone=phone).pk, "unsubscribed", source="reply")
    old = Suppression.objects.get()
    rights.withdraw_all_consent(phone, alice.pk, by="test")
    repeat = listed()
    Suppression.objects.update(reason="reply", created_at=old.created_at)
    assert repeat() == "opt-out: 1"
    assert Suppression.objects.get().reason == "objection"


def test_opt_outs_at_a_store_that_was_made_after_the_backup_are_passed_over(alice, listed):
    bob = make_store("bob")
    Suppression.objects.create(owner=bob, phone_hash="0" * 64, reason="reply")
    repeat = listed()
    User.objects.filter(pk=bob.pk).delete()
    assert repeat() == "none"


def test_a_store_that_left_leaves_again_on_its_last_day_of_erasure(alice, listed):
    off_boarding.off_board_store(alice, erase_on=TOMORROW, by="test")
    later = TOMORROW + datetime.timedelta(days=5)
    off_boarding.off_board_store(alice, erase_on=later, by="test")
    repeat = listed()
    AuditEntry.objects.all().delete()
    User.objects.update(left_at=None, erase_on=None, is_active=True)
    assert repeat() == "store off-boarded: 1, store's day of erasure changed: 1"
    alice.refresh_from_db()
    assert alice.left_at and not alice.is_active and alice.erase_on == later


def test_a_store_that_returned_in_time_is_not_erased_when_its_day_has_come_meanwhile(alice, listed):
    off_boarding.off_board_store(alice, erase_on=TOMORROW, by="test")
    off_boarding.take_back_store_or_raise_cannot_return(alice, by="test")
    repeat = listed()
    AuditEntry.objects.filter(action=off_boarding.RETURNED).delete()
    yesterday = TOMORROW - datetime.timedelta(days=2)
    User.objects.update(left_at=timezone.now(), erase_on=yesterday, is_active=False)
    assert repeat() == "store returned: 1"
    alice.refresh_from_db()
    assert alice.left_at is None and alice.is_active
    assert off_boarding.end_open_work_and_erase_data_if_due(alice.pk) == {}


@pytest.mark.parametrize("text", ["nonsense", '{"decision": "opt-out"}', "[1]"])
def test_a_file_that_is_no_list_changes_nothing_and_is_named(listed, text):
    listed.path.write_text(text)
    with pytest.raises(CommandError, match=r"is no list of `manage.py decisions list`"):
        call_command("decisions", "repeat", "--from", str(listed.path))
