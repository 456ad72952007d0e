"""Limits of texts, times and lists: what is at the limit is taken, what is beyond it is not."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from astronote.accounts.eligibility import SendingBlocked
from campaigns import enqueue, visitors
from campaigns.admin.lists import MembersForm
from campaigns.admin.messages import MessageAdmin
from campaigns.custom_conditions import read_conditions
from campaigns.models import Campaign, CampaignMessage
from campaigns.segment_forms import build_segment
from campaigns.signup import forms, redeeming
from campaigns.signup.forms import Question
from campaigns.signup.models import NfcTag
from contacts.importing import code_legends
from contacts.models import Contact, CustomField
from contacts.search import search_contacts_by_beginnings
from tests.support.factories import make_campaign, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db
CODE = "Ab3dEf6hIj9l"


def test_a_segment_has_twenty_conditions_of_custom_fields_at_most():
    store = make_store()
    CustomField.objects.create(owner=store, key="visits", label="Visits", type="number")
    lines = [f"visits >= {n}" for n in range(21)]
    assert len(read_conditions("\n".join(lines[:20]), store)) == 20
    with pytest.raises(ValidationError, match="At most 20 conditions"):
        read_conditions("\n".join(lines), store)


@pytest.mark.parametrize(
    ("name", "most"), [("age_from", 120), ("age_to", 120), ("clicked_within_days", 3650)]
)
def test_ages_and_days_of_a_segment_have_a_limit(name, most):
    store = make_store()
    values = {"age_from": "18"} if name == "age_to" else {}
    assert build_segment(store, "all", values | {name: str(most)})
    with pytest.raises(ValidationError):
        build_segment(store, "all", values | {name: str(most + 1)})


def test_a_code_of_an_offer_is_found_within_500_characters():
    blank = " " * (500 - len("/s/") - len(CODE))
    assert redeeming.tracking_id_in_text(f"{blank}/s/{CODE}") == CODE
    assert redeeming.tracking_id_in_text(f"{blank} /s/{CODE}") != CODE


def test_a_browsers_name_is_read_up_to_a_thousand_characters():
    begins = "Mozilla/5.0 (Linux; Android 14; Pixel) "
    assert visitors.device_type_of_user_agent(f"{begins}{'x ' * 400}Mobile") == "phone"
    within = f"Mozilla/5.0 (X11; Linux) {'x ' * 400}iPhone"
    assert visitors.device_type_of_user_agent(within) == "phone"
    beyond = f"Mozilla/5.0 (X11; Linux) {'x ' * 500}iPhone"
    assert visitors.device_type_of_user_agent(beyond) == "computer"


@pytest.mark.parametrize(
    ("waited", "expected"),
    [(timedelta(0), 1), (timedelta(minutes=20), 20), (timedelta(days=1), 60)],
)
def test_a_blocked_start_is_tried_again_after_a_minute_and_within_an_hour(waited, expected):
    at = timezone.now() - waited
    store = make_store(sender_name="", balance=0)
    campaign = make_campaign(store, make_list(store, 1), status="scheduled", scheduled_at=at)
    with pytest.raises(SendingBlocked):
        enqueue.enqueue_campaign(campaign.pk)
    left = Campaign.objects.get().retry_after - timezone.now()
    assert round(left / timedelta(minutes=1)) == expected


def test_a_number_is_searched_for_from_three_digits_on_and_six_words_at_most():
    store = make_store(phone_region="GR")
    make_contact(store, "+306900000001", first_name="a b c d e f", last_name="x")
    everybody = Contact.objects.all()
    assert search_contacts_by_beginnings(everybody, "690").exists()
    assert not search_contacts_by_beginnings(everybody, "69").exists()  # beginning of a name
    assert search_contacts_by_beginnings(everybody, "a b c d e f unread").exists()
    assert not search_contacts_by_beginnings(everybody, "a b c d e unread").exists()


def test_a_list_of_messages_shows_eighty_characters_of_a_text():
    shown = MessageAdmin.beginning_of_text(None, CampaignMessage(text="x" * 100))
    assert len(shown) == 80


def test_numbers_for_a_list_have_a_hundred_thousand_characters_at_most():
    field = MembersForm.base_fields["numbers"]
    assert field.clean("1" * 100_000)
    with pytest.raises(ValidationError):
        field.clean("1" * 100_001)


@pytest.mark.parametrize(
    ("age", "is_taken"), [(1, False), (3, True), (23 * 3600, True), (25 * 3600, False)]
)
def test_a_sign_up_form_is_taken_after_two_seconds_and_for_a_day(monkeypatch, age, is_taken):
    tag = NfcTag.objects.create(owner=make_store(), label="door")
    question = Question("May we write to you?", "1")
    sign = forms.sign_form(tag, None, question)
    now = timezone.now().timestamp()
    monkeypatch.setattr(forms.time, "time", lambda: now + age)
    assert (forms.read_sign_or_none(sign, tag, question) is not None) == is_taken


def test_a_typed_name_has_forty_characters_at_most():
    assert forms._is_name("x" * 40) and not forms._is_name("x" * 41)
    assert len(forms.typed_texts({"first_name": "x" * 300})["first_name"]) == 200


def test_one_explained_code_explains_no_column():
    assert code_legends.meaning_by_code("1 : yes") == {}
    assert code_legends.meaning_by_code("1 : yes / 2 : no") == {"1": "yes", "2": "no"}


def test_a_legend_is_read_up_to_a_thousand_characters():
    assert "2" in code_legends.meaning_by_code(f"1 = yes, {'x' * 900}, 2 = no")
    assert "2" not in code_legends.meaning_by_code(f"1 = yes, {'x' * 1000}, 2 = no")
