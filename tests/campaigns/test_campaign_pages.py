"""Pages and actions of the admin for campaigns, messages and automations: who may do what."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from astronote.models import AuditEntry, User
from astronote.operations.watchdog import run_watchdog
from campaigns import enqueue
from campaigns.models import Automation, Campaign, CampaignMessage
from messaging import sending
from messaging.models import CreditReservation, Wallet
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/admin/campaigns"


@pytest.fixture
def alice():
    return make_store()


@pytest.fixture
def campaign(alice):
    return make_campaign(alice, make_list(alice, 4))


@pytest.fixture
def viewer(client):
    """A client of somebody who may look at campaigns and messages, and change neither."""
    clerk = User.objects.create_user("clerk@example.com", is_staff=True)
    names = ("view_campaign", "view_campaignmessage", "view_automation")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(clerk)
    return client


def act(client, campaign, name, **fields):
    return client.post(f"{URL}/campaign/{campaign.pk}/do/{name}/", fields)


def test_a_button_does_its_verb_and_keeps_who_pressed_it(campaign, admin_client, admin_user):
    at = f"{timezone.now() + timedelta(days=2):%Y-%m-%dT%H:%M}"
    for name, status, fields in (
        ("schedule", "scheduled", {"at": at}), ("unschedule", "draft", {}),
        ("start", "sending", {}), ("pause", "paused", {}), ("resume", "sending", {}),
        ("cancel", "cancelled", {}),
    ):  # fmt: skip
        act(admin_client, campaign, name, **fields)
        campaign.refresh_from_db()
        assert campaign.status == status
    assert set(AuditEntry.objects.values_list("actor", flat=True)) == {admin_user.pk}
    assert AuditEntry.objects.count() == 6


def test_looking_at_a_question_does_nothing(campaign, admin_client):
    for name in ("start", "schedule", "test", "cancel"):
        answer = admin_client.get(f"{URL}/campaign/{campaign.pk}/do/{name}/")
        assert answer.status_code == 200
        assert (answer.context["preview"] is None) == (name in ("test", "cancel"))
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    assert not AuditEntry.objects.exists()


def test_who_may_only_look_can_do_nothing(campaign, viewer):
    for name in ("start", "schedule", "test", "cancel", "duplicate"):
        assert act(viewer, campaign, name, at="2031-01-01T10:00").status_code == 403
    page = viewer.get(f"{URL}/campaign/{campaign.pk}/change/")
    assert (page.status_code, page.context["campaign_actions"]) == (200, [])
    assert viewer.post(f"{URL}/campaign/preview/", {"message_text": "Hi"}).status_code == 403
    assert Campaign.objects.get().status == "draft"


def test_a_page_offers_what_fits_the_campaigns_state(campaign, admin_client):
    for status, names in {
        "draft": ["start", "schedule", "test", "duplicate"],
        "sending": ["pause", "cancel", "duplicate"],
        "paused": ["resume", "cancel", "duplicate"],
        "completed": ["duplicate"],
        "cancelled": ["duplicate"],
    }.items():
        Campaign.objects.update(status=status)
        page = admin_client.get(f"{URL}/campaign/{campaign.pk}/change/")
        assert [name for name, _ in page.context["campaign_actions"]] == names, status


def test_what_was_started_is_neither_changed_nor_deleted(campaign, admin_client):
    Campaign.objects.update(status="sending")
    admin_client.post(f"{URL}/campaign/{campaign.pk}/change/", {"name": "Autumn"})
    assert (
        admin_client.post(f"{URL}/campaign/{campaign.pk}/delete/", {"post": "yes"}).status_code
        == 403
    )
    assert Campaign.objects.get().name == "Spring"
    Campaign.objects.update(status="draft")
    admin_client.post(f"{URL}/campaign/{campaign.pk}/delete/", {"post": "yes"})
    assert not Campaign.objects.exists()


def test_several_campaigns_are_not_deleted_from_the_list(campaign, admin_client):
    form = {"action": "delete_selected", "_selected_action": [campaign.pk], "post": "yes"}
    admin_client.post(f"{URL}/campaign/", form)
    assert Campaign.objects.exists()


def test_a_refusal_is_said_and_an_unknown_verb_is_no_page(campaign, admin_client):
    page = admin_client.post(f"{URL}/campaign/{campaign.pk}/do/pause/", follow=True)
    assert "is not sending: it is draft" in page.text
    assert act(admin_client, campaign, "explode").status_code == 404


def test_starting_several_asks_first_with_their_cost(campaign, admin_client):
    form = {"action": "start", "_selected_action": [campaign.pk]}
    asked = admin_client.post(f"{URL}/campaign/", form)
    assert [seen.credits for _, seen in asked.context["campaigns_with_previews"]] == [4]
    assert Campaign.objects.get().status == "draft"
    admin_client.post(f"{URL}/campaign/", form | {"confirmed": "1"})
    assert Campaign.objects.get().status == "sending"


# Unknown messages


@pytest.fixture
def unknown(campaign, sandbox):
    """Ids of four messages that Mitto took without an answer."""
    enqueue.enqueue_campaign(campaign.pk)
    sandbox.behave(fault="drop_after")
    sending.process_next_batch()
    return list(CampaignMessage.objects.order_by("pk").values_list("pk", flat=True))


def settle(client, name, ids, **fields):
    form = {"action": name, "_selected_action": ids} | fields
    return client.post(f"{URL}/campaignmessage/", form, follow=True)


def test_marking_delivered_asks_first_and_charges(unknown, admin_client):
    CampaignMessage.objects.filter(pk=unknown[3]).update(status="sent")
    asked = settle(admin_client, "mark_delivered", unknown)
    assert len(asked.context["message_ids"]) == 3, "what is not unknown is left out"
    assert CampaignMessage.objects.filter(status="unknown").count() == 3
    done = settle(admin_client, "mark_delivered", unknown[:1], confirmed="1")
    assert "Unknown: mark delivered: 1 message" in done.text
    assert CampaignMessage.objects.get(status="delivered").pk == unknown[0]
    assert Wallet.objects.get().balance == 999


def test_marking_failed_gives_the_credits_back_at_once(unknown, admin_client):
    settle(admin_client, "mark_failed", unknown[:2])
    assert CampaignMessage.objects.filter(status="failed").count() == 2
    assert Wallet.objects.get().reserved_balance == 2


def test_sending_again_what_the_wallet_cannot_pay_is_refused(unknown, admin_client):
    CreditReservation.objects.update(expires_at=timezone.now())
    run_watchdog()
    Wallet.objects.update(balance=3)
    page = settle(admin_client, "resend", unknown, confirmed="1")
    assert "4 credits are needed and 3 are available" in page.text
    assert CampaignMessage.objects.filter(status="unknown").count() == 4


def test_who_may_only_look_settles_nothing(unknown, viewer):
    for name in ("mark_delivered", "mark_failed", "resend"):
        settle(viewer, name, unknown, confirmed="1")
    assert CampaignMessage.objects.filter(status="unknown").count() == 4


# Automations


def test_an_automation_is_switched_by_post_of_who_may_change_it(alice, admin_client, admin_user):
    mine = Automation.objects.create(owner=alice, type="welcome_message")
    url = f"{URL}/automation/{mine.pk}/switch/"
    assert admin_client.get(url).status_code == 403
    for on in (True, False):
        answer = admin_client.post(url)
        assert answer["Location"].endswith(f"/user/{alice.pk}/change/")
        mine.refresh_from_db()
        assert mine.is_active == on
    assert set(AuditEntry.objects.values_list("actor", flat=True)) == {admin_user.pk}


def test_who_may_only_look_switches_no_automation(alice, viewer):
    mine = Automation.objects.create(owner=alice, type="welcome_message")
    assert viewer.post(f"{URL}/automation/{mine.pk}/switch/").status_code == 403
    mine.refresh_from_db()
    assert not mine.is_active


# Reports


@pytest.mark.parametrize(
    ("query", "days"),
    [("", 30), ("?first=2026-01-01&last=2026-01-10", 10), ("?first=2026-01-10&last=2026-01-01", 10),
     ("?last=2026-03-01", 30), ("?first=2000-01-01&last=2026-01-01", 401), ("?first=nonsense", 30)],
)  # fmt: skip
def test_a_stores_report_shows_the_days_asked_for_and_not_too_many(
    alice, admin_client, query, days
):
    page = admin_client.get(f"{URL}/campaign/stores/{alice.pk}/report/{query}")
    assert len(page.context["days"]) == days
    told = admin_client.get(f"{URL}/campaign/stores/{alice.pk}/report.csv{query}")
    assert len(told.text.splitlines()) == days + 1
    assert told["Content-Disposition"] == f'attachment; filename="store-{alice.pk}.csv"'


def test_a_campaigns_page_leads_to_its_batches(admin_client):
    store = make_store()
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    page = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").text
    [address] = re.findall(r'href="([^"]*batch/\?kind[^"]*)"', page)
    listed = admin_client.get(unescape(address))
    assert listed.status_code == 200
    assert [batch.source_id for batch in listed.context["cl"].result_list] == [campaign.pk]
