"""Templates: the starter library, starting a campaign or automation from one, and its results."""

import json

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.urls import reverse

from campaigns.automations.switching import create_links_and_sample_text
from campaigns.models import Automation, Campaign, CampaignMessage, OfferViewEvent
from campaigns.preview import preview_campaign
from campaigns.template_results import template_results
from messaging.models import MessageTemplate
from messaging.starter_templates import (
    LANGUAGES,
    build_unsaved_library_templates,
    copy_library_templates,
)
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return make_store()


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_text_of_the_library_can_be_sent_as_it_is(language):
    store = make_store(language=language)
    target = make_list(store, 1)
    for template in build_unsaved_library_templates(language):
        template.owner = store
        template.full_clean()
        offer = "https://shop.example/a" if "{{offer_link}}" in template.text else ""
        campaign = make_campaign(store, target, message_text=template.text, offer_url=offer)
        preview = preview_campaign(campaign)
        assert preview.problem == "" and preview.parts <= 3, template.name


def test_a_store_gets_the_library_once_and_keeps_what_it_changed(alice, capsys):
    count = copy_library_templates(alice, "en", by="test")
    MessageTemplate.objects.filter(name="Welcome").update(text="Hi!")
    call_command("templates", "add-library", alice.email)
    assert "0 added" in capsys.readouterr().out
    assert MessageTemplate.objects.get(name="Welcome").text == "Hi!"
    call_command("templates", "add-library", alice.email, language="el")
    assert MessageTemplate.objects.filter(owner=alice).count() == 2 * count
    german = make_store("bob", language="de")
    with pytest.raises(CommandError, match="English and Greek: give --language"):
        call_command("templates", "add-library", german.email)


def test_the_pages_add_the_library_and_start_from_a_template(alice, admin_client):
    url = reverse("admin:messaging_messagetemplate_starter")
    page = admin_client.post(url, {"store": alice.pk, "language": "el"}, follow=True).text
    assert "templates added to" in page
    template = MessageTemplate.objects.get(name="Μας λείψατε")
    page = admin_client.get(
        reverse("admin:messaging_messagetemplate_change", args=[template.pk])
    ).text
    address = f"{reverse('admin:campaigns_campaign_add')}?template={template.pk}"
    assert address in page
    form = admin_client.get(address).context["adminform"].form
    assert form.initial["message_text"] == template.text and form.initial["owner"] == alice.pk
    address = f"{reverse('admin:campaigns_automation_add')}?template={template.pk}"
    assert template.text in admin_client.get(address).text
    for odd in ("x", "²", "9" * 40, "0"):
        address = f"{reverse('admin:campaigns_campaign_add')}?template={odd}"
        assert admin_client.get(address).status_code == 200


def test_commands_start_from_a_template_and_its_results_are_measured(alice, capsys):
    make_list(alice, 4)
    copy_library_templates(alice, "en", by="test")
    call_command(
        "send_campaign", alice.email, name="Spring", template="We miss you", list_name="all"
    )
    campaign = Campaign.objects.get()
    assert campaign.message_text == campaign.template.text
    Campaign.objects.update(sent=1, delivered=2, failed=1)
    message = CampaignMessage.objects.first()
    for _ in range(2):
        OfferViewEvent.objects.create(campaign_message=message, campaign=campaign, owner=alice)
    results = template_results(campaign.template)
    assert (results.campaigns, results.accepted, results.delivered) == (1, 3, 2)
    assert results.people_who_clicked == 1 and results.click_rate == pytest.approx(1 / 3)
    capsys.readouterr()
    call_command("templates", "list", alice.email, json=True)
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert listed["We miss you"]["accepted"] == 3 and listed["Welcome"]["campaigns"] == 0
    call_command("automation", "on", alice.email, "birthday", template="Happy birthday")
    assert create_links_and_sample_text(Automation.objects.get()).startswith("Happy birthday, Mar")
    with pytest.raises(CommandError, match="has no message template 'x'"):
        call_command("send_campaign", alice.email, name="x", template="x", list_name="all")


def test_a_template_of_another_store_is_refused(alice):
    other = MessageTemplate.objects.create(owner=make_store("bob"), name="x", text="Hi")
    with pytest.raises(ValidationError, match="template belongs to another store"):
        make_campaign(alice, None, template=other).clean()
