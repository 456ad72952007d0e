"""How many presses and pages eight tasks take, from a login on; no change may make them more.

A press is one of a link, a button, a choice or the keys of a shortcut; typing is none. A choice
from a list that is searched takes two: it is opened, and a row is pressed. A page is one that is
loaded after the home page.
"""

import pytest
from django.core.management import call_command
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from astronote.models import User
from campaigns import enqueue
from campaigns.models import Campaign, CampaignMessage
from contacts.models import Contact
from messaging import receipts, replies, sending
from messaging.models import DirectMessage
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.receipts import store_receipts

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PASSWORD = "a-long-password-of-mine"
IS_NEW_PAGE = "const known = window.is_known; window.is_known = true; return !known"


class Hand:
    """Presses what is on the pages, and counts that and the pages."""

    def __init__(self, browser):
        self.browser, self.presses, self.pages = browser, 0, 0
        browser.driver.execute_script(IS_NEW_PAGE)

    def press(self, label, *, then):
        """Press a link or button, and wait until a page shows a text."""
        self.browser.click(label)
        self._look(then)

    def press_at(self, selector, *, then):
        self.browser.press(selector)
        self._look(then)

    def search_everywhere(self, text, *, then):
        """Ctrl+K and typing; what it finds is pressed next."""
        browser = self.browser
        browser.find("body").send_keys(Keys.CONTROL, "k")
        browser.wait_until(lambda: browser.find("#search-input-command").is_displayed())
        browser.find("#search-input-command").send_keys(text)
        self._look(then)

    def choose_file(self, path):
        self.browser.type("file", str(path))
        self.presses += 1

    def _look(self, then):
        self.presses += 1
        self.browser.wait_for(then)
        self.pages += self.browser.driver.execute_script(IS_NEW_PAGE)

    @property
    def count(self):
        return self.presses, self.pages


@pytest.fixture
def log_in(browser):
    def as_administrator():
        call_command("create_operator", "root@example.com", role="administrator", password=PASSWORD)
        browser.login("root@example.com", PASSWORD)
        return Hand(browser)

    return as_administrator


def add_store(hand, link):
    hand.press(link, then="Sender")
    for name, text in (
        ("email", "shop@example.com"),
        ("company", "Anna's"),
        ("sender_name", "ANNAS"),
        ("first_credits", "500"),
    ):
        hand.browser.type(name, text)
    hand.press("Save", then="added")


def test_a_new_store_ready_to_send(log_in, sandbox):
    make_store("bob")
    hand = log_in()
    add_store(hand, "Add store")
    store = User.objects.get(email="shop@example.com")
    assert (store.timezone, store.wallet.balance) == ("Europe/Athens", 500)
    assert hand.count == (2, 2)


def test_the_first_campaign_from_an_empty_installation(log_in, sandbox, worker, tmp_path):
    path = tmp_path / "customers.csv"
    path.write_text("Name,Mobile,Newsletter\nMaria,6900000001,yes\nNikos,6900000002,yes\n")
    hand = log_in()
    add_store(hand, "Add a store")
    hand.press("Import the store's customers", then="File")
    hand.choose_file(path)
    hand.browser.type("consent_source", "paper form")
    hand.press("Save", then="Nothing has been written yet")
    hand.press("Start import", then="pending")
    worker("rqworker", "contact_import")
    hand.browser.wait_for("completed")
    hand.press("Send the first campaign", then="The preview")
    hand.browser.type("name", "Spring sale")
    hand.browser.type("message_text", "Hello {{first_name}}, all is half price")
    hand.press_at("[name=to_everybody]", then="2")
    hand.press("Send now", then="Sending starts at once")
    hand.press("Send now", then="started")
    assert Campaign.objects.get().status == "sending" and Campaign.objects.get().total == 2
    assert hand.count == (10, 8)


def test_a_reply_is_read_and_answered(log_in, sandbox):
    make_list(make_store(balance=10), 1)
    replies.store_replies([{"from": "+306900000000", "text": "When do you open?"}])
    replies.apply_received_replies()
    hand = log_in()
    hand.press_at("a[href='/admin/messaging/reply/']", then="When do you open?")
    hand.press("When do you open?", then="The answer")
    hand.browser.type("text", "At nine.")
    hand.press("Send the answer", then="on its way")
    assert DirectMessage.objects.get().text == "At nine."
    assert hand.count == (3, 3)


def test_a_customer_is_found_by_half_a_name(log_in, sandbox):
    make_list(make_store(), 3)
    Contact.objects.filter(phone="+306900000001").update(first_name="Φουρνάρης")
    hand = log_in()
    hand.search_everywhere("φουρν", then="Φουρνάρης")
    hand.press_at("#command-results-list a", then="Export personal data")
    assert hand.browser.find("[name=phone]").get_attribute("value") == "+306900000001"
    assert hand.count == (2, 1)


def test_what_was_sent_to_a_number_as_written_on_a_card(log_in, sandbox):
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk)
    hand = log_in()
    hand.search_everywhere("690 000 0001", then="Messages to")
    link = (By.XPATH, "//a[contains(., 'Messages to')]")
    hand.browser.click_element(lambda: hand.browser.driver.find_element(*link))
    hand._look("Hello Name1")
    assert hand.count == (2, 1)


def test_those_not_reached_are_sent_to_again(log_in, sandbox):
    store = make_store()
    sale = make_campaign(store, make_list(store, 3), name="Spring sale")
    enqueue.enqueue_campaign(sale.pk)
    sending.process_next_batch()
    message = CampaignMessage.objects.first()
    store_receipts([{"messageId": message.provider_message_id, "deliveryStatus": "Undelivered"}])
    receipts.apply_received_receipts()
    hand = log_in()
    hand.press_at("a[href='/admin/campaigns/campaign/']", then="Spring sale")
    hand.press("Spring sale", then="Those not reached")
    hand.press("Send to those not reached", then="Send to those not reached")
    hand.press("Send to those not reached", then="Send now")
    hand.press("Send now", then="Sending starts at once")
    hand.press("Send now", then="started")
    assert Campaign.objects.latest("pk").total == 1
    assert hand.count == (6, 6)


def test_why_a_campaign_does_not_move(log_in, sandbox):
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 3)).pk)
    hand = log_in()
    hand.browser.wait_for("No workers are running: nothing is sent")
    assert hand.count == (0, 0)


def test_a_text_is_changed_after_previewing_it(log_in, sandbox):
    store = make_store()
    draft = make_campaign(store, make_list(store, 3), message_text="Half prise")
    hand = log_in()
    hand.browser.open(f"/admin/campaigns/campaign/{draft.pk}/change/")
    hand.browser.wait_for("SMS parts")
    hand.browser.driver.execute_script(IS_NEW_PAGE)
    hand.browser.type("message_text", "Half price")
    hand.browser.wait_until(lambda: "Half price" in hand.browser.find("#campaign-preview").text)
    hand.press("Save", then="changed successfully")
    draft.refresh_from_db()
    assert draft.message_text == "Half price"
    assert hand.count == (1, 1)
