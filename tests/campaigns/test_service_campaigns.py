"""Service messages: who may write and send them, and when a second person has to agree."""

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from astronote.accounts import roles
from astronote.accounts.eligibility import SendingBlocked
from astronote.models import AuditEntry, User
from campaigns import actions, enqueue, schedule, service_campaigns
from campaigns.automations.switching import switch_automation_and_audit_or_raise
from campaigns.models import (
    AudienceChoice,
    Automation,
    Campaign,
    CampaignMessage,
    Segment,
    ServiceConfirmation,
)
from campaigns.preview import preview_campaign
from campaigns.segment_forms import create_and_audit_segment_or_validation_error
from campaigns.tasks import start_campaign
from contacts.models import Contact, List, ListMembership
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/admin/campaigns"


def make_operator(role, name=None):
    account = User.objects.create_user(f"{name or role}@example.com", is_staff=True)
    account.groups.add(roles.create_or_update_role_group(role))
    return account


@pytest.fixture
def olga():
    """Runs campaigns, and may not send service messages."""
    return make_operator("operator", "olga")


@pytest.fixture
def anna():
    return make_operator("service_operator", "anna")


@pytest.fixture
def ben():
    return make_operator("service_operator", "ben")


@pytest.fixture
def alice():
    return make_store(service_max_recipients=3)


@pytest.fixture
def everybody(alice):
    return make_list(alice, 4)


@pytest.fixture
def small(alice, everybody):
    """A service campaign that one person alone may send."""
    three = List.objects.create(owner=alice, name="three")
    contacts = everybody.listmembership_set.values_list("contact", flat=True)[:3]
    ListMembership.objects.bulk_create(ListMembership(list=three, contact_id=c) for c in contacts)
    return make_campaign(alice, three, message_type="service")


@pytest.fixture
def big(alice, everybody):
    """A service campaign to more recipients than one person alone may decide on."""
    return make_campaign(alice, everybody, message_type="service")


def soon(**span):
    return timezone.now() + timedelta(**(span or {"days": 1}))


def confirm(campaign, *, by):
    service_campaigns.confirm_campaign(campaign, service_campaigns.settings_digest(campaign), by=by)


def form_of(campaign, **fields):
    """What the campaign's form posts."""
    return {
        "owner": campaign.owner_id,
        "name": campaign.name,
        "message_type": campaign.message_type,
        "message_text": campaign.message_text,
        "list": campaign.list_id or "",
    } | fields


def act(client, campaign, name, **fields):
    return client.post(f"{URL}/campaign/{campaign.pk}/do/{name}/", fields, follow=True)


# Who may


@pytest.mark.parametrize(
    ("role", "may"),
    [("viewer", False), ("operator", False), ("service_operator", True), ("administrator", True)],
)
def test_a_role_may_send_service_messages_or_not(role, may):
    account = make_operator(role)
    assert service_campaigns.may_send_message_type("service", account) == may
    assert service_campaigns.may_send_message_type("marketing", account)
    account.is_active = False
    assert not service_campaigns.may_send_message_type("service", account)


def test_a_service_operator_may_nothing_else_that_an_operator_may_not():
    found = set(
        roles.permissions_of_role_or_viewer("service_operator").values_list("codename", flat=True)
    )
    operator = set(
        roles.permissions_of_role_or_viewer("operator").values_list("codename", flat=True)
    )
    assert found - operator == {"send_service"}


def test_a_program_or_the_command_line_alone_may_not_send_service_messages(small):
    for verb in (
        actions.start_now,
        actions.duplicate_as_draft,
    ):
        with pytest.raises(service_campaigns.NotPermitted):
            verb(small, by="command line")
    with pytest.raises(service_campaigns.NotPermitted):
        schedule.schedule_campaign(small, soon(), by="command line")
    small.refresh_from_db()
    assert (small.status, small.block_reason) == ("draft", "")
    assert Campaign.objects.count() == 1 and not AuditEntry.objects.exists()


def test_every_door_is_shut_to_who_may_not(small, olga, anna, client):
    client.force_login(olga)
    at = f"{soon():%Y-%m-%dT%H:%M}"
    for name in ("start", "schedule", "ask", "confirm", "duplicate"):
        assert act(client, small, name, at=at, seen="x").status_code == 403, name
    listed = {"action": "start", "_selected_action": [small.pk], "confirmed": "1"}
    answer = client.post(f"{URL}/campaign/", listed, follow=True)
    assert "need an account that may send them" in answer.text
    page = client.get(f"{URL}/campaign/{small.pk}/change/")
    assert [name for name, _ in page.context["campaign_actions"]] == ["test"]
    assert "only accounts that may send service messages" in page.text
    for fields in ({"message_text": "20% off"}, {"message_type": "marketing"}):
        address = f"{URL}/campaign/{small.pk}/change/"
        assert client.post(address, form_of(small, **fields)).status_code == 403
    small.refresh_from_db()
    assert (small.status, small.message_text) == ("draft", "Hello {{first_name}}")
    assert Campaign.objects.count() == 1 and not AuditEntry.objects.exists()


def test_who_may_not_neither_makes_a_service_campaign_nor_makes_one_of_marketing(
    alice, everybody, olga, anna, client
):
    marketing = make_campaign(alice, everybody)
    to_service = form_of(marketing, message_type="service")
    for address in (f"{URL}/campaign/add/", f"{URL}/campaign/{marketing.pk}/change/"):
        client.force_login(olga)
        page = client.get(address)
        choices = page.context["adminform"].form.fields["message_type"].choices
        assert [value for value, _ in choices] == ["marketing"]
        page = client.post(address, to_service)
        assert "Your account may not send messages of this type." in page.text
    assert Campaign.objects.get().message_type == "marketing"
    client.force_login(anna)
    client.post(f"{URL}/campaign/{marketing.pk}/change/", to_service)
    client.post(f"{URL}/campaign/add/", to_service)
    assert list(Campaign.objects.values_list("message_type", flat=True)) == ["service", "service"]


def test_a_running_service_campaign_is_stopped_by_anybody_who_runs_campaigns(small, olga, anna):
    actions.start_now(small, by=anna)
    actions.pause_campaign(small, by=olga)
    actions.cancel_campaign(small, by=olga)
    assert Campaign.objects.get().status == "cancelled"


def test_a_campaign_that_became_service_meanwhile_is_refused_too(small, olga):
    seen = Campaign.objects.get()
    seen.message_type = "marketing"
    with pytest.raises(service_campaigns.NotPermitted):
        actions.start_now(seen, by=olga)
    with pytest.raises(service_campaigns.NotPermitted):
        schedule.schedule_campaign(seen, soon(), by=olga)
    small.refresh_from_db()
    assert (small.status, small.block_reason) == ("draft", "")


def test_the_commands_name_an_operator_who_may(small, olga, anna, capsys):
    for by in (None, olga.email):
        with pytest.raises(CommandError, match="need an account that may send them"):
            call_command("campaign", "start", small.pk, by=by)
    with pytest.raises(CommandError, match="no active operator"):
        call_command("campaign", "start", small.pk, by=small.owner.email)
    call_command("campaign", "start", small.pk, by=anna.email, json=True)
    assert json.loads(capsys.readouterr().out)["status"] == "sending"
    assert AuditEntry.objects.get(action="start").actor == anna


def test_the_command_that_sends_makes_no_service_campaign_for_who_may_not(
    alice, everybody, olga, anna
):
    told = {"name": "Ready", "text": "Your order is ready", "type": "service", "gender": "female"}
    for by in (None, olga.email):
        with pytest.raises(CommandError, match="need an account that may send them"):
            call_command("send_campaign", alice.email, by=by, **told)
    assert not Campaign.objects.exists()
    with pytest.raises(CommandError, match="nobody in the audience"):
        call_command("send_campaign", alice.email, by=anna.email, **told)
    assert Campaign.objects.get().created_by == anna


def test_an_automation_of_service_messages_is_written_and_switched_on_by_who_may(
    alice, olga, anna, client
):
    mine = Automation.objects.create(
        owner=alice, type="welcome_message", message_body="Hi", message_type="service"
    )
    with pytest.raises(service_campaigns.NotPermitted):
        switch_automation_and_audit_or_raise(mine, True, by=olga)
    with pytest.raises(CommandError, match="need an account that may send them"):
        call_command("automation", "on", alice.email, "welcome")
    with pytest.raises(CommandError, match="need an account that may send them"):
        call_command("automation", "show", alice.email, "welcome", text="20% off", by=olga.email)
    client.force_login(olga)
    page = client.post(f"{URL}/automation/{mine.pk}/switch/", follow=True)
    assert "need an account that may send them" in page.text
    form = {"owner": alice.pk, "type": "welcome_message", "message_body": "20% off"}
    address = f"{URL}/automation/{mine.pk}/change/"
    assert client.post(address, form | {"message_type": "service"}).status_code == 403
    page = client.post(
        f"{URL}/automation/add/", form | {"type": "birthday_message", "message_type": "service"}
    )
    assert "Your account may not send messages of this type." in page.text
    mine.refresh_from_db()
    assert (mine.is_active, mine.message_body) == (False, "Hi")
    assert Automation.objects.count() == 1
    client.force_login(anna)
    client.post(f"{URL}/automation/{mine.pk}/switch/")
    mine.refresh_from_db()
    assert mine.is_active
    assert AuditEntry.objects.get().details == {"message_type": "service"}
    switch_automation_and_audit_or_raise(mine, False, by=olga)
    mine.refresh_from_db()
    assert not mine.is_active, "stopping it needs no permission"


@pytest.mark.parametrize("address", ["campaign/add/", "campaign/{}/change/", "automation/add/"])
def test_the_form_says_beside_the_choice_what_each_type_means(address, big, anna, client):
    client.force_login(anna)
    page = client.get(f"{URL}/{address.format(big.pk)}")
    help_text = page.context["adminform"].form.fields["message_type"].help_text
    assert help_text.startswith("Marketing: anything that promotes the store")
    assert "Service: what customers must know about an order" in help_text
    assert help_text.count(".") == 2, "one sentence each"
    choice = page.text.index('id="id_message_type"')
    between = page.text[choice : page.text.index(help_text)]
    assert "<select" not in between and "<textarea" not in between


# The audit trail


def test_the_audit_trail_says_type_size_and_who(small, anna):
    at = soon()
    schedule.schedule_campaign(small, at, by=anna)
    actions.start_now(small, by=anna)
    kept = AuditEntry.objects.order_by("pk").values_list("action", "actor", "details")
    told = {"message_type": "service", "recipients": 3}
    assert list(kept) == [
        ("schedule", anna.pk, {"at": at.isoformat()} | told),
        ("start", anna.pk, {"messages": 3} | told),
    ]


def test_a_start_at_its_time_is_in_the_audit_trail_as_the_schedulers(small, anna):
    schedule.schedule_campaign(small, soon(), by=anna)
    Campaign.objects.update(scheduled_at=timezone.now())
    assert start_campaign(small.pk) == "sending"
    entry = AuditEntry.objects.get(action="start")
    assert (entry.actor_name, entry.subject) == ("scheduler", f"campaign {small.pk}")
    assert entry.details == {"message_type": "service", "recipients": 3, "messages": 3}


# A second person


def test_without_a_second_person_it_goes_to_no_more_than_the_store_allows(big, small, anna):
    actions.start_now(small, by=anna)
    for start in (
        lambda: actions.start_now(big, by=anna),
        lambda: schedule.schedule_campaign(big, soon(), by=anna),
        lambda: enqueue.enqueue_campaign(big.pk),
    ):
        with pytest.raises(SendingBlocked, match=r"second person must confirm .* more than 3 "):
            start()
    big.refresh_from_db()
    assert (big.status, big.block_reason[:15]) == ("draft", "a second person")
    assert CampaignMessage.objects.count() == 3
    assert "second person must confirm" in preview_campaign(big).problem
    assert preview_campaign(small).problem == ""


def test_marketing_needs_no_second_person(alice, everybody, olga):
    campaign = make_campaign(alice, everybody)
    assert preview_campaign(campaign).problem == ""
    actions.start_now(campaign, by=olga)
    assert CampaignMessage.objects.count() == 4


def test_a_second_person_confirms_and_it_starts(big, anna, ben):
    service_campaigns.ask_for_confirmation(big, by=anna)
    with pytest.raises(SendingBlocked):
        actions.start_now(big, by=anna)
    confirm(big, by=ben)
    found = ServiceConfirmation.objects.get()
    assert (found.asked_by, found.confirmed_by) == (anna, ben)
    assert abs(found.confirmed_at - timezone.now()) < timedelta(minutes=1)
    actions.start_now(big, by=anna)
    assert CampaignMessage.objects.count() == 4
    kept = AuditEntry.objects.order_by("pk").values_list("action", "actor", "details")
    told = {"message_type": "service", "recipients": 4}
    assert list(kept) == [
        ("ask for confirmation", anna.pk, told),
        ("start refused", anna.pk, {}),
        ("confirm", ben.pk, {"asked_by": anna.pk} | told),
        ("start", anna.pk, {"messages": 4} | told),
    ]


def test_who_asked_does_not_confirm(big, anna):
    service_campaigns.ask_for_confirmation(big, by=anna)
    with pytest.raises(ValueError, match="this account has asked"):
        confirm(big, by=anna)
    request = ServiceConfirmation.objects.filter(confirmed_by=None)
    with pytest.raises(IntegrityError, match="by_second_person"), transaction.atomic():
        request.update(confirmed_by=anna, confirmed_at=timezone.now())
    assert request.exists()


def test_who_may_not_send_service_messages_neither_asks_nor_confirms(big, olga, anna):
    with pytest.raises(service_campaigns.NotPermitted):
        service_campaigns.ask_for_confirmation(big, by=olga)
    service_campaigns.ask_for_confirmation(big, by=anna)
    for by in (olga, "command line"):
        with pytest.raises(service_campaigns.NotPermitted):
            confirm(big, by=by)
    assert ServiceConfirmation.objects.get().confirmed_by is None


def test_what_nobody_asked_for_is_not_confirmed(big, small, alice, everybody, anna, ben):
    with pytest.raises(ValueError, match="nobody asked"):
        confirm(big, by=ben)
    for campaign in (small, make_campaign(alice, everybody)):
        with pytest.raises(ValueError, match="needs no confirmation"):
            service_campaigns.ask_for_confirmation(campaign, by=anna)
    actions.start_now(small, by=anna)
    with pytest.raises(ValueError, match="started already"):
        service_campaigns.ask_for_confirmation(small, by=anna)


def test_a_confirmation_that_holds_is_not_asked_for_again(big, anna, ben):
    service_campaigns.ask_for_confirmation(big, by=anna)
    confirm(big, by=ben)
    with pytest.raises(ValueError, match="needs no confirmation"):
        service_campaigns.ask_for_confirmation(big, by=ben)
    assert ServiceConfirmation.objects.get().confirmed_by == ben


@pytest.mark.parametrize("changed", ["message_text", "offer_url", "list", "filters"])
def test_a_change_of_text_or_audience_ends_the_confirmation(changed, big, alice, anna, ben):
    service_campaigns.ask_for_confirmation(big, by=anna)
    confirm(big, by=ben)
    other = make_list(make_store("bob"), 0)
    before = Campaign.objects.filter(pk=big.pk).values()[0]
    changes = {
        "message_text": {"message_text": "20% off"},
        "offer_url": {"offer_url": "https://shop.example/offer"},
        "list": {"list": other},
        "filters": {"list": None, "filter_gender": "female"},
    }[changed]
    Campaign.objects.filter(pk=big.pk).update(**changes)
    big.refresh_from_db()
    assert service_campaigns.recipient_limit_unless_confirmed(big) == 3
    with pytest.raises(ValueError, match="nobody asked"):
        confirm(big, by=ben)
    Campaign.objects.filter(pk=big.pk).update(**before | {"name": "A new name"})
    big.refresh_from_db()
    assert service_campaigns.recipient_limit_unless_confirmed(big) is None


def test_a_segment_that_gets_other_conditions_ends_the_confirmation(alice, everybody, anna, ben):
    Contact.objects.update(gender="female")
    segment = create_and_audit_segment_or_validation_error(
        alice, "women", {"gender": "female"}, by="test"
    )
    campaign = Campaign(
        owner=alice, created_by=alice, name="x", message_text="Hello", message_type="service"
    )
    campaign.choose_audience([AudienceChoice(segment=segment)])
    campaign.save()
    service_campaigns.ask_for_confirmation(campaign, by=anna)
    confirm(campaign, by=ben)
    assert service_campaigns.recipient_limit_unless_confirmed(campaign) is None
    other = create_and_audit_segment_or_validation_error(
        alice, "men", {"gender": "male"}, by="test"
    )
    Segment.objects.filter(pk=segment.pk).update(conditions=other.conditions)
    campaign = Campaign.objects.get()
    assert service_campaigns.recipient_limit_unless_confirmed(campaign) == 3


def test_a_text_that_was_changed_while_somebody_looked_is_not_confirmed(big, anna, ben):
    service_campaigns.ask_for_confirmation(big, by=anna)
    seen = service_campaigns.settings_digest(big)
    Campaign.objects.update(message_text="20% off")
    service_campaigns.ask_for_confirmation(big, by=anna)
    with pytest.raises(ValueError, match="changed meanwhile"):
        service_campaigns.confirm_campaign(big, seen, by=ben)
    assert ServiceConfirmation.objects.get().confirmed_by is None


def test_a_scheduled_campaign_whose_audience_grew_waits_for_a_second_person(
    small, everybody, anna, ben
):
    schedule.schedule_campaign(small, soon(), by=anna)
    Campaign.objects.update(scheduled_at=timezone.now() - timedelta(minutes=5))
    fourth = everybody.listmembership_set.order_by("-contact")[0].contact
    ListMembership.objects.create(list=small.list, contact=fourth)
    assert start_campaign(small.pk) == "blocked"
    small.refresh_from_db()
    assert (small.status, small.retry_after > timezone.now()) == ("scheduled", True)
    assert not CampaignMessage.objects.exists()
    service_campaigns.ask_for_confirmation(small, by=anna)
    confirm(small, by=ben)
    assert list(schedule.due_campaigns()) == [small]
    assert start_campaign(small.pk) == "sending"
    assert CampaignMessage.objects.count() == 4


def test_a_confirmed_campaign_is_scheduled_and_starts_unless_it_is_changed(big, anna, ben):
    service_campaigns.ask_for_confirmation(big, by=anna)
    confirm(big, by=ben)
    schedule.schedule_campaign(big, soon(), by=ben)
    Campaign.objects.update(scheduled_at=timezone.now(), message_text="20% off")
    assert start_campaign(big.pk) == "blocked"
    Campaign.objects.update(retry_after=None, message_text=big.message_text)
    assert start_campaign(big.pk) == "sending"


def test_the_command_asks_and_confirms(big, anna, ben, capsys):
    call_command("campaign", "ask", big.pk, by=anna.email)
    with pytest.raises(CommandError, match="this account has asked"):
        call_command("campaign", "confirm", big.pk, by=anna.email)
    call_command("campaign", "confirm", big.pk, by=ben.email)
    call_command("campaign", "start", big.pk, by=anna.email)
    assert Campaign.objects.get().status == "sending"


def test_the_page_offers_the_confirmation_to_a_second_person_only(big, anna, ben, client):
    address = f"{URL}/campaign/{big.pk}/change/"
    offered = []
    for account in (anna, ben):
        client.force_login(account)
        offered.append([name for name, _ in client.get(address).context["campaign_actions"]])
    assert offered == [["start", "schedule", "ask", "test", "duplicate"]] * 2
    client.force_login(anna)
    act(client, big, "ask")
    page = client.get(address)
    names = [name for name, _ in page.context["campaign_actions"]]
    assert "confirm" not in names and "ask" not in names
    assert "anna@example.com asked for its confirmation; a second person must give it" in page.text
    client.force_login(ben)
    assert "confirm" in [name for name, _ in client.get(address).context["campaign_actions"]]
    question = client.get(f"{URL}/campaign/{big.pk}/do/confirm/")
    assert "holds no advertising" in question.text
    assert "Audience: the list all." in question.text
    page = act(client, big, "confirm", seen=question.context["form"]["seen"].value())
    assert "ben@example.com confirmed it at" in page.text
    preview = f"{URL}/campaign/preview/?campaign={big.pk}"
    assert client.post(preview, form_of(big)).context["preview"].problem == ""
    changed = client.post(preview, form_of(big, message_text="20% off"))
    assert "second person must confirm" in changed.context["preview"].problem


# The store's limit


def test_only_an_administrator_changes_the_limit_of_a_store(alice, anna, client):
    address = f"/admin/astronote/user/{alice.pk}/change/"
    for role, limit in (("service_operator", 3), ("administrator", 9000)):
        account = anna if role == "service_operator" else make_operator(role)
        client.force_login(account)
        form = client.get(address).context["adminform"].form
        fields = {name: v for name, v in form.initial.items() if v not in (None, False, [])}
        fields |= {"service_max_recipients": 9000, "company": role, "is_active": "on"}
        assert client.post(address, fields).status_code == 302
        alice.refresh_from_db()
        assert (alice.company, alice.service_max_recipients) == (role, limit)
    entry = AuditEntry.objects.get(action="service limit changed")
    assert (entry.actor, entry.owner) == (account, alice)
    assert entry.details == {"service_max_recipients": 9000}
    with pytest.raises(CommandError, match="use SETTING=VALUE"):
        call_command("store", alice.email, set=["service_max_recipients=9000"])


def test_a_store_allows_five_hundred_unless_told_otherwise():
    assert make_store().service_max_recipients == 500
