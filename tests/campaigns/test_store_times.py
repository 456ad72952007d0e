"""Times on the screens: in the store's time zone, with its name, never beside those of another."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaigns import actions, enqueue, schedule
from campaigns.models import Campaign, CampaignMessage
from tests.support.factories import make_campaign, make_contact, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
ZONE = "Pacific/Kiritimati"


@pytest.fixture
def store():
    return make_store(timezone=ZONE)


def shown(moment):
    return moment.astimezone(ZoneInfo(ZONE))


@pytest.fixture
def at():
    """Tomorrow at noon UTC, when it is the day after in Kiritimati."""
    tomorrow = timezone.now() + timedelta(days=1)
    return tomorrow.replace(hour=12, minute=34, second=0, microsecond=0)


def test_the_pages_of_a_scheduled_campaign_show_the_stores_time_and_no_other(
    store, at, admin_client
):
    campaign = make_campaign(store, make_list(store, 1))
    schedule.schedule_campaign(campaign, at, by="test")
    page = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").text
    assert f"for {shown(at).day} {shown(at):%b %Y}, 02:34 {ZONE}" in page
    assert f"Times: {ZONE}" in page
    assert "12:34" not in page and "UTC" not in page
    listed = admin_client.get("/admin/campaigns/campaign/").text
    assert f"{shown(at).day} {shown(at):%b %Y}, 02:34 +14" in listed
    assert "12:34" not in listed and "UTC" not in listed


def test_the_page_and_live_part_of_a_started_campaign_show_the_stores_time(store, at, admin_client):
    campaign = enqueue.enqueue_campaign(make_campaign(store, make_list(store, 1)).pk)
    Campaign.objects.filter(pk=campaign.pk).update(started_at=at)
    for address in ("change/", "progress/"):
        page = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/{address}").text
        assert f"{shown(at).day} {shown(at):%b %Y}, 02:34 +14" in page
        assert "UTC" not in page


def test_the_pages_of_a_store_and_of_its_contacts_name_its_zone(store, admin_client):
    contact = make_contact(store)
    for address in (
        f"astronote/user/{store.pk}/change/",
        f"contacts/contact/{contact.pk}/change/",
        f"campaigns/campaign/stores/{store.pk}/report/",
    ):
        page = admin_client.get(f"/admin/{address}").text
        assert f"Times: {ZONE}" in page and "Times: UTC" not in page


def test_pages_of_all_stores_are_in_utc_also_after_a_page_of_one(store, admin_client):
    admin_client.get(f"/admin/astronote/user/{store.pk}/change/")
    assert "Times: UTC" in admin_client.get("/admin/").text


def test_each_time_in_a_list_of_all_stores_names_the_zone_of_its_store(store, admin_client):
    written = timezone.now().replace(hour=12, minute=34)
    for other in (store, make_store("bob", timezone="Europe/Athens"), make_store("carl")):
        message = CampaignMessage.objects.filter(
            campaign=enqueue.enqueue_campaign(make_campaign(other, make_list(other, 1)).pk)
        )
        message.update(sent_at=written)
    page = admin_client.get("/admin/campaigns/campaignmessage/").text
    assert "02:34 +14" in page and "12:34 UTC" in page and re.search(r"1[45]:34 EES?T", page)
    assert "Times:" not in page


def test_a_time_that_has_passed_is_refused_in_the_stores_time(store):
    campaign = make_campaign(store, make_list(store, 1))
    passed = datetime(timezone.now().year - 1, 1, 1, 12, 0, tzinfo=UTC)
    with pytest.raises(ValueError, match=f"^2 Jan {passed.year}, 02:00 {ZONE} has passed"):
        schedule.schedule_campaign(campaign, passed, by="test")


def next_change(zone_name, *, forward):
    """The local time at which clocks next go forward or back in a zone."""
    zone, moment = ZoneInfo(zone_name), timezone.now() + timedelta(days=1)
    while True:
        later = moment + timedelta(minutes=15)
        before, after = (at.astimezone(zone).utcoffset() for at in (moment, later))
        if (after > before) if forward else (after < before):
            break
        moment = later.replace(minute=later.minute // 15 * 15, second=0, microsecond=0)
    return moment.astimezone(zone).replace(tzinfo=None)


@pytest.mark.parametrize(("forward", "why"), [(True, "does not exist"), (False, "comes twice")])
def test_the_form_asks_again_for_a_time_that_clocks_skip_or_show_twice(admin_client, forward, why):
    store = make_store(timezone="Europe/Athens")
    campaign = make_campaign(store, make_list(store, 1))
    edge = next_change("Europe/Athens", forward=forward)
    wrong = (edge + timedelta(minutes=45)).replace(minute=30) - timedelta(hours=0 if forward else 1)
    wrong = wrong.replace(hour=3)
    address = f"/admin/campaigns/campaign/{campaign.pk}/do/schedule/"
    asked = admin_client.post(address, {"at": f"{wrong:%Y-%m-%dT%H:%M}"})
    assert asked.status_code == 200, "the form is shown again"
    assert f"{why} in Europe/Athens" in asked.text
    assert f'value="{wrong:%Y-%m-%dT%H:%M}"' in asked.text, "what was entered stays"
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    right = wrong.replace(hour=5)
    admin_client.post(address, {"at": f"{right:%Y-%m-%dT%H:%M}"})
    campaign.refresh_from_db()
    assert campaign.scheduled_at == right.replace(tzinfo=ZoneInfo("Europe/Athens"))


@pytest.mark.parametrize(("place", "offset"), [(0, 3), (1, 2)])
def test_the_form_offers_both_readings_of_a_time_that_comes_twice(admin_client, place, offset):
    store = make_store(timezone="Europe/Athens")
    campaign = make_campaign(store, make_list(store, 1))
    twice = next_change("Europe/Athens", forward=False).replace(hour=3, minute=30)
    address = f"/admin/campaigns/campaign/{campaign.pk}/do/schedule/"
    asked = admin_client.post(address, {"at": f"{twice:%Y-%m-%dT%H:%M}"}).text
    assert "the first, 03:30 EEST (UTC+03:00)" in asked
    assert "the second, 03:30 EET (UTC+02:00)" in asked
    reading = re.findall(r'name="reading" value="([^"]+)"', asked)[place]
    admin_client.post(address, {"at": f"{twice:%Y-%m-%dT%H:%M}", "reading": reading})
    campaign.refresh_from_db()
    assert campaign.scheduled_at == twice.replace(tzinfo=timezone.get_fixed_timezone(offset * 60))
    page = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").text
    assert f"03:30 Europe/Athens (UTC+0{offset}:00)" in page, "which of the two stays visible"
    listed = admin_client.get("/admin/campaigns/campaign/").text
    assert f"03:30 {'EEST' if offset == 3 else 'EET'}" in listed


@pytest.mark.parametrize("offset", ["+14:00", "Z", "-03:30"])
def test_an_offset_counts_in_the_form_as_in_the_command(admin_client, offset):
    store = make_store(timezone="Europe/Athens")
    at = f"{timezone.now() + timedelta(days=30):%Y-%m-%d}T10:00{offset}"
    starts = set()
    for schedule_by in ("form", "command"):
        campaign = make_campaign(store, make_list(store, 0, name=schedule_by))
        if schedule_by == "form":
            address = f"/admin/campaigns/campaign/{campaign.pk}/do/schedule/"
            admin_client.post(address, {"at": at})
        else:
            call_command("campaign", "schedule", str(campaign.pk), f"--at={at}")
        campaign.refresh_from_db()
        starts.add(campaign.scheduled_at)
    assert starts == {datetime.fromisoformat(at)}


def test_a_day_without_a_time_is_asked_about(admin_client):
    campaign = make_campaign(make_store(), None, to_everybody=True)
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%d}"
    address = f"/admin/campaigns/campaign/{campaign.pk}/do/schedule/"
    asked = admin_client.post(address, {"at": tomorrow}).text
    assert f"{tomorrow} is no day with a time: write it as" in asked
    campaign.refresh_from_db()
    assert campaign.status == "draft"


def test_a_reading_of_another_time_is_not_taken(admin_client):
    store = make_store(timezone="Europe/Athens")
    campaign = make_campaign(store, make_list(store, 1))
    twice = next_change("Europe/Athens", forward=False).replace(hour=3, minute=30)
    posted = {"at": f"{twice:%Y-%m-%dT%H:%M}", "reading": f"{twice:%Y-%m-%d}T03:10:00+02:00"}
    asked = admin_client.post(f"/admin/campaigns/campaign/{campaign.pk}/do/schedule/", posted)
    assert "choose which" in asked.text
    campaign.refresh_from_db()
    assert campaign.status == "draft"


@pytest.mark.slow
@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Kiritimati", "Europe/Athens"])
@pytest.mark.parametrize(
    "at", ["9999-12-31T23:59", "0001-01-01T00:00", "2026-02-30T10:00", "x", ""]
)
def test_a_time_that_cannot_be_meant_is_refused_by_form_and_command(admin_client, zone, at):
    store = make_store(timezone=zone)
    campaign = make_campaign(store, make_list(store, 1))
    address = f"/admin/campaigns/campaign/{campaign.pk}/do/schedule/"
    asked = admin_client.post(address, {"at": at})
    assert asked.status_code == 200 and '<span class="alert">' in asked.text
    for offset in ("", "+14:00", "-12:00"):
        with pytest.raises(CommandError):
            call_command("campaign", "schedule", str(campaign.pk), f"--at={at}{offset}")
    campaign.refresh_from_db()
    assert (campaign.status, campaign.scheduled_at) == ("draft", None)
    assert admin_client.get("/admin/campaigns/campaign/").status_code == 200


def test_a_reason_for_waiting_names_the_zone(store, admin_client, settings):
    campaign = make_campaign(store, make_list(store, 1))
    Campaign.objects.filter(pk=campaign.pk).update(
        status="scheduled", scheduled_at=timezone.now(), block_reason="no credits",
        retry_after=timezone.now() + timedelta(minutes=30),
    )  # fmt: skip
    page = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").text
    assert re.search(rf"tried again at (\S+ )?\d\d:\d\d {ZONE}", page)
    actions.cancel_campaign(campaign, by="test")
