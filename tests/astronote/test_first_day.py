"""The checklist of an installation that has not sent its first campaign."""

import re
from html import unescape

import pytest
from django.core.management import call_command

from astronote.models import User
from campaigns import actions, enqueue
from contacts.models import Contact
from messaging import credits
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
STEP = re.compile(r'<li class="(done|open)">.*?<(?:a href="([^"]*)"|strong)>([^<]+)<', re.DOTALL)


@pytest.fixture
def operator(client):
    call_command("create_operator", "me@example.com", role="administrator", password="a-long-one-9")
    client.force_login(User.objects.get(email="me@example.com"))
    return client


def steps(client):
    """Each step of the home page with whether it is done and where it leads."""
    found = STEP.findall(client.get("/admin/").text)
    return {unescape(name): (state == "done", url) for state, url, name in found}


def test_an_empty_installation_shows_every_step_and_where_it_is_done(operator, settings):
    settings.MITTO_API_KEY = ""
    shown = steps(operator)
    assert len(shown) == 8
    assert not any(done for done, _ in shown.values())
    links = [url for _, url in shown.values() if url]
    assert len(links) == 7  # Mitto's key is set outside of the admin
    assert {operator.get(url).status_code for url in links} == {200}


def test_a_step_is_done_when_the_data_say_so_and_the_list_goes_with_the_first_campaign(
    operator, sandbox
):
    store = make_store(company="Anna's", balance=0)
    assert [name for name, (done, _) in steps(operator).items() if done] == [
        "Add a store",
        "Give the store a sender",
        "Connect Mitto",
    ]
    credits.top_up(store.pk, 100, reason="test", key="test")
    target = make_list(store, 3, is_subscribed=False)
    shown = steps(operator)
    assert shown["Top up the store's wallet"][0] and shown["Import the store's customers"][0]
    assert not shown["Have somebody who agreed to marketing"][0]
    Contact.objects.update(is_subscribed=True)
    campaign = make_campaign(store, target)
    shown = steps(operator)
    assert f"/campaign/{campaign.pk}/" in shown["Send a test to your own phone"][1]
    actions.enqueue_test_message(campaign, "+306900000099", by=None)
    assert [name for name, (done, _) in steps(operator).items() if not done] == [
        "Send the first campaign"
    ]
    enqueue.enqueue_campaign(campaign.pk)
    assert not steps(operator)


def test_a_viewer_sees_the_steps_and_no_link_that_would_be_refused(client):
    call_command("create_operator", "me@example.com", role="viewer", password="a-long-one-9")
    client.force_login(User.objects.get(email="me@example.com"))
    shown = steps(client)
    assert len(shown) == 8 and not any(url for _, url in shown.values())
