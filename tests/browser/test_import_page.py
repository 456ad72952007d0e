"""An operator's import, from the login on, in a real browser."""

import pytest

from astronote.models import User
from contacts.models import Contact, ContactImport
from tests.support.factories import make_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
FILE = (
    "Kunde;Handy;Tel;E-Mail\n"
    "Anna;6900000001;2100000001;anna@example.com\nBob;6900000002;;\nBad;12;;\n"
)


def test_upload_correct_the_mapping_watch_fix_a_row_and_import_it_again(browser, worker, tmp_path):
    User.objects.create_superuser("operator@example.com", "a-long-password")
    store = make_store(phone_region="GR")
    path = tmp_path / "kunden.csv"
    path.write_text(FILE)
    browser.login("operator@example.com", "a-long-password")
    _upload(browser, store, path)
    assert "not a valid phone number" in browser.text
    browser.choose("column-0", "last_name")
    browser.choose("column-2", "")
    browser.click("Update preview")
    browser.wait_for("Nothing has been written yet")
    assert not Contact.objects.exists()
    browser.click("Start import")
    browser.wait_for("pending")
    worker("rqworker", "contact_import")
    browser.wait_for("completed")
    assert Contact.objects.get(phone="+306900000001").last_name == "Anna"
    assert set(Contact.objects.values_list("is_subscribed", flat=True)) == {True}

    browser.click("Download all 1 as CSV")
    download = tmp_path / f"import-{ContactImport.objects.get().pk}-rejected.csv"
    wait_until(download.exists)
    fixed = tmp_path / "fixed.csv"
    fixed.write_text(download.read_text().replace("12,", "6900000003,"))
    browser.open("/admin/contacts/contactimport/add/")
    _pick_store(browser, store)
    browser.type("file", str(fixed))
    browser.click("Save")
    browser.wait_for("Nothing has been written yet")
    assert browser.find("[name=column-0]").get_attribute("value") == "last_name"
    browser.click("Start import")
    browser.wait_for("completed")
    assert Contact.objects.get(phone="+306900000003").last_name == "Bad"


def _upload(browser, store, path):
    browser.open("/admin/contacts/contactimport/add/")
    _pick_store(browser, store)
    browser.type("file", str(path))
    browser.type("consent_source", "paper form")
    browser.click("Save")
    browser.wait_for("Nothing has been written yet")


def _pick_store(browser, store):
    """The store's field is an autocomplete; its option is what the popup would add."""
    browser.driver.execute_script(
        "document.querySelector('[name=owner]').append(new Option(arguments[1], arguments[0],"
        " true, true))",
        store.pk,
        str(store),
    )


def test_a_file_that_is_none_is_refused_with_a_sentence(browser, tmp_path):
    User.objects.create_superuser("operator@example.com", "a-long-password")
    store = make_store()
    path = tmp_path / "photo.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    browser.login("operator@example.com", "a-long-password")
    browser.open("/admin/contacts/contactimport/add/")
    _pick_store(browser, store)
    browser.type("file", str(path))
    browser.click("Save")
    browser.wait_for("CSV or .xlsx")
    assert not ContactImport.objects.exists()


ODD_FILE = (
    "Customers of Athens\n\nPhone;Name;Surname;Newsletter OK?;Club offers;Points\n"
    "6900000011;Eleni;Stavrou;no;yes;3\n6900000012;Nikos;Pappas;yes;yes;4\n"
    "6900000013;Ada;Lund;;maybe;5\n"
)


def test_an_odd_file_is_asked_about_and_its_no_is_kept(browser, worker, tmp_path):
    User.objects.create_superuser("operator@example.com", "a-long-password")
    store = make_store(phone_region="GR")
    path = tmp_path / "odd.csv"
    path.write_text(ODD_FILE)
    browser.login("operator@example.com", "a-long-password")
    _upload(browser, store, path)
    assert "may say who agreed to SMS" in browser.text
    assert "--map" not in browser.text, "the page names an option of the command"
    assert "Club offers" in browser.find("tr.asked").text
    browser.screenshot(tmp_path / "question.png")
    for position in (3, 4):
        browser.choose(f"column-{position}", "sms_consent")
    browser.click("Update preview")
    browser.wait_for("phone +306900000011")
    assert browser.find("#column-5").get_attribute("value") == ""
    assert "3 · 4 · 5" in browser.text
    assert "1 opted out, 1 with a yes" in browser.text
    browser.screenshot(tmp_path / "plan.png")
    browser.click("Start import")
    browser.wait_for("pending")
    worker("rqworker", "contact_import")
    browser.wait_for("completed")
    agreed = dict(Contact.objects.values_list("phone", "is_subscribed"))
    assert agreed == {"+306900000011": False, "+306900000012": True, "+306900000013": False}
    assert Contact.objects.get(phone="+306900000011").first_name == "Eleni"
