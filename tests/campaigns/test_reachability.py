"""Only numbers that can receive SMS are messaged and paid for, unless a store wants all."""

from datetime import date

import phonenumbers
import pytest

from astronote.accounts.eligibility import SendingBlocked
from campaigns import enqueue
from campaigns.automations.birthday import enqueue_birthday_messages
from campaigns.models import Automation, AutomationMessage, CampaignMessage
from campaigns.preview import preview_campaign
from contacts.models import Contact, List, ListMembership
from contacts.phones import can_receive_sms
from messaging import opt_in_requests
from messaging.direct_messages import get_or_enqueue_direct_message
from messaging.models import CreditReservation
from tests.support.factories import make_campaign, make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)
MOBILE, UNDECIDED = "+306900000001", "+12015550123"
OTHERS = ["+302101234567", "+309011234567", "+308001234567", "+498001234567", "+449098790000"]


def campaign_to_all(store, **fields):
    target = List.objects.create(owner=store, name="all")
    for phone in (MOBILE, UNDECIDED, *OTHERS):
        contact = make_contact(store, phone, birthday=date(1990, 5, 5), **fields)
        ListMembership.objects.create(list=target, contact=contact)
    return make_campaign(store, target, message_text="Hello")


def test_other_numbers_are_skipped_before_they_cost_and_the_preview_says_so():
    store = make_store()
    campaign = campaign_to_all(store)
    seen = preview_campaign(campaign)
    assert (seen.recipients, seen.credits) == (2, 2)
    assert [tuple(skipped) for skipped in seen.skipped] == [
        ("the number is no mobile and cannot receive SMS", 5)
    ]
    campaign = enqueue.enqueue_campaign(campaign.pk)
    assert (campaign.total, campaign.skipped) == (7, 5)
    sent = CampaignMessage.objects.filter(status="queued").values_list("to", flat=True)
    assert set(sent) == {MOBILE, UNDECIDED}
    assert set(CampaignMessage.objects.filter(to__in=OTHERS).values_list("error_code")) == {
        ("cannot_receive",)
    }
    assert CreditReservation.objects.get().amount == 2


def test_a_store_can_send_to_any_number():
    store = make_store(sends_to_any_number=True)
    campaign = campaign_to_all(store)
    assert (preview_campaign(campaign).credits, preview_campaign(campaign).skipped) == (7, [])
    assert enqueue.enqueue_campaign(campaign.pk).skipped == 0


@pytest.mark.parametrize("any_number", [False, True])
def test_automations_skip_them_too(any_number):
    store = make_store(sends_to_any_number=any_number)
    campaign_to_all(store)
    Automation.objects.create(
        owner=store, type="birthday_message", message_body="Cheers", is_active=True
    )
    enqueue_birthday_messages(day_for_all_stores=date(2031, 5, 5))
    skipped = AutomationMessage.objects.filter(status="skipped", error_code="cannot_receive")
    assert skipped.count() == (0 if any_number else 5)
    assert AutomationMessage.objects.count() == 7


def test_tests_and_opt_in_requests_do_not_go_to_them():
    store = make_store(double_opt_in=True)
    with pytest.raises(SendingBlocked, match="no mobile"):
        get_or_enqueue_direct_message(store, OTHERS[0], "Hello", key="1")
    contact = make_contact(store, OTHERS[0], is_subscribed=False)
    with pytest.raises(SendingBlocked, match="no mobile"):
        opt_in_requests.get_or_send_opt_in_request(contact, by="test")
    assert not Contact.objects.filter(is_subscribed=True).exists()


@pytest.mark.slow
def test_every_country_is_read_by_the_librarys_types():
    kinds = phonenumbers.PhoneNumberType
    receiving = {kinds.MOBILE, kinds.FIXED_LINE_OR_MOBILE}
    checked = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in (kinds.MOBILE, kinds.FIXED_LINE, kinds.PREMIUM_RATE, kinds.TOLL_FREE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            phone = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
            expected = phonenumbers.number_type(number) in receiving
            assert can_receive_sms(phone) == expected, phone
            checked += 1
    assert checked > 700
