"""Short links: in texts, followed, and counted."""

import pytest
from django.db import transaction

from astronote.accounts.eligibility import SendingBlocked
from astronote.models import User
from campaigns import actions, clicks, enqueue
from campaigns.automations.welcome import enqueue_welcome_messages
from campaigns.models import (
    Automation,
    AutomationMessage,
    Campaign,
    CampaignMessage,
    OfferViewEvent,
)
from campaigns.reports import campaign_report
from contacts.models import Contact
from messaging.batch_writing import generate_tracking_ids
from messaging.links import (
    OwnedText,
    create_links_and_shorten_long_urls,
    has_tracking_id_length,
)
from messaging.models import DirectMessage, ShortLink
from tests.support.factories import make_campaign, make_list, make_store
from tests.support.holding import Holding

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "https://shop.example/spring/sale?utm_source=sms&utm_campaign=spring"
AGENT = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Mobile/15E148"}


def start(text, size=3, **fields):
    """A campaign that was started; of service unless told otherwise: its text has no more lines."""
    fields = {"message_type": "service"} | fields
    store = make_store()
    return enqueue.enqueue_campaign(
        make_campaign(store, make_list(store, size), message_text=text, **fields).pk
    )


def texts(campaign):
    return list(CampaignMessage.objects.filter(campaign=campaign).values_list("text", flat=True))


def path_in(text):
    return text[text.index("/s/") :].split()[0]


def test_codes_made_together_are_neighbours_in_an_index_and_all_different():
    first, second = (
        generate_tracking_ids(10_000),
        generate_tracking_ids(10_000),
    )
    assert len({*first, *second}) == 20_000 and all(map(has_tracking_id_length, first))
    assert len({code[:2] for code in first}) == 1
    assert len({code[2:] for code in first}) == 10_000


def test_each_message_has_an_offer_link_of_its_own(client):
    campaign = start("Hi {{first_name}}: {{offer_link}}", offer_url=LONG)
    for message in CampaignMessage.objects.all():
        assert message.text.endswith(f"/s/{message.tracking_id}")
    answer = client.get(path_in(texts(campaign)[0]), headers=AGENT)
    assert (answer.status_code, answer["Location"]) == (302, LONG)
    assert answer["Referrer-Policy"] == "no-referrer"
    assert not answer.cookies
    view = OfferViewEvent.objects.get()
    assert (view.campaign, view.device_type) == (campaign, "phone")
    report = campaign_report(campaign)
    assert (report.clicks, report.people_who_clicked) == (1, 1)


def test_a_text_with_an_offer_and_without_its_link_ends_with_it():
    assert "\nhttp" in texts(start("Hello", offer_url=LONG))[0]


def test_a_link_to_no_offer_is_refused_with_the_reason():
    with pytest.raises(SendingBlocked, match="no offer address"):
        start("Hi {{offer_link}}")


def test_addresses_in_a_text_are_shortened_once_for_all_messages(client):
    campaign = start(f"Look: {LONG}. Or ({LONG})! http://a.io")
    assert ShortLink.objects.count() == 1
    [text] = set(texts(campaign))
    assert LONG not in text
    assert text.endswith(")! http://a.io")
    for _ in range(2):
        assert client.get(path_in(text).strip("."), headers=AGENT)["Location"] == LONG
    assert campaign_report(campaign).clicks == 2


def test_an_address_for_one_customer_stays_as_it_is():
    text = "https://shop.example/a-very-long-address/of-one-customer?name={{first_name}}"
    assert "shop.example" in texts(start(text))[0]


def test_two_campaigns_have_links_of_their_own(django_assert_max_num_queries):
    campaign = start(LONG)
    root = User.objects.create_superuser("root@example.com")
    copy = actions.duplicate_as_draft(campaign, by=root)
    enqueue.enqueue_campaign(copy.pk)
    assert ShortLink.objects.values("campaign_id").distinct().count() == 2
    assert texts(campaign) != texts(copy)


@pytest.mark.parametrize(
    ("method", "agent"),
    [("head", AGENT["User-Agent"]), ("get", "WhatsApp/2.23"), ("get", "Slackbot-LinkExpanding 1.0"),
     ("get", "")],
)  # fmt: skip
def test_looks_of_programs_do_not_count(method, agent, client):
    campaign = start("{{offer_link}}", offer_url=LONG)
    path = path_in(texts(campaign)[0])
    assert getattr(client, method)(path, headers={"User-Agent": agent}).status_code == 302
    assert campaign_report(campaign).clicks == 0


def test_visits_of_one_message_beyond_a_number_are_neither_kept_nor_counted(client, monkeypatch):
    monkeypatch.setattr(clicks, "MAX_VISITS_PER_MESSAGE", 3)
    campaign = start("{{offer_link}}", offer_url=LONG)
    first, second, _ = [path_in(text) for text in texts(campaign)]
    for _ in range(5):
        assert client.get(first, headers=AGENT)["Location"] == LONG
    client.get(second, headers=AGENT)
    assert OfferViewEvent.objects.count() == 4
    report = campaign_report(campaign)
    assert (report.clicks, report.people_who_clicked) == (4, 2)


def test_a_visit_waits_for_nobody_who_changes_the_campaign_its_store_or_the_link(client):
    campaign = start(f"{LONG} {{{{offer_link}}}}", offer_url=LONG)
    shared, own = ["/s/" + part.split()[0] for part in texts(campaign)[0].split("/s/")[1:]]

    def locked_rows():
        for model in (User, Campaign, ShortLink):
            list(model.objects.select_for_update())
        return transaction.atomic()

    with Holding(locked_rows):  # for as long as the test lasts
        for path in (shared, own):
            assert client.get(path, headers=AGENT)["Location"] == LONG
    assert campaign_report(campaign).clicks == 0
    for path in (shared, own):
        client.get(path, headers=AGENT)
    assert campaign_report(campaign).clicks == 2


def test_visits_of_a_link_count_while_more_messages_with_it_are_being_written(client):
    text = OwnedText(make_store().pk, None, LONG)
    [first] = create_links_and_shorten_long_urls({0: text}).values()

    def written():
        assert create_links_and_shorten_long_urls({0: text}) == {0: first}
        return transaction.atomic()

    with Holding(written):
        client.get(path_in(first), headers=AGENT)
    assert ShortLink.objects.get().click_count == 1


def test_a_link_whose_target_an_erasure_has_masked_leads_there_again_when_it_is_written_anew():
    text = OwnedText(make_store().pk, None, LONG)
    [first] = create_links_and_shorten_long_urls({0: text}).values()
    ShortLink.objects.update(target_url="[erased]")
    assert create_links_and_shorten_long_urls({0: text}) == {0: first}
    assert ShortLink.objects.get().target_url == LONG


@pytest.mark.parametrize("code", ["abcdefgh", "abcdefghijkl", "x", "%00", "a" * 500])
def test_an_altered_link_gets_a_page_that_helps(code, client):
    answer = client.get(f"/s/{code}", headers=AGENT)
    assert answer.status_code == 404
    assert "tap it again" in answer.text


def test_nothing_but_web_addresses_is_followed(client):
    campaign = start("{{offer_link}}", offer_url=LONG)
    type(campaign).objects.update(offer_url="javascript:alert(1)")
    assert client.get(path_in(texts(campaign)[0]), headers=AGENT).status_code == 404


def test_a_test_send_has_a_link_that_works(sandbox, client):
    store = make_store()
    campaign = make_campaign(store, None, message_text="{{offer_link}}", offer_url=LONG)
    actions.enqueue_test_message(campaign, "+306900000009", by=store)
    path = path_in(DirectMessage.objects.get().text)
    assert client.get(path, headers=AGENT)["Location"] == LONG


def test_automations_share_their_stores_links():
    store = make_store()
    make_list(store, 3)
    Automation.objects.create(
        owner=store,
        type="welcome_message",
        is_active=True,
        message_body=LONG,
        message_type="service",
    )
    Contact.objects.update(awaits_welcome=True)
    enqueue_welcome_messages()
    assert AutomationMessage.objects.count() == 3
    assert ShortLink.objects.get().campaign_id is None
    assert len(set(AutomationMessage.objects.values_list("text", flat=True))) == 1
