"""PHONE_HASH_KEY can be changed: an opt-out of before still holds, and moves where it can."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaigns import enqueue
from compliance import unsubscribe
from contacts import suppressions
from contacts.consent import (
    NO_EVIDENCE,
    OBJECTION,
    change_consent,
    why_marketing_consent_does_not_count,
)
from contacts.marketing_blocks import marketing_blocks, phones_suppressed_at_store_or_everywhere
from contacts.models import ConsentEventType, Contact, MarketingHold, Suppression
from contacts.phones import key_id, keyed_phone_hash
from messaging import direct_messages, replies, reply_reviews, sending
from messaging.models import DirectMessage
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
OLD, NEW = "the key before", "the key of today"
PHONE, OTHER = "+306900000000", "+306900000099"


@pytest.fixture
def alice():
    return make_store()


@pytest.fixture
def old_key(settings):
    settings.PHONE_HASH_KEY, settings.PHONE_HASH_KEY_OLD = OLD, ""


def change_key(settings):
    settings.PHONE_HASH_KEY, settings.PHONE_HASH_KEY_OLD = NEW, OLD


def suppress(owner, phone, key=OLD, **fields):
    return Suppression.objects.create(
        owner=owner, phone_hash=keyed_phone_hash(key, phone), reason="test", **fields
    )


def rotate(capsys):
    call_command("rotate_phone_hash_key")
    return capsys.readouterr().out


def test_a_hash_of_the_old_key_still_holds_everywhere(old_key, alice, settings, sandbox):
    campaign = make_campaign(alice, make_list(alice, 2))
    suppress(alice, PHONE)
    change_key(settings)
    assert phones_suppressed_at_store_or_everywhere(alice.pk, [PHONE, OTHER]) == {PHONE}
    with pytest.raises(direct_messages.SendingBlocked):
        direct_messages.get_or_enqueue_direct_message(alice, PHONE, "Test", key="k")
    enqueue.enqueue_campaign(campaign.pk)
    while sending.process_next_batch() != "none due":
        pass
    campaign.refresh_from_db()
    assert campaign.sent == 1


def test_a_message_of_before_shows_its_opt_out(old_key, alice, settings):
    enqueue.enqueue_campaign(make_campaign(alice, make_list(alice, 1)).pk)
    message = Contact.objects.get().campaignmessage_set.get()
    unsubscribe.store_opt_out(message, NO_EVIDENCE)
    Contact.objects.update(phone="+306900000077")  # the number is suppressed, and no contact's
    change_key(settings)
    message.refresh_from_db()
    assert unsubscribe.is_opted_out(message)


def test_a_resubscription_takes_back_the_hash_of_the_old_key_too(old_key, alice, settings):
    make_list(alice, 1)
    contact = Contact.objects.get()
    change_consent(contact.pk, ConsentEventType.UNSUBSCRIBED, source="test")
    change_key(settings)
    change_consent(contact.pk, ConsentEventType.RESUBSCRIBED, source="test")
    assert phones_suppressed_at_store_or_everywhere(alice.pk, [PHONE]) == set()
    assert not Suppression.objects.exists()


def test_an_objection_of_before_is_still_one(old_key, alice, settings):
    make_list(alice, 1)
    contact = Contact.objects.get()
    change_consent(contact.pk, ConsentEventType.UNSUBSCRIBED, source=OBJECTION)
    change_key(settings)
    assert "objected" in why_marketing_consent_does_not_count(contact, timezone.now())
    assert not change_consent(contact.pk, ConsentEventType.UNSUBSCRIBED, source=OBJECTION)
    assert Suppression.objects.count() == 1


def test_a_second_stop_is_not_news_after_the_key_was_changed(old_key, settings, sandbox):
    store = make_store(confirms_opt_outs=True)
    make_list(store, 1)
    for _ in range(2):
        replies.store_replies([{"from": PHONE, "text": "STOP"}])
        replies.apply_received_replies()
        change_key(settings)
    assert DirectMessage.objects.count() == 1, "the confirmation of the first one"
    assert Suppression.objects.count() == 1


def test_a_reply_to_decide_holds_marketing_back_with_the_old_key_and_with_the_new_one(
    old_key, alice, settings, client, capsys
):
    make_list(alice, 1)
    replies.store_replies([{"from": PHONE, "text": "Stop?"}])
    replies.apply_received_replies()
    hold = MarketingHold.objects.get()

    def held():
        return marketing_blocks([(alice.pk, PHONE)]).held

    change_key(settings)
    assert held() == {(alice.pk, PHONE)}
    settings.PHONE_HASH_KEY_OLD = ""
    assert "another key" in ready(client)
    change_key(settings)
    assert "PHONE_HASH_KEY_OLD can be removed" in rotate(capsys)
    settings.PHONE_HASH_KEY_OLD = ""
    assert ready(client) == "ok" and held() == {(alice.pk, PHONE)}
    reply_reviews.decide_review(hold.reply_id, is_opt_out=True, by="test")
    assert phones_suppressed_at_store_or_everywhere(alice.pk, [PHONE]) == {PHONE}
    assert Suppression.objects.get().key_id == key_id(NEW)


def test_a_number_that_is_known_gets_the_present_hash(old_key, alice, settings, capsys):
    make_list(alice, 1)
    direct_messages.get_or_enqueue_direct_message(alice, "+306900000002", "Test", key="k")
    replies.store_replies([{"from": "+306900000003", "text": "Hello"}])
    for number in (PHONE, "+306900000002", "+306900000003", OTHER):
        suppress(alice, number)
    change_key(settings)
    said = rotate(capsys)
    assert "3 suppressions have the hash of the present key" in said
    assert "1 remain" in said and "keep PHONE_HASH_KEY_OLD" in said
    assert Suppression.objects.get(key_id=key_id(OLD)).phone_hash == keyed_phone_hash(OLD, OTHER)
    settings.PHONE_HASH_KEY_OLD = ""
    assert phones_suppressed_at_store_or_everywhere(alice.pk, [PHONE, OTHER]) == {PHONE}


def test_when_none_is_left_the_old_key_may_go(old_key, alice, settings, capsys):
    make_list(alice, 1)
    suppress(alice, PHONE)
    change_key(settings)
    assert "PHONE_HASH_KEY_OLD can be removed" in rotate(capsys)
    settings.PHONE_HASH_KEY_OLD = ""
    with pytest.raises(CommandError, match="PHONE_HASH_KEY_OLD"):
        rotate(capsys)


def test_of_two_opt_outs_of_a_number_the_earlier_stays(old_key, alice, settings, capsys):
    make_list(alice, 1)
    since = timezone.now() - timedelta(days=300)
    suppress(alice, PHONE, created_at=since)
    suppress(None, PHONE)
    change_key(settings)
    suppress(alice, PHONE, key=NEW)
    assert Suppression.objects.count() == 3
    rotate(capsys)
    kept = Suppression.objects.get(owner=alice)
    assert (kept.created_at, kept.reason, kept.key_id) == (since, "test", key_id(NEW))
    assert Suppression.objects.get(owner=None).phone_hash == keyed_phone_hash(NEW, PHONE)
    assert "0 suppressions" in rotate(capsys), "once more finds nothing"


def ready(client):
    return client.get("/readyz").json()["suppressions"]


def test_an_opt_out_whose_key_is_not_set_is_reported(old_key, alice, settings, client):
    suppress(alice, PHONE)
    assert ready(client) == "ok"
    change_key(settings)
    assert ready(client) == "ok"
    settings.PHONE_HASH_KEY_OLD = ""
    assert "PHONE_HASH_KEY_OLD" in ready(client)
    for key in ("00000000", "ffffffff"):
        change_key(settings)
        Suppression.objects.update(key_id=key)
        assert "another key" in ready(client)


def test_a_list_of_hashes_says_of_which_key_they_are(old_key, alice, settings, tmp_path):
    suppress(alice, PHONE)
    out = io.StringIO()
    suppressions.write_suppressions_csv(out, alice.pk)
    path = tmp_path / "list.csv"
    path.write_text(out.getvalue())
    Suppression.objects.all().delete()

    def brought_in():
        return suppressions.suppress_numbers_of_file(path, alice.pk, region="GR", reason="list")

    change_key(settings)
    assert brought_in()["added"] == 1
    assert Suppression.objects.get().key_id == key_id(OLD)
    assert phones_suppressed_at_store_or_everywhere(alice.pk, [PHONE]) == {PHONE}
    Suppression.objects.all().delete()
    settings.PHONE_HASH_KEY_OLD = ""
    assert brought_in() == {"added": 0, "known": 0, "unreadable_lines": [2]}


def test_a_hash_without_the_name_of_its_key_may_be_of_the_old_one(
    old_key, alice, settings, tmp_path
):
    path = tmp_path / "list.csv"
    path.write_text(f"hash\n{keyed_phone_hash(OLD, PHONE)}\n")
    change_key(settings)
    suppressions.suppress_numbers_of_file(path, alice.pk, region="GR", reason="list")
    assert Suppression.objects.get().key_id == key_id(OLD)
