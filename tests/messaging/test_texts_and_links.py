"""Bounds of texts, shared links of several texts, and the five minutes that things count in."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import enqueue
from campaigns.models import CampaignMessage
from messaging import tallies
from messaging.addresses import is_http_url_with_host
from messaging.batch_writing import (
    BatchSource,
    NewMessage,
    insert_batches,
)
from messaging.links import (
    OwnedText,
    create_links_and_shorten_long_urls,
    replace_long_urls_with_sample_links,
)
from messaging.models import Batch, ShortLink, Tally
from messaging.statuses import TallyEvent
from messaging.text import count_parts, sms_encoding
from tests.support.factories import make_campaign, make_list, make_store

pytestmark = pytest.mark.django_db(transaction=True)
OFFER = "https://shop.example/spring/offer"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 152 + "€" + "a" * 152, 3),
        ("a" * 151 + "€" + "a" * 153, 2),
        ("a" * 153 + "€" + "a" * 151, 2),
        ("a" * 152 + "€" + "a" * 150 + "€" + "a" * 152, 4),
        ("ж" * 66 + "😀" + "ж" * 66, 3),
        ("ж" * 65 + "😀" + "ж" * 67, 2),
    ],
)
def test_a_character_of_two_units_is_not_split_between_two_parts(text, expected):
    assert count_parts(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Καλή ώρα", "UCS-2"), ("ΓΕΙΑ €5 [ok]", "UCS-2"), ("€5 [ok] ΓΔΦ é", "GSM-7"), ("", "GSM-7")],
)
def test_the_encoding_is_that_of_the_whole_text(text, expected):
    assert sms_encoding(text) == expected


def test_a_text_has_ten_parts_at_most():
    store = make_store()
    target = make_list(store, 1)
    longest = make_campaign(store, target, message_text="a" * 1530, message_type="service")
    assert enqueue.enqueue_campaign(longest.pk).total == 1
    assert CampaignMessage.objects.get().segments == 10
    longer = make_campaign(store, target, message_text="a" * 1531, message_type="service")
    with pytest.raises(enqueue.CannotStart, match=r"takes 11 SMS parts .* at most 10"):
        enqueue.enqueue_campaign(longer.pk)


def test_an_address_that_begins_with_another_has_a_link_of_its_own():
    store = make_store()
    text = f"{OFFER} or {OFFER}/2 or {OFFER}/2/more"
    short = create_links_and_shorten_long_urls({0: OwnedText(store.pk, 1, text)})[0]
    links = {link.target_url: link.short_code for link in ShortLink.objects.all()}
    assert set(links) == {OFFER, f"{OFFER}/2", f"{OFFER}/2/more"}
    assert short == " or ".join(
        f"http://127.0.0.1:1/s/{links[url]}" for url in (OFFER, f"{OFFER}/2", f"{OFFER}/2/more")
    )


def test_two_stores_have_links_of_their_own_to_one_address():
    alice, bob = make_store(), make_store("bob")
    texts = create_links_and_shorten_long_urls(
        {store.pk: OwnedText(store.pk, None, OFFER) for store in (alice, bob)}
    )
    for store in (alice, bob):
        link = ShortLink.objects.get(owner=store)
        assert texts[store.pk].endswith(f"/s/{link.short_code}")
    again = create_links_and_shorten_long_urls(
        {0: OwnedText(alice.pk, None, OFFER), 1: OwnedText(alice.pk, 7, OFFER)}
    )
    assert again[0] == texts[alice.pk] and again[1] != again[0]
    assert ShortLink.objects.count() == 3


@pytest.mark.parametrize("mark", [".", ",", ";", ":", "!", "?", ")", "]", "'", '"', "»"])
def test_the_mark_after_an_address_is_not_part_of_it(mark):
    short = create_links_and_shorten_long_urls(
        {0: OwnedText(make_store().pk, None, f"See {OFFER}{mark}")}
    )[0]
    assert short.endswith(mark)
    assert ShortLink.objects.get().target_url == OFFER


def test_an_address_that_is_short_already_stays():
    store = make_store()
    own = "http://127.0.0.1:1/s/12345678"
    same = "http://shop.io/".ljust(len(own), "a")
    longer = f"{same}a"
    texts = create_links_and_shorten_long_urls(
        {0: OwnedText(store.pk, None, same), 1: OwnedText(store.pk, None, longer)}
    )
    assert texts[0] == same
    assert len(texts[1]) == len(own)


def test_a_preview_is_as_long_as_the_text_and_makes_no_link():
    text = f"Look: {OFFER}, or {OFFER}/2!"
    preview = replace_long_urls_with_sample_links(text)
    assert not ShortLink.objects.exists()
    assert len(preview) == len(
        create_links_and_shorten_long_urls({0: OwnedText(make_store().pk, None, text)})[0]
    )


@pytest.mark.parametrize(
    ("url", "may"),
    [(OFFER, True), ("HTTP://shop.example", True), ("https://", False), ("https://:80/x", False),
     ("ftp://shop.example/x", False), ("javascript:alert(1)", False), ("//shop.example", False),
     ("https://[broken/x", False)],
)  # fmt: skip
def test_a_link_leads_to_a_web_address_of_some_host(url, may):
    assert is_http_url_with_host(url) == may


def test_a_time_falls_in_the_same_five_minutes_here_and_in_the_database():
    dice = random.Random(7)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    times = [begin + timedelta(seconds=dice.uniform(0, 10**8)) for _ in range(50)]
    times += [begin, begin + timedelta(minutes=5), begin + timedelta(seconds=299.999)]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t, {tallies.five_minute_slot_start_sql('t')}"
            " FROM unnest(%s::timestamptz[]) AS t",
            [times],
        )
        found = dict(cursor.fetchall())
    assert {time: tallies.five_minute_slot_start(time) for time in times} == found
    assert all(timedelta(0) <= time - slot < timedelta(minutes=5) for time, slot in found.items())


def test_the_time_until_delivery_is_counted_in_bounds_that_grow():
    bounds = {0.5: "0", 1: "1", 4: "3", 5: "4", 59: "9", 3600: "18", 86400 * 4: "23"}
    with connection.cursor() as cursor:
        for seconds, place in bounds.items():
            cursor.execute(
                f"SELECT {tallies.delivery_wait_bound_index_sql('t', 't + %s')}"
                " FROM (SELECT now() AS t) x",
                [timedelta(seconds=seconds)],
            )
            assert cursor.fetchone()[0] == place, seconds


@pytest.mark.parametrize("source", [None, 7])
def test_the_same_thing_counted_twice_is_one_counter(source):
    store = make_store()
    slot = tallies.five_minute_slot_start(timezone.now())
    place = tallies.TallyKey(store.pk, "direct", source, slot, TallyEvent.OPTED_OUT.value, "")
    for count in (1, 2, -1):
        tallies.add_to_tallies({place: count})
    assert Tally.objects.get().count == 2
    tallies.add_to_tallies({place._replace(event=TallyEvent.ACCEPTED.value): 0})
    assert Tally.objects.count() == 1


def test_each_source_has_batches_of_its_own_with_turns_one_after_the_other(settings):
    """Turns from its own first one on, so that sources take turns."""
    settings.SMS_BATCH_SIZE = 2
    alice, bob = make_store(), make_store("bob")
    lines = [
        NewMessage(
            owner.pk, source, None, f"+3069000000{n:02}", "Hello", 2, f"{source:06}{n:06}", skip
        )
        for owner, source in ((alice, 1), (alice, 2), (bob, 3))
        for n, skip in enumerate(["", "too_long", "", ""])
    ]
    campaigns = [
        make_campaign(owner, None, pk=pk) for owner, pk in ((alice, 1), (alice, 2), (bob, 3))
    ]
    sources = {c.pk: BatchSource(f"FROM{c.pk}", "marketing") for c in campaigns}
    made = {1: 0, 2: 0, 3: 5}
    batches = insert_batches(
        CampaignMessage, lines, sources, first_turn=10, batch_counts_by_source=made
    )
    kept = Batch.objects.order_by("pk").values_list("owner", "source_id", "sender", "size", "turn")
    assert list(kept) == [
        (alice.pk, 1, "FROM1", 2, 10), (alice.pk, 1, "FROM1", 1, 11),
        (alice.pk, 2, "FROM2", 2, 10), (alice.pk, 2, "FROM2", 1, 11),
        (bob.pk, 3, "FROM3", 2, 15), (bob.pk, 3, "FROM3", 1, 16),
    ]  # fmt: skip
    assert [batch.parts for batch in batches] == [4, 2] * 3
    assert [batch.owner_id for batch in batches] == [alice.pk] * 4 + [bob.pk] * 2
    assert made == {1: 2, 2: 2, 3: 7}
    skipped = CampaignMessage.objects.filter(batch=None)
    assert set(skipped.values_list("status", "error_code")) == {("skipped", "too_long")}
    counted = Tally.objects.values_list("owner", "source_id", "event", "detail", "count")
    assert sorted(counted) == [
        (owner.pk, source, "skipped", "too_long", 1)
        for owner, source in ((alice, 1), (alice, 2), (bob, 3))
    ]


def test_two_stores_count_what_has_no_campaign_each_for_itself():
    alice, bob = make_store("alice"), make_store("bob")
    for store in (alice, bob, bob):
        tallies.add_one_to_tally_of_now(store.pk, "direct", None, TallyEvent.OPTED_OUT)
    counted = Tally.objects.order_by("owner").values_list("owner", "count")
    assert list(counted) == [(alice.pk, 1), (bob.pk, 2)]
