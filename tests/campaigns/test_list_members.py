"""Members of lists: added and removed by number, by segment, and by what a campaign came to."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from astronote.models import AuditEntry
from campaigns.list_members import (
    add_members,
    contacts_with_campaign_result,
)
from campaigns.models import CampaignMessage, OfferViewEvent
from campaigns.segment_forms import create_and_audit_segment_or_validation_error
from contacts.models import Contact, List
from tests.support.factories import make_campaign, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_store(phone_region="GR")


def members(target):
    found = Contact.objects.filter(listmembership__list=target).order_by("phone")
    return [int(phone[-2:]) for phone in found.values_list("phone", flat=True)]


def test_an_operator_adds_and_removes_numbers_as_people_write_them(alice, admin_client):
    everybody = make_list(alice, 4)
    target = List.objects.create(owner=alice, name="regulars")
    url = reverse("admin:contacts_list_members", args=[target.pk])
    form = {"change": "add", "numbers": "690 000 0001\n+30 6900000002\n"}
    assert "2 added" in admin_client.post(url, form, follow=True).text
    assert members(target) == [1, 2]
    refused = admin_client.post(url, form | {"numbers": "6900000003\n6911111111\nnobody"}).text
    assert "No contact of the store has: +306911111111, nobody" in refused
    for odd in ("x", "99999999999999999999", "\0"):
        page = admin_client.post(url, {"change": "add", "segment": odd, "campaign": odd}).text
        assert "badge red" in page, odd
    assert members(target) == [1, 2]
    form = {"change": "remove", "numbers": "6900000001\n6900000003"}
    assert "1 removed" in admin_client.post(url, form, follow=True).text
    assert members(target) == [2] and members(everybody) == [0, 1, 2, 3]
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "members added", "members removed",
    ]  # fmt: skip


def test_the_form_offers_segments_and_campaigns_of_the_lists_store(alice, admin_client):
    bob = make_store("bob")
    for store in (alice, bob):
        create_and_audit_segment_or_validation_error(
            store, f"women of {store.email}", {"gender": "female"}, by="test"
        )
        make_campaign(store, None, name=f"campaign of {store.email}")
    target = List.objects.create(owner=alice, name="regulars")
    url = reverse("admin:contacts_list_members", args=[target.pk])
    page = admin_client.get(url).text
    assert "women of alice" in page and "campaign of alice" in page
    assert "bob@example.com" not in page
    form = {"change": "add", "segment": bob.segment_set.get().pk}
    assert "badge red" in admin_client.post(url, form).text


def test_a_campaigns_result_chooses_members(alice):
    everybody = make_list(alice, 4)
    campaign = make_campaign(alice, everybody)
    for contact, status in zip(
        Contact.objects.order_by("phone"), ("delivered", "delivered", "sent", "failed"), strict=True
    ):
        message = CampaignMessage.objects.create(
            owner=alice, campaign=campaign, contact=contact, to=contact.phone, text="x",
            segments=1, tracking_id=f"t{contact.pk}", status=status,
        )  # fmt: skip
        if contact.phone.endswith("0"):
            OfferViewEvent.objects.create(campaign_message=message, campaign=campaign, owner=alice)
    numbers = {
        result: sorted(
            int(one.phone[-2:]) for one in contacts_with_campaign_result(campaign, result)
        )
        for result in ("clicked", "not_clicked", "delivered", "failed")
    }
    assert numbers == {
        "clicked": [0], "not_clicked": [1, 2], "delivered": [0, 1], "failed": [3],
    }  # fmt: skip
    call_command("list_members", "add", alice.email, "warm", campaign=campaign.pk, result="clicked")
    assert members(List.objects.get(name="warm")) == [0]


def test_a_restricted_contact_and_one_of_another_store_are_left_alone(alice):
    make_contact(alice, "+306900000001", restricted_at=timezone.now())
    make_contact(make_store("bob"), "+306900000002")
    target = List.objects.create(owner=alice, name="regulars")
    assert add_members(target, Contact.objects.all(), by="test") == 0


def test_the_command_takes_numbers_and_segments_and_says_what_it_did_not_use(alice, capsys):
    make_list(alice, 3, gender="female")
    create_and_audit_segment_or_validation_error(alice, "women", {"gender": "female"}, by="test")
    call_command("list_members", "add", alice.email, "w", number=["6900000001", "6911111111"])
    printed = capsys.readouterr()
    assert "1 added" in printed.out and "+306911111111: no contact" in printed.err
    call_command("list_members", "add", alice.email, "w", segment="women")
    assert "2 added" in capsys.readouterr().out
    call_command("list_members", "remove", alice.email, "w", segment="women")
    assert "3 removed" in capsys.readouterr().out
    with pytest.raises(CommandError, match="give one of"):
        call_command("list_members", "add", alice.email, "w")
    with pytest.raises(CommandError, match="has no list 'x'"):
        call_command("list_members", "remove", alice.email, "x", segment="women")
