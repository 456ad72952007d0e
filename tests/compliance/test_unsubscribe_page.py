"""The page behind an opt-out link: its languages, what it says is true, and a small phone."""

import pytest

from astronote.common.languages import Language
from campaigns import enqueue
from campaigns.models import CampaignMessage
from compliance.page_texts import PAGE_TEXTS
from contacts.models import Contact, Suppression
from contacts.phones import phone_hash
from messaging.links import signed_unsubscribe_url
from messaging.reply_reading import read_consent_request_of_reply
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
SMALL_PHONE = (320, 568)
NOTICE = "https://anna.example/privacy?lang=en&x=1"


@pytest.fixture
def path():
    """The address of the opt-out page of a store's only message."""
    store = make_store(company="Anna's shoes", language="it", privacy_notice_url=NOTICE)
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    address = signed_unsubscribe_url(CampaignMessage.objects.get().tracking_id)
    return address[address.index("/u/") :]


def suppress(owner=None):
    number = CampaignMessage.objects.get().to
    Suppression.objects.create(owner=owner, phone_hash=phone_hash(number), reason="test")


def look(client, path, language="en"):
    return client.get(path, headers={"Accept-Language": language}).text


# Languages


def test_every_text_is_there_in_every_language():
    assert set(PAGE_TEXTS) == set(Language)
    for field in PAGE_TEXTS[Language.ENGLISH]._fields:
        words = [getattr(texts, field) for texts in PAGE_TEXTS.values()]
        assert all(words) and len(set(words)) == len(words), field


def test_the_word_that_the_page_tells_to_answer_opts_out():
    for language, texts in PAGE_TEXTS.items():
        words = [word.strip(".,") for word in texts.unknown_link_help.split()]
        requests = [
            read_consent_request_of_reply(word).request
            for word in words
            if word.isupper() and word[1:]
        ]
        assert requests == ["stop"], language


@pytest.mark.parametrize("language", Language.values)
def test_a_visitor_reads_the_page_in_a_language_of_its_own(path, client, language):
    texts = PAGE_TEXTS[Language(language)]
    page = look(client, path, f"{language}-XX,sv;q=0.9")
    for text in (texts.from_shop, texts.question, texts.opt_out, texts.privacy_notice):
        assert text in page
    assert f'<html lang="{language}" dir="ltr">' in page
    assert texts.unknown_link in look(client, "/u/nonsense", language)


@pytest.mark.parametrize("accepted", ["", "sv", "*"])
def test_else_the_page_is_in_the_stores_language(path, client, accepted):
    page = look(client, path, accepted)
    assert PAGE_TEXTS[Language.ITALIAN].question in page
    assert '<html lang="it" dir="ltr">' in page
    page = look(client, "/u/nonsense", accepted)
    assert PAGE_TEXTS[Language.ENGLISH].unknown_link in page


@pytest.mark.parametrize("language", Language.values)
def test_a_short_link_that_leads_nowhere_says_so_in_the_visitors_language(client, language):
    page = look(client, "/s/nonsense", language)
    assert f'<html lang="{language}" dir="ltr">' in page
    english = look(client, "/s/nonsense", "sv")
    assert "This link leads nowhere" in english
    assert (page == english) == (language == "en")


# The state


def test_the_page_says_what_the_press_changes(path, client):
    texts = PAGE_TEXTS[Language.ENGLISH]
    page = look(client, path)
    assert texts.opt_out_effect in page and texts.service_stays in page
    assert texts.opt_in_effect not in page
    Contact.objects.update(service_allowed=False)
    assert texts.service_stays not in look(client, path), "no such message comes any more"
    Contact.objects.update(service_allowed=True)
    client.post(path, {"action": "opt_out"})
    page = look(client, path)
    assert texts.opt_in_effect in page and texts.opt_out_effect not in page


def test_a_number_suppressed_at_all_stores_is_told_so_and_not_opted_in(path, client):
    client.post(path, {"action": "opt_out"})
    suppress()
    page = look(client, path)
    assert "no shop of this service may send you offers" in page
    assert "<button" not in page and "<form" not in page
    client.post(path, {"action": "opt_in"})
    assert not Contact.objects.get().is_subscribed
    assert Suppression.objects.count() == 2


def test_a_subscribed_number_that_is_suppressed_at_all_stores_is_told_so(path, client):
    suppress()
    page = look(client, path)
    assert "no shop of this service may send you offers" in page
    assert PAGE_TEXTS[Language.ENGLISH].question not in page
    client.post(path, {"action": "opt_out"})
    assert not Contact.objects.get().is_subscribed, "an opt-out is never lost"


def test_a_subscribed_number_that_is_suppressed_at_the_store_gets_no_offers(path, client):
    suppress(owner=Contact.objects.get().owner)
    page = look(client, path)
    assert "You will get no more offers" in page
    assert "<button" not in page, "nothing that a press would change"
    Suppression.objects.update(owner=make_store("bob"))
    assert "Stop the messages" in look(client, path)


def test_a_number_that_left_its_contact_is_offered_no_way_back(path, client):
    Contact.objects.update(phone="+306911111111")
    assert "Stop the messages" in look(client, path)
    client.post(path, {"action": "opt_out"})
    page = look(client, path)
    assert "You will get no more offers" in page and "<button" not in page


# The privacy notice


def test_each_state_links_the_stores_privacy_notice(path, client):
    link = '<a href="https://anna.example/privacy?lang=en&amp;x=1" rel="noreferrer">'
    assert link in look(client, path)
    client.post(path, {"action": "opt_out"})
    assert link in look(client, path)
    suppress()
    assert link in look(client, path)


def test_a_store_without_a_privacy_notice_links_none(client):
    store = make_store()
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    address = signed_unsubscribe_url(CampaignMessage.objects.get().tracking_id)
    assert "<a " not in look(client, address[address.index("/u/") :])


# On a phone


def screen(browser, name):
    """The page fits the screen and has no barrier; kept as a picture in the test's folder."""
    browser.look_for_barriers()
    assert browser.driver.execute_script("return innerWidth") == SMALL_PHONE[0]
    width = browser.driver.execute_script("return document.documentElement.scrollWidth")
    assert width <= SMALL_PHONE[0], name
    browser.driver.save_screenshot(str(browser.folder / f"{name}.png"))


def small_screen(browser):
    width, height = SMALL_PHONE
    browser.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True},
    )


def speak(browser, language):
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd(
        "Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}}
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_state_is_read_on_a_small_phone_without_javascript(path, browser, dark):
    """In each language, and with a long name."""
    store = Contact.objects.get().owner
    store.company = "Anna-Maria’s Schuhe, Taschen und Accessoires am Hauptbahnhof Düsseldorf"
    store.save()
    if dark:
        browser.in_dark()
    small_screen(browser)
    for language in Language.values:
        texts = PAGE_TEXTS[Language(language)]
        speak(browser, language)
        browser.open(path)
        browser.wait_for(texts.opt_out_effect)
        screen(browser, f"{language}-subscribed")
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        browser.click(texts.opt_out)
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        browser.wait_for(texts.opted_out)
        assert not Contact.objects.get().is_subscribed
        screen(browser, f"{language}-opted-out")
        suppress()
        browser.open(path)
        browser.wait_for(texts.suppressed_everywhere.replace("\xa0", " "))
        screen(browser, f"{language}-everywhere")
        browser.open("/u/nonsense")
        browser.wait_for(texts.unknown_link_help)
        screen(browser, f"{language}-unknown")
        Suppression.objects.all().delete()
        Contact.objects.update(is_subscribed=True)
    problems = [problem for problem in browser.problems() if "404 (Not Found)" not in problem]
    assert problems == [], "besides the page of the unknown link, which is not found"
