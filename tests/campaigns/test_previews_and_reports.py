"""What a campaign would be, how far it is, and what it came to: each figure of its own campaign."""

import csv
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from campaigns import clicks, enqueue, message_csv, reports
from campaigns.models import Campaign, CampaignMessage, OfferViewEvent
from campaigns.preview import preview_campaign
from contacts.models import Contact
from messaging import sending
from messaging.batch_queue import HELD
from messaging.models import Batch, CreditTransaction, ShortLink, Tally
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
PHONE_AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) Mobile/15E148"


@pytest.fixture
def alice():
    return make_store(timezone="Europe/Athens")


@pytest.fixture
def everybody(alice):
    return make_list(alice, 4)


def ago(**span):
    return timezone.now() - timedelta(**span)


def soon(**span):
    return timezone.now() + timedelta(**span)


# Previews


def test_a_preview_shows_the_text_of_somebody_in_the_audience_and_what_it_costs(alice, everybody):
    seen = preview_campaign(make_campaign(alice, everybody, message_text="Hi {{first_name}}"))
    assert seen.text.startswith("Hi Name")
    assert "\nOpt out: http" in seen.text
    assert (seen.characters, seen.parts) == (len(seen.text), 1)
    assert (seen.recipients, seen.credits, seen.available) == (4, 4, 1000)
    assert (seen.problem, seen.notes) == ("", [])


def test_what_is_held_for_other_messages_is_not_available(alice, everybody):
    enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    assert preview_campaign(make_campaign(alice, everybody)).available == 996


def test_without_an_audience_the_sample_is_an_invented_customer(alice):
    seen = preview_campaign(make_campaign(alice, None))
    assert seen.text.startswith("Hello Maria")
    assert "choose a list, or a gender or an age" in seen.problem
    seen = preview_campaign(Campaign(message_text="Hello {{first_name}}"))
    assert seen.text.startswith("Hello Maria")
    assert (seen.recipients, seen.credits, seen.problem) == (None, None, "")


@pytest.mark.parametrize(
    ("store", "text", "problem"),
    [({"billing_hold": True}, "Hi", "billing hold"), ({}, "", "no text yet"),
     ({"balance": 3}, "Hi", "lacks 1 credit:"), ({"balance": 4}, "Hi", ""),
     ({}, "{{offer_link}}", "no offer address"), ({}, "x" * 1500, "takes 11 SMS parts")],
)  # fmt: skip
def test_a_preview_says_why_the_campaign_cannot_go_out(store, text, problem):
    owner = make_store(**store)
    seen = preview_campaign(make_campaign(owner, make_list(owner, 4), message_text=text))
    assert problem in seen.problem
    assert bool(seen.problem) == bool(problem)


def test_a_preview_tells_of_quiet_hours_in_the_stores_own_time(alice, everybody, settings):
    now = timezone.now()
    settings.QUIET_HOURS_ENABLED = True
    settings.QUIET_HOURS_START = (now - timedelta(hours=6)).time()
    end = now + timedelta(hours=6)
    settings.QUIET_HOURS_END = end.time()
    [note] = preview_campaign(make_campaign(alice, everybody)).notes
    assert f"sending begins at {end:%H:%M}" in note
    settings.QUIET_HOURS_ALLOW_SERVICE = True
    assert preview_campaign(make_campaign(alice, everybody, message_type="service")).notes == []


def test_a_preview_tells_of_caps(alice, everybody, settings):
    settings.OWNER_SMS_PER_DAY = 5000
    settings.CONTACT_MARKETING_PER_DAY, settings.CONTACT_MARKETING_PER_WEEK = 3, 7
    assert preview_campaign(make_campaign(alice, everybody)).notes == [
        "At most 5,000 messages of a store are sent per 24 hours; others wait.",
        "Contacts with 3 marketing messages within 24 hours are skipped.",
        "Contacts with 7 marketing messages within 7 days are skipped.",
    ]
    assert len(preview_campaign(make_campaign(alice, everybody, message_type="service")).notes) == 1


# Progress


def progress_of(campaign):
    return reports.progress_of_campaigns(Campaign.objects.filter(pk=campaign.pk))[0]


def test_progress_is_told_by_what_was_settled_within_the_last_minute(alice, everybody, settings):
    settings.SMS_BATCH_SIZE = 1
    campaign = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    other = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    Campaign.objects.update(started_at=ago(minutes=5))
    Campaign.objects.filter(pk=campaign.pk).update(sent=2)
    first, second, *_ = Batch.objects.filter(source_id=campaign.pk).order_by("pk")
    Batch.objects.filter(pk=first.pk).update(status="settled", settled_at=ago(seconds=61))
    Batch.objects.filter(pk=second.pk).update(status="settled", settled_at=ago(seconds=30))
    Batch.objects.create(
        owner=alice,
        kind="automation",
        source_id=campaign.pk,
        sender="x",
        size=600,
        status="settled",
        settled_at=ago(seconds=30),
    )
    seen = progress_of(campaign)
    assert (seen.percent, seen.seconds_left) == (50, 120)
    assert seen.messages_per_second == pytest.approx(1 / 60)
    still = progress_of(other)
    assert (still.percent, still.messages_per_second, still.seconds_left) == (0, None, None)


def test_a_campaign_that_began_just_now_is_measured_from_then(alice, everybody):
    campaign = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    Campaign.objects.update(started_at=ago(seconds=20))
    Batch.objects.update(status="settled", settled_at=timezone.now())
    assert progress_of(campaign).messages_per_second == pytest.approx(0.2, rel=0.4)


@pytest.mark.parametrize(
    ("fields", "says"),
    [({}, ""), ({"block_reason": "no credits"}, "no credits"),
     ({"block_reason": "no credits", "retry_after": datetime(2031, 6, 1, 9, tzinfo=UTC)},
      "no credits; tried again at 1 Jun 2031, 12:00 Europe/Athens")],
)  # fmt: skip
def test_what_a_campaign_waits_for_is_said_by_the_stores_clock(alice, fields, says):
    campaign = make_campaign(alice, None, **fields)
    assert reports.campaign_counters_and_report_as_dict(campaign)["waiting_for"] == says


def test_a_campaign_waits_for_the_batch_that_is_next_to_go_out(alice, everybody, settings):
    settings.SMS_BATCH_SIZE = 2
    campaign = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    first, second = Batch.objects.order_by("pk")
    Batch.objects.filter(pk=first.pk).update(
        not_before=datetime(2031, 6, 1, 9, tzinfo=UTC), waiting_for="quiet hours"
    )
    assert reports.campaign_counters_and_report_as_dict(campaign)["waiting_for"] == "", (
        "another batch may go at once"
    )
    Batch.objects.filter(pk=second.pk).update(
        not_before=datetime(2031, 6, 2, 9, tzinfo=UTC), waiting_for="a cap"
    )
    until = "waiting for quiet hours until 1 Jun 2031, 12:00 Europe/Athens"
    assert reports.campaign_counters_and_report_as_dict(campaign)["waiting_for"] == until
    Campaign.objects.update(status="paused")
    assert reports.campaign_counters_and_report_as_dict(campaign)["waiting_for"] == ""
    Campaign.objects.update(status="sending")
    Batch.objects.update(not_before=HELD)
    assert reports.campaign_counters_and_report_as_dict(campaign)["waiting_for"] == ""
    Batch.objects.update(not_before=ago(minutes=1))
    assert reports.campaign_counters_and_report_as_dict(campaign)["waiting_for"] == ""


# Reports


def test_a_report_is_of_its_own_campaign(alice, everybody, sandbox):
    first = enqueue.enqueue_campaign(make_campaign(alice, everybody, message_text="x" * 300).pk)
    second = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    assert [
        sending.process_next_batch(),
        sending.process_next_batch(),
    ] == ["accepted"] * 2
    for campaign, count in ((first, 3), (second, 5)):
        ShortLink.objects.create(
            owner=alice,
            short_code=f"code{campaign.pk:04}",
            target_url=f"https://a.example/{count}",
            long_url_hash=str(count),
            campaign_id=campaign.pk,
            click_count=count,
        )
        one = CampaignMessage.objects.filter(campaign=campaign)[0]
        for _ in range(2):
            OfferViewEvent.objects.create(campaign_message=one, campaign=campaign, owner=alice)
        Tally.objects.create(
            owner=alice,
            kind="campaign",
            source_id=campaign.pk,
            event="opted_out",
            count=count,
            slot=ago(minutes=1),
        )
    Tally.objects.create(
        owner=alice,
        kind="automation",
        source_id=first.pk,
        event="opted_out",
        count=50,
        slot=ago(minutes=1),
    )
    found = reports.campaign_report(first)
    assert (found.accepted, found.credits, found.opted_out) == (4, 12, 3)
    assert (found.clicks, found.people_who_clicked) == (5, 1)
    assert reports.shared_link_clicks_by_target(first) == [("https://a.example/3", 3)]
    assert reports.campaign_report(second).credits == 4


def test_a_day_of_a_store_ends_at_its_own_midnight(alice):
    bob = make_store("bob")
    campaign = make_campaign(alice, make_list(alice, 1))
    CreditTransaction.objects.all().delete()
    message = enqueue.enqueue_campaign(campaign.pk).campaignmessage_set.get()
    day = date(2031, 6, 2)
    begin = datetime(2031, 6, 1, 21, tzinfo=UTC)
    moments = [begin + timedelta(minutes=minutes) for minutes in (-1, 0, 1439, 1440)]
    for number, at in enumerate(moments):
        for owner in (alice, bob):
            Tally.objects.create(
                owner=owner,
                kind="campaign",
                source_id=owner.pk,
                event="delivered",
                slot=at,
                count=1,
            )
            OfferViewEvent.objects.create(
                campaign_message=message, campaign=campaign, owner=owner, viewed_at=at
            )
            for kind in ("debit", "refund"):
                entry = CreditTransaction.objects.create(
                    owner=owner,
                    type=kind,
                    amount=10,
                    balance_after=0,
                    reason="x",
                    idempotency_key=f"{owner}{kind}{number}",
                )
                CreditTransaction.objects.filter(pk=entry.pk).update(created_at=at)
    [found] = reports.store_report(alice, day, day)
    assert found == reports.StoreDay(day, delivered=2, clicks=2, credits=20)


def test_shared_links_of_a_campaign_begin_with_the_one_most_followed(alice):
    for count in (1, 9, 4):
        ShortLink.objects.create(
            owner=alice,
            short_code=f"code000{count}",
            target_url=str(count),
            long_url_hash=str(count),
            campaign_id=7,
            click_count=count,
        )
    assert [n for _, n in reports.shared_link_clicks_by_target(Campaign(pk=7))] == [9, 4, 1]


def test_a_campaigns_csv_holds_its_own_messages_in_order_of_contacts(alice, everybody):
    first = enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    enqueue.enqueue_campaign(make_campaign(alice, everybody).pk)
    text = "".join(message_csv.stream_message_csv_heading_and_lines(first.pk)).removeprefix(
        "\ufeff"
    )
    rows = list(csv.DictReader(text.splitlines()))
    numbers = Contact.objects.order_by("pk").values_list("phone", flat=True)
    assert [row["to"] for row in rows] == [f"'{number}" for number in numbers]


# Clicks


@pytest.mark.parametrize(
    ("agent", "device"),
    [(PHONE_AGENT, "phone"), ("Mozilla/5.0 (X11; Linux x86_64)", "computer"),
     ("Mozilla/5.0 (Linux; Android 14)", "phone"), ("Googlebot/2.1", "robot"),
     ("curl/8", "robot"), ("python-requests/2", "robot"), ("facebookexternalhit/1.1", "robot"),
     ("", "robot")],
)  # fmt: skip
def test_a_visitor_is_a_phone_a_computer_or_a_program(agent, device):
    assert clicks.device_type_of_user_agent(agent) == device


def test_a_shared_link_that_is_followed_is_counted_with_the_time(alice, client):
    for code in ("abcdefgh", "ijklmnop"):
        ShortLink.objects.create(
            owner=alice, short_code=code, target_url="https://a.example/", long_url_hash=code
        )
    for agent in (PHONE_AGENT, PHONE_AGENT, "curl/8"):
        answer = client.get("/s/abcdefgh", headers={"User-Agent": agent})
        assert answer["Location"] == "https://a.example/"
    followed, other = ShortLink.objects.order_by("short_code")
    assert (followed.click_count, other.click_count) == (2, 0)
    assert followed.last_clicked_at > ago(minutes=1)
    assert other.last_clicked_at is None


def test_a_visit_of_an_offer_is_kept_with_address_and_browser(alice, everybody, client):
    fields = {"offer_url": "https://a.example/offer"}
    enqueue.enqueue_campaign(make_campaign(alice, everybody, **fields).pk)
    message = CampaignMessage.objects.all()[2]
    agent = PHONE_AGENT + "x" * 600
    answer = client.get(
        f"/s/{message.tracking_id}", headers={"User-Agent": agent}, REMOTE_ADDR="192.0.2.9"
    )
    assert answer["Location"] == "https://a.example/offer"
    seen = OfferViewEvent.objects.get()
    assert (seen.campaign_message, seen.campaign, seen.owner) == (message, message.campaign, alice)
    assert (seen.ip_address, seen.user_agent) == ("192.0.2.9", agent[:500])


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_a_link_is_only_looked_at(alice, client, method):
    assert getattr(client, method)("/s/abcdefgh").status_code == 405
