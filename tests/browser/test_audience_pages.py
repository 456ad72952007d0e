"""Segments and campaigns to them, as an operator sets them in the browser."""

import pytest
from django.core.management import call_command
from django.urls import reverse

from campaigns.models import Campaign, Segment
from contacts.models import Contact
from tests.support.browser import PHONE
from tests.support.factories import make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a-long-password-of-mine"


@pytest.fixture
def operator(browser):
    call_command("create_operator", "operator@example.com", role="operator", password=PASSWORD)
    browser.login("operator@example.com", PASSWORD)


def test_an_operator_makes_a_segment_by_its_count_and_a_campaign_to_it(browser, operator, tmp_path):
    store = make_store(company="Anna's")
    regulars = make_list(store, 5, name="regulars")
    Contact.objects.filter(phone__endswith="1").update(gender="female")
    browser.open(reverse("admin:campaigns_segment_add"))
    browser.screenshot(tmp_path / "empty.png")
    browser.choose_found("owner", "alice")
    browser.type("name", "women of the list")
    browser.choose("gender", "female")
    browser.choose_found("in_lists", "regulars")
    browser.wait_for("4 left out: they have no gender.")
    browser.screenshot(tmp_path / "segment.png", PHONE)
    browser.click("Save")
    browser.wait_for("was added successfully")
    segment = Segment.objects.get()
    assert segment.conditions == {"gender": "female", "in_lists": [regulars.pk]}
    browser.open(reverse("admin:campaigns_campaign_add"))
    browser.choose_found("owner", "alice")
    browser.type("name", "to women")
    browser.type("message_text", "Hello")
    browser.choose_found("segments", "women")
    browser.wait_for("4 left out: they have no gender.")
    browser.click("Save")
    browser.wait_for("saved as a draft")
    assert [str(one) for one in Campaign.objects.get().audience_choices()] == ["women of the list"]
    browser.open(reverse("admin:contacts_list_members", args=[regulars.pk]))
    browser.wait_for("5 members.")
    browser.choose("change", "remove")
    browser.type("numbers", "+306900000001")
    browser.click("Change the list")
    browser.wait_for("1 removed from regulars")
