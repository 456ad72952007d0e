"""The public pages behind QR codes, on a phone; `browser.problems` has what axe-core finds."""

import os
from pathlib import Path

import pytest

from campaigns.models import CampaignMessage, NfcTag, Redemption, SignupPage
from campaigns.signup import branding, forms, signing_up
from contacts.models import Contact
from messaging.links import short_url
from tests.campaigns.test_signup import PNG
from tests.support.browser import PHONE
from tests.support.factories import make_campaign, make_contact, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def store():
    store = make_store(
        company="Καφέ Άννα",
        language="el",
        phone_region="GR",
        timezone="Europe/Athens",
        privacy_notice_url="https://example.com/privacy",
    )
    SignupPage.objects.create(
        owner=store,
        primary_color="#ffcc00",
        headline_en="A coffee on us",
        headline_el="Ένας καφές από εμάς",
    )
    logo = os.environ.get("SIGNUP_LOGO")
    branding.replace_logo(store, Path(logo).read_bytes() if logo else PNG, by="test")
    return store


def photograph(browser, name):
    """Keep a picture of the page if a folder for pictures is named."""
    if folder := os.environ.get("SCREENSHOTS"):
        browser.driver.save_screenshot(f"{folder}/signup_{name}.png")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_a_customer_signs_up_on_a_phone(browser, store, mode, monkeypatch):
    monkeypatch.setattr(forms, "MIN_SECONDS", 0)
    tag = NfcTag.objects.create(owner=store, label="Door")
    if mode == "dark":
        browser.in_dark()
    browser.in_size(PHONE)
    browser.open(f"/j/{tag.public_id}")
    browser.wait_for("A coffee on us")
    photograph(browser, f"form_en_{mode}")
    browser.click("Ελληνικά")
    browser.wait_for("Ένας καφές από εμάς")
    photograph(browser, f"form_el_{mode}")
    browser.type("phone", "210 123 4567")
    browser.type("first_name", "Μαρία")
    browser.click("Εγγραφή")
    browser.wait_for("Αυτός δεν είναι αριθμός κινητού")
    photograph(browser, f"problems_el_{mode}")
    assert not browser.is_wider_than_screen()
    browser.type("phone", "690 000 0001")
    browser.set_value("birthday", "1990-05-17")
    browser.press("[name=agrees]")
    browser.click("Εγγραφή")
    browser.wait_for("Ευχαριστούμε")
    photograph(browser, f"thanks_el_{mode}")
    signing_up.apply_waiting_signups()
    contact = Contact.objects.get()
    assert contact.is_subscribed and contact.first_name == "Μαρία"
    assert f"{contact.birthday}" == "1990-05-17"


def test_a_customer_uses_an_offer_on_a_phone(browser, store):
    tag = NfcTag.objects.create(owner=store, label="Till", type="redemption")
    contact = make_contact(store)
    CampaignMessage.objects.create(
        owner=store,
        campaign=make_campaign(store, None),
        contact=contact,
        to=contact.phone,
        segments=1,
        tracking_id="AbCdEfGhIjKl",
        status="delivered",
    )
    browser.in_size(PHONE)
    browser.open(f"/j/{tag.public_id}?lang=el")
    browser.wait_for("Χρήση της προσφοράς")
    photograph(browser, "redeem_el")
    browser.type("code", short_url("AbCdEfGhIjKl"))
    browser.click("Χρήση της προσφοράς τώρα")
    browser.wait_for("Η προσφορά χρησιμοποιήθηκε")
    photograph(browser, "redeemed_el")
    assert Redemption.objects.count() == 1
