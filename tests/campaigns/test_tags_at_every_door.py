"""A text that would be sent with something else than meant is stopped at every door, with why."""

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
from campaigns.automations.due_messages import text_problems_by_automation_id
from campaigns.automations.switching import switch_automation_and_audit_or_raise
from campaigns.automations.welcome import enqueue_welcome_messages
from campaigns.direct_files import plan_file
from campaigns.models import (
    Automation,
    AutomationMessage,
    AutomationRule,
    Campaign,
    CampaignMessage,
)
from campaigns.preview import preview_campaign
from contacts.models import Contact, List
from messaging.conversations import enqueue_answer
from messaging.direct_messages import get_or_enqueue_direct_message
from messaging.models import DirectMessage, MessageTemplate
from messaging.opt_in_requests import get_or_send_opt_in_request
from messaging.text import text_problem_or_empty
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


def errors_of_form(client, page, data):
    """What the form of a page of the admin says of its fields; nothing if it was saved."""
    answer = client.post(reverse(f"admin:{page}"), data)
    if answer.status_code == 302:
        return ""
    errors = answer.context["adminform"].form.errors.as_data().values()
    return " ".join(message for of_field in errors for one in of_field for message in one.messages)


def refusal_of(call):
    """Why a call refuses; nothing if it does not."""
    try:
        call()
    except ValidationError as error:
        return " ".join(error.messages)
    except (ValueError, SendingBlocked, CommandError) as error:
        return str(error)
    return ""


def verdicts_of_doors(store, operator, client, folder, text):
    """What each door for texts says of a text, by door; nothing where it is sent as it is."""
    target = List.objects.get(owner=store)
    contact = Contact.objects.filter(owner=store).first()
    campaign = make_campaign(store, target, message_text=text, message_type="service")
    automation = Automation(owner=store, type="welcome_message", message_body=text)
    rule = AutomationRule(
        owner=store, name="x", trigger_type="inactivity", inactivity_days=30, message_body=text
    )
    of_store = {"owner": store.pk, "name": "y", "message_type": "service"}
    store.opt_in_wording = text
    file = folder / "texts.csv"
    quoted = text.replace('"', '""')
    file.write_text(f'number,text\n{contact.phone},"{quoted}"\n')
    plan = plan_file(store, file, "service")
    yield "preview", preview_campaign(campaign).problem
    yield (
        "schedule",
        refusal_of(
            lambda: schedule.schedule_campaign(
                campaign, timezone.now() + timedelta(days=1), by=operator
            )
        ),
    )
    Campaign.objects.update(status="draft", scheduled_at=None)
    yield (
        "test message",
        refusal_of(lambda: call_command("campaign", "test", campaign.pk, to="+306900000009")),
    )
    yield "start", refusal_of(lambda: enqueue.enqueue_campaign(campaign.pk))
    campaign_form = of_store | {"message_text": text, "list": target.pk}
    yield "campaign form", errors_of_form(client, "campaigns_campaign_add", campaign_form)
    yield (
        "campaign command",
        refusal_of(
            lambda: call_command(
                "send_campaign", str(store.pk), name="z", text=text, list_name=target.name
            )
        ),
    )
    template_form = of_store | {"text": text, "category": "generic", "language": "en"}
    yield "template", errors_of_form(client, "messaging_messagetemplate_add", template_form)
    automation_form = of_store | {"type": "birthday_message", "message_body": text, "send_hour": 9}
    yield "automation form", errors_of_form(client, "campaigns_automation_add", automation_form)
    yield (
        "automation command",
        refusal_of(lambda: call_command("automation", "show", str(store.pk), "welcome", text=text)),
    )
    yield "automation", automation.text_problem()
    yield "run of automations", text_problems_by_automation_id([automation]).get(automation.id, "")
    yield "rule", rule.text_problem()
    yield "rule form", refusal_of(rule.clean)
    yield "line of a file", " ".join(reason for _line, reason in plan.rejected)
    yield (
        "direct message",
        refusal_of(lambda: get_or_enqueue_direct_message(store, "+306900000009", text, key="door")),
    )
    yield (
        "answer",
        refusal_of(lambda: enqueue_answer(contact, text, key="door", by=operator)),
    )
    yield "opt-in wording", refusal_of(store.full_clean)


@pytest.mark.parametrize(
    "text",
    ["Hi [First Name]", "Hi %first_name%", "[Nom de la boutique] : soldes",
     "Hi (First Name)", "-XX% σήμερα", "code XXXX", "Γεια σας ____, ελάτε", "Tom &amp; Co",
     "Zobacz sklepik,pl/oferta", "https:/shop.gr/a", "https://shop.gr\\a", "See 𝘀𝗵𝗼𝗽.gr",
     "bis samstag.Info/a", "shop.com.tr/firsat'ta", "shop.fr/l’offre", "shop.gr/aΤώρα",
     "www. shop.gr", "στοshop.gr/a", "https://shop"],
)  # fmt: skip
def test_each_door_for_texts_gives_the_same_verdict(alice, operator, client, tmp_path, text):
    make_list(alice, 1)
    problem = text_problem_or_empty(text)
    assert problem
    said = dict(verdicts_of_doors(alice, operator, client, tmp_path, text))
    assert [door for door, why in said.items() if problem not in why] == []
    assert not CampaignMessage.objects.exists() and not DirectMessage.objects.exists()


@pytest.mark.parametrize(
    "text",
    ["Sale [SALE] (Mon–Fri) -20% έως 30/11", "https://www.shop.gr/black\u2011friday?a=1&amp;b=2",
     "Name: ____ code BF20", "Laden.Info/angebote, l'offre shop.fr/l'offre"],
)  # fmt: skip
def test_each_door_for_texts_takes_what_can_be_sent(alice, operator, client, tmp_path, text):
    make_list(alice, 1)
    said = dict(verdicts_of_doors(alice, operator, client, tmp_path, text))
    assert {door: why for door, why in said.items() if why} == {}
    assert CampaignMessage.objects.count() == 2 and DirectMessage.objects.count() == 3


def test_an_answer_and_a_question_have_nothing_that_only_costs(alice, operator):
    make_list(alice, 1)
    text = "Open\u00a0at  9\t\u200b\u202ato 5\u202c\u2028see\u00adyou"
    enqueue_answer(Contact.objects.get(), text, key="1", by=operator)
    Contact.objects.update(is_subscribed=False, unsubscribed_at=None)
    User.objects.filter(pk=alice.pk).update(double_opt_in=True, opt_in_wording=text)
    get_or_send_opt_in_request(Contact.objects.get(), by=operator)
    answer, question = DirectMessage.objects.order_by("pk")
    assert (answer.text, answer.segments) == ("Open at 9 to 5\nseeyou", 1)
    assert question.text.startswith("Open at 9 to 5\nseeyou\n") and question.segments == 1


def test_an_answer_and_a_question_have_addresses_as_they_are_meant(alice, operator):
    make_list(alice, 1)
    text = "See shop.gr/a?b=1&amp;c\u2011d and 𝘀𝗵𝗼𝗽.gr/𝗮"
    contact = Contact.objects.get()
    enqueue_answer(contact, text, key="1", by=operator)
    assert DirectMessage.objects.get().text == "See shop.gr/a?b=1&c-d and shop.gr/a"
    Contact.objects.update(is_subscribed=False, unsubscribed_at=None)
    User.objects.filter(pk=alice.pk).update(double_opt_in=True, opt_in_wording=text)
    contact = Contact.objects.get()
    get_or_send_opt_in_request(contact, by=operator)
    question = DirectMessage.objects.order_by("pk").last().text
    assert question.startswith("See shop.gr/a?b=1&c-d and shop.gr/a\n")


def test_the_link_of_a_question_stands_apart(alice):
    alice.opt_in_wording = "May we? {{confirm_link}}now"
    with pytest.raises(ValidationError, match=r"Put a space after \{\{confirm_link"):
        alice.full_clean()
    alice.opt_in_wording = "May we? {{confirm_link}}, or {{unsubscribe_link}}"
    with pytest.raises(ValidationError, match=r"only tag is \{\{confirm_link"):
        alice.full_clean()
