"""The line by which customers opt out: in the store's language or its own words, and counted."""

import re

import pytest
from django.core.management import CommandError, call_command

from astronote.common.languages import Language
from astronote.models import User
from campaigns import enqueue
from campaigns.automations import birthday, welcome
from campaigns.automations.switching import create_links_and_sample_text
from campaigns.models import Automation, AutomationMessage, Campaign, CampaignMessage
from campaigns.preview import preview_campaign
from messaging.models import CreditReservation
from messaging.opt_out_line import OPT_OUT_LINES, has_working_opt_out_link
from messaging.text import count_parts, sms_encoding
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
LINES = {
    "en": "Opt out: http",
    "el": "ΔIAΓPAΦH: http",
    "de": "Abmelden: http",
    "fr": "Désinscription : http",
    "es": "Darse de baja: http",
    "it": "Disiscrizione: http",
}


@pytest.mark.parametrize("language", Language.values)
def test_a_marketing_text_ends_with_the_line_in_the_stores_language(language):
    store = make_store(language=language)
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    text = CampaignMessage.objects.get().text
    assert text.startswith(f"Hello Name0\n{LINES[language]}")


def test_a_store_without_a_language_has_that_of_its_country():
    store = make_store(language="", phone_region="DE")
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    assert "\nAbmelden: http" in CampaignMessage.objects.get().text


def test_no_line_makes_a_text_dearer_than_its_characters():
    assert set(OPT_OUT_LINES) == set(Language)
    for line in OPT_OUT_LINES.values():
        assert has_working_opt_out_link(line)
        template = line.replace("{{unsubscribe_link}}", "")
        assert sms_encoding(template) == "GSM-7", line
        assert len(template) <= 20, line


def test_automations_of_many_stores_end_with_each_stores_own_line(settings):
    stores = {
        "alice": make_store("alice", language="it"),
        "bob": make_store("bob", language="fr", opt_out_line="Adieu: {{unsubscribe_link}}"),
    }
    for store in stores.values():
        Automation.objects.create(owner=store, type="welcome_message", is_active=True)
        make_list(store, 2, awaits_welcome=True)
    welcome.enqueue_welcome_messages()
    for name, words in (("alice", "\nDisiscrizione: http"), ("bob", "\nAdieu: http")):
        texts = AutomationMessage.objects.filter(owner=stores[name]).values_list("text", flat=True)
        assert len(texts) == 2 and all(words in text for text in texts)


def test_a_birthday_message_and_its_sample_end_with_the_line_too():
    store = make_store(language="es")
    mine = Automation.objects.create(owner=store, type="birthday_message", is_active=True)
    make_list(store, 1, birthday="1990-06-15")
    birthday.enqueue_birthday_messages(day_for_all_stores=birthday.date(2027, 6, 15))
    assert "\nDarse de baja: http" in AutomationMessage.objects.get().text
    assert "\nDarse de baja: http" in create_links_and_sample_text(mine)


@pytest.mark.parametrize("line", ["No more? {{unsubscribe_link}}", "No more? Answer STOP"])
def test_a_stores_own_line_is_sent_and_is_not_doubled(line):
    store = make_store(opt_out_line=line, sender_name="+306900000001")
    target = make_list(store, 1)
    for text in ("Hi", f"Hi\n{line}"):
        enqueue.enqueue_campaign(make_campaign(store, target, message_text=text).pk)
    for text in CampaignMessage.objects.values_list("text", flat=True):
        assert text.startswith("Hi\nNo more? ")
        assert text.count("\n") == 1 and ("http" in text) == ("{{" in line)


# No marketing without a way out


@pytest.mark.parametrize(
    ("line", "sender", "problem"),
    [
        ("Bye: {{unsubscribe_link}}", "ANNA", ""),
        ("{{ unsubscribeLink }}", "ANNA", ""),
        ("Reply STOP to opt out", "+306900000001", ""),
        ("Για διαγραφή στείλτε ΣΤΟΠ", "+306900000001", ""),
        ("Reply STOP to opt out", "ANNA", "so that customers can answer"),
        ("Bye, and thank you", "ANNA", "needs {{unsubscribe_link}}"),
        ("Bye, and thank you", "+306900000001", "a word such as STOP"),
        ("https://a.example/{{unsubscribe_link}}", "ANNA", "with a space before it"),
        ("Opt out{{unsubscribe_link}}", "+306900000001", "with a space before it"),
        ("Opt out: {{unsubscribe_link}}now", "+306900000001", "and after it"),
        ("STOP{{unsubscribe_link}}", "+306900000001", "with a space before it"),
        (
            "Unsubscribe: https://a.example/unsubscribe",
            "+306900000001",
            "another number or address",
        ),
        ("Unsubscribe at a.example.com", "+306900000001", "another number or address"),
        ("STOP: info@a.gr", "+306900000001", "another number or address"),
        ("STOP to 54160", "+306900000001", "another number or address"),
        ("STOP to 3456", "+306900000001", "another number or address"),
        ("STOP SMS au 36 111", "+306900000001", "another number or address"),
        ("STOP to +306900000002", "+306900000001", "another number or address"),
        ("STOP to +30 690 000 0001, 24/7", "+306900000001", ""),
        ("STOP to 6900000001", "+306900000001", ""),
        ("Bye: {{unsubscribe}}", "ANNA", "The only tag"),
        ("{{offer_link}} {{unsubscribe_link}}", "ANNA", "The only tag"),
    ],
)
def test_a_stores_own_line_must_let_customers_opt_out(line, sender, problem, admin_client):
    store = make_store(sender_name=sender)
    address = f"/admin/astronote/user/{store.pk}/change/"
    form = admin_client.get(address).context["adminform"].form
    fields = {name: v for name, v in form.initial.items() if v not in (None, False, [])}
    answer = admin_client.post(address, fields | {"opt_out_line": line, "is_active": "on"})
    if problem:
        [error] = answer.context["adminform"].form.errors["opt_out_line"]
        assert problem in error
        with pytest.raises(CommandError, match="opt-out line"):
            call_command("store", store.email, set=[f"opt_out_line={line}"])
    store.refresh_from_db()
    assert store.opt_out_line == ("" if problem else line)


def test_a_sender_that_cannot_be_answered_does_not_go_with_a_word_to_answer(settings):
    store = make_store(sender_name="+306900000001", opt_out_line="Reply STOP to opt out")
    with pytest.raises(CommandError, match="so that customers can answer"):
        call_command("store", store.email, set=["sender_name=ANNA"])
    settings.MITTO_SENDER = "+306900000002"
    call_command("store", store.email, set=["sender_name="])
    target = make_list(store, 1)
    enqueue.enqueue_campaign(make_campaign(store, target).pk)
    settings.MITTO_SENDER = "ANNA"
    enqueue.enqueue_campaign(make_campaign(store, target).pk)
    first, second = CampaignMessage.objects.order_by("pk").values_list("text", flat=True)
    assert first == "Hello Name0\nReply STOP to opt out"
    assert second.startswith("Hello Name0\nOpt out: http"), "nobody can answer it"


JOINED = [
    "https://a.example/?to={{unsubscribe_link}}",
    "{{unsubscribe_link}}/en",
    "{{unsubscribe_link}}{{first_name}}",
    "Bye{{unsubscribe_link}}",
    "{{unsubscribe_link}}.de",
    "{{unsubscribe_link}} or x{{unsubscribe_link}}",
]
APART = [
    "Bye: {{unsubscribe_link}}",
    "Bye:{{unsubscribe_link}}.",
    "({{unsubscribe_link}})",
    "{{first_name}}\n{{unsubscribe_link}}\nAnna's",
]


@pytest.mark.parametrize("text", JOINED)
def test_an_opt_out_link_that_would_lead_nowhere_is_refused_in_every_form(text, admin_client):
    store = make_store()
    target = make_list(store, 1)
    form = {"owner": store.pk, "name": "x", "message_type": "marketing", "list": target.pk}
    page = admin_client.post("/admin/campaigns/campaign/add/", form | {"message_text": text})
    [error] = page.context["adminform"].form.errors["message_text"]
    assert re.search(r"Put a space (before|after) \{\{unsubscribe_link\}\}", error)
    form = {"owner": store.pk, "type": "welcome_message", "message_type": "marketing"}
    page = admin_client.post("/admin/campaigns/automation/add/", form | {"message_body": text})
    assert page.context["adminform"].form.errors["message_body"] == [error]
    with pytest.raises(CommandError, match="Put a space"):
        call_command("send_campaign", store.email, name="x", text=text, list_name="all")
    with pytest.raises(CommandError, match="Put a space"):
        call_command("automation", "show", store.email, "welcome", text=text)
    assert not Campaign.objects.exists() and not Automation.objects.exists()


@pytest.mark.parametrize("text", JOINED)
def test_a_text_with_such_a_link_is_not_sent(text):
    """Written to the database by other ways than forms and commands."""
    store = make_store()
    campaign = make_campaign(store, make_list(store, 1), message_text=text)
    with pytest.raises(enqueue.CannotStart, match="Put a space"):
        enqueue.enqueue_campaign(campaign.pk)
    assert not CampaignMessage.objects.exists()


@pytest.mark.parametrize("text", APART)
def test_a_text_with_a_link_that_works_gets_no_line(text, admin_client):
    store = make_store()
    target = make_list(store, 1)
    form = {"owner": store.pk, "name": "x", "message_type": "marketing", "list": target.pk}
    admin_client.post("/admin/campaigns/campaign/add/", form | {"message_text": text})
    enqueue.enqueue_campaign(Campaign.objects.get().pk)
    text = CampaignMessage.objects.get().text
    assert text.count("/u/") == 1 and "Opt out" not in text


def test_no_change_of_the_row_leaves_marketing_without_a_way_out():
    store = make_store()
    User.objects.update(opt_out_line="Bye")
    enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    assert "\nOpt out: http" in CampaignMessage.objects.get().text


# What it costs


@pytest.mark.parametrize("line", ["", "x" * 100 + " {{unsubscribe_link}}"])
def test_parts_and_price_count_the_real_line(line):
    """A text that has one part without any line, and two or three with this one."""
    store = make_store(language="fr", opt_out_line=line)
    campaign = make_campaign(store, make_list(store, 3), message_text="x" * 160)
    seen = preview_campaign(campaign)
    enqueue.enqueue_campaign(campaign.pk)
    message = CampaignMessage.objects.all()[0]
    assert seen.characters == len(message.text) == len(seen.text)
    assert seen.parts == message.segments == count_parts(message.text) == 2
    assert seen.credits == CreditReservation.objects.get().held == 6
    longer = make_store("bob", opt_out_line="x" * 138 + " {{unsubscribe_link}}")
    assert preview_campaign(make_campaign(longer, None, message_text="x" * 160)).parts == 3


def test_a_preview_without_a_store_has_the_line_of_the_countries_default(settings):
    settings.DEFAULT_PHONE_REGION = "IT"
    assert "\nDisiscrizione: http" in preview_campaign(Campaign(message_text="Ciao")).text


def test_the_texts_of_a_store_are_set_in_the_admin_and_by_command(admin_client, capsys):
    store = make_store()
    address = f"/admin/astronote/user/{store.pk}/change/"
    form = admin_client.get(address).context["adminform"].form
    fields = {name: v for name, v in form.initial.items() if v not in (None, False, [])}
    fields |= {
        "language": "de",
        "opt_out_line": "Abbestellen: {{unsubscribe_link}}",
        "privacy_notice_url": "anna.example/datenschutz",
        "is_active": "on",
    }
    assert admin_client.post(address, fields).status_code == 302
    store.refresh_from_db()
    assert (store.language, store.opt_out_line) == ("de", "Abbestellen: {{unsubscribe_link}}")
    assert store.privacy_notice_url == "https://anna.example/datenschutz"
    changes = ["language=it", "opt_out_line=", "privacy_notice_url=https://anna.example/privacy"]
    call_command("store", store.email, set=changes)
    store.refresh_from_db()
    assert (store.language, store.opt_out_line) == ("it", "")
    assert store.privacy_notice_url == "https://anna.example/privacy"


def test_a_privacy_notice_is_a_web_address():
    store = make_store()
    with pytest.raises(CommandError, match="valid URL"):
        call_command("store", store.email, set=["privacy_notice_url=javascript:alert(1)"])
    store.refresh_from_db()
    assert store.privacy_notice_url == ""
