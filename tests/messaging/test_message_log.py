"""The log of messages of all kinds: filters, paging to the end, its CSV file, and its plans."""

import csv
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from astronote.common.sql import rows
from astronote.models import AuditEntry, User
from campaigns.models import Automation, AutomationMessage, CampaignMessage
from messaging import message_log, sending
from messaging.direct_messages import get_or_enqueue_direct_message
from messaging.message_log import LogFilter, build_page_sql, iter_entries, read_page
from messaging.models import Batch
from tests.support.factories import make_campaign, make_contact, make_list, make_store
from tests.support.volume import make_big_list

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def batch_at(store, kind, size, *, days_ago=0, **fields):
    at = NOW - timedelta(days=days_ago)
    fields = {"status": "settled", "submitted_at": at} | fields
    return Batch.objects.create(
        owner=store, kind=kind, size=size, sender="TESTSHOP", created_at=at, **fields
    )


def write_campaign_messages(store, size, *, batch=None, name="all", **fields):
    campaign = make_campaign(store, None, name=name)
    target = make_list(store, size, name=name) if not store.contact_set.exists() else None
    contacts = [one.contact for one in target.listmembership_set.select_related("contact")] if (
        target
    ) else list(store.contact_set.order_by("pk")[:size])  # fmt: skip
    fields = {"text": "Hi", "segments": 1, "status": "delivered"} | fields
    return CampaignMessage.objects.bulk_create(
        CampaignMessage(
            owner=store, campaign=campaign, batch=batch, contact=contact, to=contact.phone,
            tracking_id=f"{name}{n:06}", **fields,
        )
        for n, contact in enumerate(contacts)
    )  # fmt: skip


@pytest.fixture
def stores():
    """Alice's campaign of three, one of them skipped unsent; her welcome; Bob's campaign of two."""
    alice, bob = make_store(company="Alice's"), make_store("bob", company="Bob's")
    sent = batch_at(alice, "campaign", 2, days_ago=3)
    first, second, third = write_campaign_messages(alice, 3, batch=sent, name="alice")
    CampaignMessage.objects.filter(pk=second.pk).update(status="failed", error_code="undelivered")
    CampaignMessage.objects.filter(pk=third.pk).update(
        batch=None, status="skipped", error_code="contact_cap", created_at=NOW - timedelta(days=2)
    )
    automation = Automation.objects.create(owner=alice, type="welcome_message")
    AutomationMessage.objects.create(
        owner=alice, automation=automation, batch=batch_at(alice, "automation", 1), text="Welcome",
        contact=first.contact, to=first.to, segments=1, tracking_id="welcome", status="sent",
    )  # fmt: skip
    Batch.objects.filter(kind="automation").update(awaiting=1)
    write_campaign_messages(bob, 2, batch=batch_at(bob, "campaign", 2, days_ago=1), name="bob")
    return alice, bob


def shown(chosen):
    return [(entry.kind, entry.status) for entry in read_page(chosen)]


def test_messages_of_all_kinds_come_newest_first(stores):
    alice, _ = stores
    assert shown(LogFilter(alice)) == [
        ("automation", "sent"),
        ("campaign", "skipped"),
        ("campaign", "failed"),
        ("campaign", "delivered"),
    ]
    assert len(read_page(LogFilter())) == 6


def test_a_message_that_waits_is_listed_by_when_it_was_written():
    store = make_store()
    get_or_enqueue_direct_message(store, "+306900000001", "Hello", key="test")
    assert shown(LogFilter(store)) == shown(LogFilter(status="queued")) == [("direct", "queued")]
    assert sending.claim_next_batch()
    assert shown(LogFilter(store, status="queued")) == [("direct", "queued")]


@pytest.mark.parametrize("status", ["sent", "delivered", "failed", "skipped", "unknown", "queued"])
def test_the_filter_by_status_finds_what_has_it(stores, status):
    alice, _ = stores
    whole = [one for one in shown(LogFilter(alice)) if one[1] == status]
    assert shown(LogFilter(alice, status=status)) == whole


def test_the_log_of_a_store_has_nothing_of_another(stores):
    alice, bob = stores
    for store in stores:
        assert {entry.owner_id for entry in iter_entries(LogFilter(store))} == {store.pk}
    number = "690 000 0000"
    assert [one.owner_id for one in read_page(LogFilter(bob, number=number))] == [bob.pk]


def test_a_number_is_found_in_any_form_in_all_kinds(stores):
    alice, _ = stores
    found = read_page(LogFilter(alice, number="0030 690-000-0000"))
    assert [(one.kind, one.to) for one in found] == [
        ("automation", "+306900000000"),
        ("campaign", "+306900000000"),
    ]
    assert read_page(LogFilter(alice, number="nobody")) == []


def test_days_are_those_of_the_stores_clock(stores):
    alice, _ = stores
    alice.timezone = "Pacific/Kiritimati"
    at = (NOW - timedelta(days=3)).astimezone(timezone.get_fixed_timezone(14 * 60)).date()
    assert len(read_page(LogFilter(alice, first=at, last=at))) == 2
    assert read_page(LogFilter(alice, first=at - timedelta(days=2), last=at - timedelta(1))) == []


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("chosen", [{}, {"number": "+306900000000"}, {"status": "delivered"}])
def test_paging_to_the_end_shows_each_message_once(stores, monkeypatch, size, chosen):
    alice, _ = stores
    # Skipped in one transaction: they have the same time, as do others of a batch.
    write_campaign_messages(
        alice, 3, name="late", status="skipped", error_code="contact_cap", created_at=NOW
    )
    monkeypatch.setattr(message_log, "CSV_PAGE_ROWS", size)
    found = [(one.kind, one.id) for one in iter_entries(LogFilter(**chosen))]
    whole = [(one.kind, one.id) for one in read_page(LogFilter(**chosen))]
    assert found == whole and len(set(found)) == len(found) > 2


def test_the_csv_file_has_every_message_and_runs_no_formula(stores, admin_client):
    alice, _ = stores
    CampaignMessage.objects.filter(owner=alice).update(text="=1+1")
    answer = admin_client.get(f"/admin/messaging/directmessage/log.csv?store={alice.email}")
    text = answer.getvalue().decode("utf-8-sig")
    lines = list(csv.DictReader(text.splitlines()))
    assert len(lines) == 4 and {line["text"] for line in lines} == {"Welcome", "'=1+1"}
    assert AuditEntry.objects.get(action="messages exported").owner_id == alice.pk


def test_the_command_prints_what_the_page_shows(stores, capsys):
    call_command("message_log", store="alice@example.com", status="failed")
    lines = list(csv.DictReader(capsys.readouterr().out.lstrip("\ufeff").splitlines()))
    assert [(line["kind"], line["status"]) for line in lines] == [("campaign", "failed")]


def test_the_page_shows_the_log_and_leads_on(stores, admin_client, monkeypatch):
    monkeypatch.setattr(message_log, "PAGE_ROWS", 4)
    page = admin_client.get("/admin/messaging/directmessage/log/?store=ali").text
    assert page.count("/admin/campaigns/campaignmessage/") >= 3 and "Next page" not in page
    page = admin_client.get("/admin/messaging/directmessage/log/?store=").text
    address = page.split('rel="next"')[0].rpartition('href="')[2].split('"')[0]
    rest = admin_client.get("/admin/messaging/directmessage/log/" + address.replace("&amp;", "&"))
    assert rest.text.count("<tr>") == 3 and "Newest" in rest.text


@pytest.mark.parametrize(
    "query",
    [
        "store=nobody",
        "first=x",
        "last=9999-12-31",
        "first=0001-01-01",
        "status=x",
        "after=x_1_2",
        "after=2026-01-01_9_9",
    ],
)
def test_a_wrong_address_is_no_error(stores, admin_client, query):
    assert admin_client.get(f"/admin/messaging/directmessage/log/?{query}").status_code == 200
    assert admin_client.get(f"/admin/messaging/directmessage/log.csv?{query}").status_code == 200


def test_the_log_is_for_those_who_may_see_messages(client):
    User.objects.create_user("shop@example.com", "a-long-password", is_staff=True)
    client.force_login(User.objects.get(email="shop@example.com"))
    for page in ("log/", "log.csv"):
        assert client.get(f"/admin/messaging/directmessage/{page}").status_code == 403


def plan_nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from plan_nodes(child)


def write_batches(store, *, statistics):
    """200 batches of 100 messages, of which each fiftieth failed.

    PostgreSQL's statistics are of before any failed (`stale`), of after, or of an empty table.
    """
    campaign = make_campaign(store, None)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messaging_batch, campaigns_campaignmessage")
        cursor.execute(
            """
            INSERT INTO messaging_batch (id, owner_id, kind, source_id, message_type, sender, size,
                status, turn, attempts, deferrals, submitted_at)
            SELECT n, %s, 'campaign', %s, 'marketing', 'S', 100, 'settled', 0, 1, 0,
                now() - n * interval '1 minute' FROM generate_series(1, 200) n
            """,
            [store.pk, campaign.pk],
        )
        cursor.execute(
            """
            INSERT INTO campaigns_campaignmessage (owner_id, campaign_id, contact_id, batch_id,
                "to", text, segments, tracking_id, status)
            SELECT owner_id, %s, id, 1 + (row_number() OVER () - 1) / 100, phone, 'Hi', 1,
                'c' || id, 'delivered'
            FROM contacts_contact WHERE owner_id = %s
            """,
            [campaign.pk, store.pk],
        )
        if statistics == "stale":
            cursor.execute("ANALYZE messaging_batch, campaigns_campaignmessage")
        cursor.execute(
            "UPDATE campaigns_campaignmessage SET status = 'failed', error_code = 'undelivered'"
            " WHERE contact_id % 50 = 0"
        )
        if statistics == "fresh":
            cursor.execute("ANALYZE messaging_batch, campaigns_campaignmessage")


@pytest.mark.slow
@pytest.mark.parametrize("statistics", ["fresh", "stale"])
@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"status": "failed"},
        {"status": "delivered"},
        {"status": "unknown"},
        {"number": "+306900000001"},
    ],
    ids=str,
)
@pytest.mark.parametrize("of_store", [True, False])
def test_a_page_in_the_middle_reads_and_sorts_no_more_than_it_shows(chosen, of_store, statistics):
    store = make_store()
    make_contact(make_store("bob"))
    make_big_list(store, 20_000)
    write_batches(store, statistics=statistics)
    chosen = LogFilter(store if of_store else None, **chosen)
    assert most_rows_read(chosen) < 3000


@pytest.mark.slow
@pytest.mark.parametrize("status", ["", "failed", "unknown", "delivered"])
def test_without_statistics_a_page_reads_each_older_message_once_at_most(status):
    store = make_store()
    make_big_list(store, 20_000)
    write_batches(store, statistics="of an empty table")
    assert most_rows_read(LogFilter(store, status=status)) <= 101 * 100


def most_rows_read(chosen):
    """The rows that the busiest step of a page in the middle reads; none reads a whole table."""
    middle = message_log.Place(timezone.now() - timedelta(minutes=100), 100, 10**9)
    after = None if chosen.number else middle
    sql, params = build_page_sql(chosen, after=after, size=50)
    [(plan,)] = rows(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
    nodes = list(plan_nodes(plan[0]["Plan"]))
    big = {"messaging_batch", "campaigns_campaignmessage"}
    assert [
        one for one in nodes
        if one["Node Type"] == "Seq Scan" and one.get("Relation Name") in big
    ] == []  # fmt: skip
    return max(
        (one["Actual Rows"] + one.get("Rows Removed by Filter", 0)) * one["Actual Loops"]
        for one in nodes
    )
