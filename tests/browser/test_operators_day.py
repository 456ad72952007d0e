"""What an operator stumbled over in the first hour, and must not find again.

What is not here has a test beside it: unsaved edits and a page that stands still in
`test_admin_pages.py`, replies and searches in `test_clicks.py`, width and colours in
`test_every_page.py`, the demo in `end_to_end/test_campaigns.py`.
"""

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from selenium.webdriver.common.by import By

from astronote.common import audit
from astronote.models import User
from campaigns import enqueue
from campaigns.models import Campaign
from contacts.models import Contact, List
from messaging import credits, replies, sending
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PASSWORD = "a-long-password-of-mine"


@pytest.fixture
def log_in(browser):
    def with_role(role="administrator"):
        call_command("create_operator", "me@example.com", role=role, password=PASSWORD)
        browser.login("me@example.com", PASSWORD)
        return browser

    return with_role


def cells(browser, heading):
    """What a list shows in the column with this heading."""
    headings = [cell.text.strip().lower() for cell in browser.all("#result_list thead th")]
    at = headings.index(heading.lower()) + 1
    selector = f"#result_list tbody td:nth-child({at}), #result_list tbody th:nth-child({at})"
    return [cell.text for cell in browser.all(selector)]


def test_the_login_page_has_visible_fields_and_leads_to_the_home_page(browser):
    call_command("create_operator", "me@example.com", role="administrator", password=PASSWORD)
    browser.open("/admin/login/")
    for name in ("username", "password"):
        field = browser.find(f"[name={name}]")
        assert field.value_of_css_property("border-top-width") != "0px", name
        assert field.value_of_css_property("border-top-color") != "rgba(0, 0, 0, 0)", name
    assert "Return to site" not in browser.text
    browser.type("username", "me@example.com")
    browser.type("password", PASSWORD)
    browser.press("#login-form [type=submit]")
    browser.wait_for("In progress")
    assert browser.driver.current_url == f"{browser.site}/admin/"


def test_a_time_is_the_same_on_every_page_and_names_the_stores_zone(log_in):
    store = make_store(timezone="Europe/Athens")
    at = datetime(2027, 1, 20, 17, 56, tzinfo=UTC)
    campaign = make_campaign(store, make_list(store, 1), status="scheduled", scheduled_at=at)
    browser = log_in()
    for page in (
        reverse("admin:index"),
        reverse("admin:campaigns_campaign_changelist"),
        reverse("admin:campaigns_campaign_change", args=[campaign.pk]),
    ):
        browser.open(page)
        assert "20 Jan 2027, 19:56" in browser.text, page
        assert "17:56" not in browser.text and "p.m." not in browser.text, page
    assert "Times: Europe/Athens" in browser.text


def test_lists_of_one_store_are_offered_and_rows_are_found_in_any_spelling(log_in, sandbox):
    anna, bella = make_store("anna", company="Anna's"), make_store("bella", company="Bella's")
    for store in (anna, bella):
        List.objects.create(owner=store, name="All customers")
    Contact.objects.create(
        owner=anna, phone="+306912345701", first_name="Γιώργος", last_name="Φούρναρης"
    )
    target = make_list(bella, 120)
    browser = log_in()
    browser.open(f"{reverse('admin:contacts_list_changelist')}?store=anna")
    assert cells(browser, "store") == ["Anna's"]
    browser.open(reverse("admin:campaigns_campaign_add"))
    browser.press(".field-list .select2-selection")
    options = ".select2-container--open .select2-results__option:not(.loading-results)"
    browser.wait_until(lambda: browser.all(options))
    assert [one.text for one in browser.all(options)] == ["All customers"]
    contacts = reverse("admin:contacts_contact_changelist")
    browser.open(f"{contacts}?store=")
    for typed in ("φουρ", "ΓΙΩΡΓ", "691 234 57", "6912345701"):
        browser.open(f"{contacts}?q={typed}")
        assert cells(browser, "number") == ["+306912345701"], typed
    campaign = enqueue.enqueue_campaign(make_campaign(bella, target).pk)
    browser.open(f"{reverse('admin:campaigns_campaignmessage_changelist')}?q=690 000 0007")
    assert campaign.total == 120 and cells(browser, "number") == ["+306900000007"]
    browser.open(f"{contacts}?store=bella")
    seen = cells(browser, "number")
    while browser.driver.find_elements(By.LINK_TEXT, "Next page"):
        browser.click("Next page")
        seen += cells(browser, "number")
    assert len(seen) == len(set(seen)) == 120 and "120 contacts" in browser.text


def test_a_contacts_page_shows_what_the_customer_wrote(log_in):
    contact = make_list(make_store(), 1) and Contact.objects.get()
    replies.store_replies([{"from": contact.phone, "text": "Is size 39 left?"}])
    replies.apply_received_replies()
    browser = log_in()
    browser.open(reverse("admin:contacts_contact_change", args=[contact.pk]))
    assert "Is size 39 left?" in browser.text and '{"' not in browser.text


def test_an_empty_installation_shows_the_way_and_a_store_is_asked_for_what_it_needs(log_in):
    browser = log_in()
    browser.wait_for("of 8 steps done")
    browser.click("Add a store")
    browser.wait_for("Sender")
    for name in ("timezone", "phone_region"):
        assert browser.find(f"[name={name}]").tag_name == "select"
    for name in ("company", "sender_name", "first_credits"):
        assert browser.find(f"[name={name}]").is_displayed()


def test_what_a_role_may_not_do_is_not_shown_and_jobs_have_the_sites_style(log_in):
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    browser = log_in("viewer")
    page = reverse("admin:campaigns_campaign_change", args=[Campaign.objects.get().pk])
    browser.open(page)
    for label in ("Delete", "Cancel", "Pause", "Save"):
        assert not browser.driver.find_elements(By.XPATH, f"//*[normalize-space()='{label}']")
    browser.open("/admin/run/pii_retention/")
    assert "Your account may not open this page" in browser.text and "Campaigns" in browser.text
    browser.problems()  # the refusal is one


def test_queue_pages_have_the_sidebar_and_no_host_that_nobody_set(log_in):
    browser = log_in()
    browser.open("/admin/django_rq/")
    assert "NOHOST" not in browser.text and "Campaigns" in browser.text


def test_without_workers_the_top_of_each_page_and_the_campaign_say_so(log_in, sandbox):
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 30)).pk)
    browser = log_in()
    for page in (
        reverse("admin:campaigns_campaign_change", args=[campaign.pk]),
        reverse("admin:contacts_contact_changelist"),
    ):
        browser.open(page)
        banner = browser.find(".alert.banner")
        assert banner.location["y"] < 400
        assert "No workers are running: nothing is sent" in browser.text


def test_charts_have_axes_and_a_table_beside_them(log_in, sandbox):
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 5)).pk)
    sending.process_next_batch()
    browser = log_in()
    browser.wait_until(lambda: browser.drawn_bars() > 0)
    scales = "return Object.keys(Chart.getChart(document.querySelector('canvas')).scales).sort()"
    assert browser.driver.execute_script(scales) == ["x", "y"]
    assert browser.all(".chart-figure table tbody tr")


def test_the_ledger_has_a_line_for_a_campaign_and_a_top_up_its_reference(log_in, sandbox, settings):
    settings.SMS_BATCH_SIZE = 2
    store = make_store(company="Anna's")
    credits.top_up(store.pk, 50, reason="top-up: invoice 42", key="once")
    campaign = make_campaign(store, make_list(store, 5), name="Spring sale")
    enqueue.enqueue_campaign(campaign.pk)
    while sending.process_next_batch() != "none due":
        pass
    audit.write_entry("pause", campaign, by="watchdog")
    browser = log_in()
    browser.open(reverse("admin:astronote_user_change", args=[store.pk]))
    ledger = browser.find("[aria-labelledby=ledger]").text
    assert ledger.count("Spring sale") == 1 and "invoice 42" in ledger
    browser.open(reverse("admin:astronote_auditentry_changelist"))
    assert "campaign Spring sale" in cells(browser, "what")


def test_a_plan_of_an_import_is_low_names_unused_columns_and_counts_what_is_rejected(
    log_in, tmp_path
):
    make_store()
    path = tmp_path / "customers.csv"
    path.write_text("Name,Mobile,Shoe size\nMaria,6900000001,39\nNikos,69000,44\n")
    browser = log_in()
    browser.open(reverse("admin:contacts_contactimport_add"))
    browser.type("file", str(path))
    browser.type("consent_source", "paper form")
    browser.click("Save")
    browser.wait_for("Nothing has been written yet")
    assert "1 of 3 columns is not used: Shoe size" in browser.text
    assert "2 rows: 1 rejected" in browser.text
    rows = browser.all("table:not(#columns) tbody tr")
    assert rows and all(row.size["height"] < 110 for row in rows)


def test_a_file_that_is_refused_leaves_the_rest_of_the_form(log_in, tmp_path):
    make_store()
    path = tmp_path / "photo.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)
    browser = log_in()
    browser.open(reverse("admin:contacts_contactimport_add"))
    browser.type("file", str(path))
    browser.type("consent_source", "paper form")
    browser.click("Save")
    browser.wait_for("Choose a file again")
    assert browser.find("[name=consent_source]").get_attribute("value") == "paper form"


def test_words_are_those_of_people(log_in, sandbox):
    store = make_store(balance=96144)
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    sending.process_next_batch()
    User.objects.update(created_at=timezone.now())
    browser = log_in()
    for page in (
        reverse("admin:astronote_user_change", args=[store.pk]),
        reverse("admin:campaigns_campaign_change", args=[Campaign.objects.get().pk]),
        reverse("admin:messaging_wallet_changelist"),
        reverse("admin:messaging_webhookevent_changelist"),
    ):
        browser.open(page)
        for bad in ("object (", "1 messages", "Stores › Stores", "96144", "96143", "Gdpr"):
            assert bad not in browser.text, (page, bad)
