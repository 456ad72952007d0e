"""Reports: figures that are right, pages and files that show them."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.http import HttpRequest

from astronote.models import User
from campaigns import enqueue, reports
from campaigns.models import CampaignMessage, OfferViewEvent
from campaigns.reports import (
    CampaignSlot,
    campaign_report,
    delivery_seconds_by_percentile,
    merge_slots_into_chart_points,
    store_report,
)
from contacts.models import Contact
from messaging import outcomes, sending
from messaging.models import Batch, Tally
from messaging.outcomes import Outcome
from messaging.statuses import Reason, advise_on_reason
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign(sandbox):
    """Ten messages: one skipped, six delivered after 4 s to 9 min, two failed, one without word."""
    store = make_store(timezone="Europe/Athens")
    target = make_list(store, 10)
    campaign = enqueue.enqueue_campaign(make_campaign(store, target).pk)
    Contact.objects.filter(phone="+306900000000").update(is_subscribed=False)
    while sending.process_next_batch() != "none due":
        pass
    ids = list(CampaignMessage.objects.filter(status="sent").values_list("pk", flat=True))
    now = CampaignMessage.objects.get(pk=ids[0]).sent_at
    waits = [4, 10, 10, 25, 100, 540]
    outcomes.record_outcomes_and_settle_credits(
        CampaignMessage,
        [
            *(
                Outcome(
                    pk, "delivered", provider_status="delivered", at=now + timedelta(seconds=wait)
                )
                for pk, wait in zip(ids, waits, strict=False)
            ),
            Outcome(ids[6], "failed", None, "21", "", "failure", now),
            Outcome(ids[7], "failed", None, "21", "", "failure", now),
        ],
    )
    campaign.refresh_from_db()
    return campaign


def test_a_campaigns_figures(campaign):
    report = campaign_report(campaign)
    assert (report.accepted, report.delivered, report.credits) == (9, 6, 9)
    assert (report.failed_by_reason, report.skipped_by_reason) == ({"21": 2}, {"opted_out": 1})
    assert report.delivery_rate == pytest.approx(6 / 9)
    assert 8 <= report.delivery_seconds[50] <= 12
    assert 300 <= report.delivery_seconds[99] <= 600
    assert sum(slot.delivered for slot in report.slots) == 6


def test_an_outcome_that_is_revised_is_counted_once(campaign):
    message = CampaignMessage.objects.filter(status="delivered").first()
    later = message.delivered_at + timedelta(hours=1)
    outcomes.record_outcomes_and_settle_credits(
        CampaignMessage, [Outcome(message.pk, "failed", None, "5", "", "failure", later)]
    )
    report = campaign_report(campaign)
    assert (report.delivered, report.failed_by_reason) == (5, {"21": 2, "5": 1})
    assert sum(slot.failed for slot in report.slots) == 3


def test_a_store_sees_its_own_days(campaign):
    today = datetime.now(ZoneInfo("Europe/Athens")).date()
    other = make_store("bella")
    yesterday, day = store_report(campaign.owner, today - timedelta(days=1), today)
    assert yesterday == reports.StoreDay(today - timedelta(days=1))
    assert day.accepted == 9
    assert day.credits == 9
    assert store_report(other, today, today) == [reports.StoreDay(today)]


def test_a_report_by_day_leaves_out_an_event_that_it_has_no_place_for(campaign, monkeypatch):
    other_event = reports.COUNT_STORE_DAYS.replace("event, sum", "'expired', sum")
    monkeypatch.setattr(reports, "COUNT_STORE_DAYS", other_event)
    today = datetime.now(ZoneInfo("Europe/Athens")).date()
    assert store_report(campaign.owner, today, today) == [reports.StoreDay(today, credits=9)]


def test_a_day_begins_at_the_stores_midnight(campaign):
    Tally.objects.all().delete()
    Tally.objects.create(
        owner=campaign.owner,
        kind="campaign",
        source_id=campaign.pk,
        event="delivered",
        count=3,
        slot=datetime(2031, 6, 1, 22, 30, tzinfo=UTC),
    )
    first, second = store_report(campaign.owner, date(2031, 6, 1), date(2031, 6, 2))
    assert (first.delivered, second.delivered) == (0, 3)


def test_percentiles_of_counted_waits():
    assert delivery_seconds_by_percentile(Counter()) == {}
    assert delivery_seconds_by_percentile(Counter({"0": 10})) == {50: 0.5, 90: 0.9, 99: 1.0}
    found = delivery_seconds_by_percentile(
        Counter({"3": 90, "13": 10})
    )  # 3 to 5 s, and 180 to 300 s
    assert 3 <= found[50] <= 5
    assert 180 <= found[99] <= 300


@pytest.mark.parametrize(("hours", "bars"), [(0, 1), (8, 97), (72, 73), (24 * 365, 53)])
def test_a_chart_has_bars_enough_and_not_too_many(hours, bars):
    begin = datetime(2031, 1, 1, tzinfo=UTC)
    slots = [CampaignSlot(begin, 5, 0, 0), CampaignSlot(begin + timedelta(hours=hours), 0, 4, 1)]
    points = merge_slots_into_chart_points(slots, ZoneInfo("UTC"))
    assert len(points) == bars
    assert [sum(values[n] for _, values in points) for n in range(3)] == [5, 4, 1]


def test_reports_by_command(campaign, capsys):
    call_command("campaign_status", campaign.pk, csv=True)
    assert "failed_by_reason,21,2" in capsys.readouterr().out
    call_command("store_report", str(campaign.owner_id))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("day,accepted,delivered")
    assert len(lines) == 31


def test_reports_ask_no_question_per_message(campaign, client, django_assert_max_num_queries):
    User.objects.create_superuser("operator@example.com", "a-long-password")
    client.login(request=HttpRequest(), username="operator@example.com", password="a-long-password")
    for page in (f"{campaign.pk}/change/", f"stores/{campaign.owner_id}/report/"):
        with django_assert_max_num_queries(14):
            answer = client.get(f"/admin/campaigns/campaign/{page}")
        assert answer.status_code == 200


def test_reports_are_for_who_may_see_campaigns(campaign, client):
    User.objects.create_user("clerk@example.com", "a-long-password", is_staff=True)
    client.login(request=HttpRequest(), username="clerk@example.com", password="a-long-password")
    own, store = str(campaign.pk), f"stores/{campaign.owner_id}"
    for page in (
        f"{own}/change/",
        f"{own}/progress/",
        f"{own}/report.csv",
        f"{own}/messages.csv",
        f"{store}/report/",
        f"{store}/report.csv",
    ):
        assert client.get(f"/admin/campaigns/campaign/{page}").status_code == 403, page


def test_an_operator_looks_at_a_campaign_and_its_store(campaign, browser):
    User.objects.create_superuser("operator@example.com", "a-long-password")
    browser.login("operator@example.com", "a-long-password")
    browser.open("/admin/campaigns/campaign/")
    browser.click(campaign.name)
    browser.wait_for("delivered of all messages")
    assert "66.7 %" in browser.text
    browser.wait_until(lambda: browser.drawn_bars() > 0)
    browser.click(str(campaign.owner))
    browser.wait_for("opted out")
    browser.click("Show")
    browser.wait_for("Messages a day")


def test_the_awaiting_count_of_batches_follows(campaign):
    assert Batch.objects.get().awaiting == 1


def test_a_providers_words_are_no_formula_in_the_report():
    words = '=HYPERLINK("http://x.example")'
    line = reports._build_csv_with_escaped_formulas(["reason"], [[words]])
    assert f"'{words[:10]}" in line


def test_the_page_names_the_base_of_each_rate_and_who_was_not_reached(campaign, admin_client):
    page = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/")
    figures = dict(page.context["figures"])
    campaign.refresh_from_db()
    report = campaign_report(campaign)
    of_all, of_accepted = report.delivered / campaign.total, report.delivered / report.accepted
    assert figures["delivered of all messages"] == f"{100 * of_all:.1f} %"
    assert figures["delivered of the accepted"] == f"{100 * of_accepted:.1f} %"
    assert campaign.failed and of_all != of_accepted
    assert f"{campaign.failed} failed, {campaign.unknown} may have been sent" in page.text


def test_a_campaign_with_messages_that_failed_does_not_look_like_a_success(campaign, admin_client):
    address = f"/admin/campaigns/campaign/{campaign.pk}/change/"
    type(campaign).objects.update(status="completed")
    assert "badge green" not in admin_client.get(address).text
    type(campaign).objects.update(failed=0, unknown=0, sent=0, delivered=0, skipped=campaign.total)
    page = admin_client.get(address).text
    assert "badge green" not in page and f"and {campaign.total} were skipped" in page
    type(campaign).objects.update(skipped=1)
    assert "and 1 was skipped" in admin_client.get(address).text
    type(campaign).objects.update(skipped=0)
    page = admin_client.get(address).text
    assert "badge green" in page and "may have been sent" not in page


def test_the_funnel_names_the_base_of_each_rate(campaign, admin_client):
    campaign.offer_url = "https://shop.example/offer"
    campaign.save()
    first = CampaignMessage.objects.filter(status="delivered").first()
    for _ in range(2):
        OfferViewEvent.objects.create(
            campaign_message=first, campaign=campaign, owner=campaign.owner
        )
    page = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/")
    assert [(step.name, step.people, step.rate) for step in page.context["funnel"]] == [
        ("Recipients", 10, ""),
        ("Sent", 9, "90.0 % of the 10 recipients"),
        ("Delivered", 6, "66.7 % of the 9 sent"),
        ("Opened the offer", 1, "11.1 % of the 9 sent"),
        ("Opted out", 0, "0.0 % of the 9 sent"),
    ]
    messages, visits = page.context["charts"]
    assert "Europe/Athens" in messages.title and "Europe/Athens" in visits.title
    sums = [sum(row.values[n] for row in messages.rows) for n in range(3)]
    assert sums == [9, 6, 2]
    assert sum(row.values[0] for row in visits.rows) == 2


def test_each_reason_leads_to_its_messages_and_says_what_to_do(campaign, admin_client):
    page = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/")
    assert "a number that fails again may be out of use" in page.text
    for parameters, count in (
        ("error_code__exact=21", 2),
        ("error_code__exact=opted_out", 1),
        ("trouble=not_reached", 3),
    ):
        address = (
            f"/admin/campaigns/campaignmessage/?campaign__id__exact={campaign.pk}&{parameters}"
        )
        assert address.replace("&", "&amp;") in page.text
        found = admin_client.get(address)
        assert found.context["cl"].result_count == count


def test_every_reason_has_an_advice():
    assert all(advise_on_reason(code).endswith(".") for code in [*Reason.values, "refused_400", ""])
