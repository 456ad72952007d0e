"""A text with something else than tags in braces is stopped at every door, with a hint."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from astronote.accounts.eligibility import SendingBlocked
from astronote.models import User
from campaigns import actions, enqueue, schedule
from campaigns.automations.birthday import enqueue_birthday_messages
from campaigns.automations.switching import switch_automation_and_audit_or_raise
from campaigns.automations.welcome import enqueue_welcome_messages
from campaigns.models import Automation, AutomationMessage, Campaign, CampaignMessage
from campaigns.preview import preview_campaign
from contacts.models import Contact
from messaging.direct_messages import get_or_enqueue_direct_message
from messaging.models import MessageTemplate
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
HINT = "write {{first_name}}"
WRONG = ["Hi {{first-name}}", "Hi {first_name}", "Γεια {{όνομα}}"]


@pytest.fixture
def alice():
    return make_store()


@pytest.fixture
def operator(client):
    root = User.objects.create_superuser("root@example.com")
    client.force_login(root)
    return root


@pytest.mark.parametrize("text", WRONG)
@pytest.mark.parametrize("message_type", ["marketing", "service"])
def test_a_start_fails_with_the_hint(alice, text, message_type):
    campaign = make_campaign(
        alice, make_list(alice, 2), message_text=text, message_type=message_type
    )
    assert HINT in preview_campaign(campaign).problem
    with pytest.raises(SendingBlocked, match=HINT):
        enqueue.enqueue_campaign(campaign.pk)
    campaign.refresh_from_db()
    assert campaign.status == "failed" and HINT in campaign.block_reason
    assert not CampaignMessage.objects.exists()


@pytest.mark.parametrize("text", WRONG)
def test_it_is_neither_scheduled_nor_tested(alice, text):
    campaign = make_campaign(alice, make_list(alice, 2), message_text=text)
    with pytest.raises(CommandError, match=HINT):
        call_command("campaign", "test", campaign.pk, to="+306900000009")
    with pytest.raises(ValueError, match=HINT):
        actions.enqueue_test_message(campaign, "+306900000009", by=alice)
    with pytest.raises(ValueError, match=HINT):
        schedule.schedule_campaign(campaign, timezone.now() + timedelta(days=1), by=alice)


@pytest.mark.parametrize("text", WRONG)
def test_the_form_and_the_command_refuse_it(alice, operator, client, text):
    target = make_list(alice, 2, name="regulars")
    answer = client.post(
        reverse("admin:campaigns_campaign_add"),
        {"owner": alice.pk, "name": "x", "message_type": "marketing", "message_text": text,
         "list": target.pk},
    )  # fmt: skip
    assert answer.status_code == 200 and HINT in answer.text
    with pytest.raises(CommandError, match=HINT):
        call_command("send_campaign", str(alice.pk), name="x", text=text, list_name="regulars")
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("text", WRONG)
def test_a_template_and_an_automation_refuse_it(alice, operator, client, text):
    answer = client.post(
        reverse("admin:messaging_messagetemplate_add"),
        {"owner": alice.pk, "name": "x", "text": text, "category": "generic", "language": "en"},
    )
    assert answer.status_code == 200 and HINT in answer.text
    assert not MessageTemplate.objects.exists()
    with pytest.raises(CommandError, match=HINT):
        call_command("automation", "on", str(alice.pk), "birthday", text=text)
    automation = Automation.objects.create(
        owner=alice, type="birthday_message", message_body=text, is_active=False
    )
    with pytest.raises(ValueError, match=HINT):
        switch_automation_and_audit_or_raise(automation, True, by=operator)


@pytest.mark.parametrize("text", WRONG)
def test_an_automation_that_has_it_sends_nothing(alice, text):
    make_list(alice, 2, birthday="1990-11-27")
    Contact.objects.update(awaits_welcome=True)
    for kind in ("welcome_message", "birthday_message"):
        Automation.objects.create(owner=alice, type=kind, message_body=text, is_active=True)
    enqueue_welcome_messages()
    enqueue_birthday_messages(day_for_all_stores=Contact.objects.first().birthday.replace(2031))
    assert not AutomationMessage.objects.exists()


@pytest.mark.parametrize("text", [*WRONG, "Hi {{first_name}}"])
def test_a_direct_message_refuses_it(alice, text):
    with pytest.raises(SendingBlocked, match="first_name"):
        get_or_enqueue_direct_message(alice, "+306900000009", text, key="1")


def test_a_stores_question_and_opt_out_line_refuse_it(alice):
    with pytest.raises(CommandError, match="only tag"):
        call_command("store", str(alice.pk), set=["opt_out_line={unsubscribe_link}"])
    alice.opt_in_wording = "Hi {{first_name}}, may we?"
    with pytest.raises(ValidationError, match="confirm_link"):
        alice.full_clean()


def test_words_for_nothing_and_decomposed_names_in_contacts(alice):
    target = make_list(alice, 3)
    names = ["N/A", "-", "Zoe\u0301"]
    for contact, name in zip(Contact.objects.order_by("pk"), names, strict=True):
        Contact.objects.filter(pk=contact.pk).update(first_name=name)
    campaign = make_campaign(
        alice,
        target,
        message_text="Hi {{first_name}}, hello {{ First Name | friend }}!",
        message_type="service",
    )
    enqueue.enqueue_campaign(campaign.pk)
    texts = CampaignMessage.objects.order_by("pk").values_list("text", "segments")
    assert list(texts) == [
        ("Hi, hello friend!", 1),
        ("Hi, hello friend!", 1),
        ("Hi Zoé, hello Zoé!", 1),
    ]
