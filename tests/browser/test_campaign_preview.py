"""The campaign form's preview in a browser: a Greek text with typographic quotes."""

import pytest
from django.core.management import call_command
from django.urls import reverse

from contacts.models import Contact
from tests.browser.test_admin_pages import PASSWORD
from tests.support.browser import DESKTOP, PHONE
from tests.support.factories import make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
TEXT = "Γεια σου {{first_name}}, “μόνο σήμερα” όλα τα παπούτσια στη μισή τιμή – έλα!"
LINK = "https://shop.gr/προσφορές/γυναικεία-παπούτσια/μποτάκια"
CUT_OFF = """
    return [...document.querySelectorAll("code")].filter(
        code => code.getBoundingClientRect().right > window.innerWidth).map(code => code.innerText)
"""


def test_a_greek_text_with_typographic_quotes_is_priced_and_its_cheaper_form_is_used(
    browser, tmp_path
):
    call_command("create_operator", "operator@example.com", role="operator", password=PASSWORD)
    browser.login("operator@example.com", PASSWORD)
    store = make_store(language="el", writes_greek_in_capitals=True)
    make_list(store, 6, name="πελάτες")
    for number, name in enumerate(["Γιώργος", "Ελένη", "", "N/A", "Αλέξανδρος-Παναγιώτης"]):
        Contact.objects.filter(phone=f"+30690{number:07}").update(first_name=name)
    Contact.objects.filter(phone="+306900000005").update(phone="+302101234567")
    browser.open(reverse("admin:campaigns_campaign_add"))
    browser.choose_found("owner", "alice")
    browser.type("message_text", TEXT)
    browser.choose_found("list", "πελάτες")
    browser.wait_for("These characters make the text Unicode")
    browser.wait_for("1 skipped: the number is no mobile")
    browser.wait_for("2 recipients lack a value")
    browser.wait_for("credits less")
    browser.screenshot(tmp_path / "before.png")
    browser.click("Use this text")
    browser.wait_for('ΓEIA ΣOY ΓIΩPΓOΣ, "MONO ΣHMEPA"')
    browser.wait_until(lambda: "make the text Unicode" not in browser.text)
    browser.screenshot(tmp_path / "after.png")
    browser.type("message_text", LINK)
    browser.wait_for("where they lead")
    for size in (DESKTOP, PHONE):
        browser.in_size(size)
        assert browser.driver.execute_script(CUT_OFF) == [], "a long address is on several lines"
    browser.look_for_barriers()
