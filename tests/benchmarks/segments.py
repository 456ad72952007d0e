"""Counting a segment, and starting a campaign to one, beside the bare query and COPY."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks import enqueue
from tests.benchmarks.result import Result
from tests.support.installation import Installation

SIZES = [1_000_000]
POSTGRES = enqueue.POSTGRES
REPEATS = 5
WOMEN = {"gender": "female", "age_from": 25, "age_to": 39}
BARE_COUNT = """
    SELECT count(*) FROM contacts_contact
    WHERE owner_id = %s AND is_subscribed AND gender = 'female'
        AND birthday <= current_date - interval '25 years'
        AND birthday > current_date - interval '40 years'
"""


def run(place: Installation, size: int) -> list[Result]:
    from django.db import connection

    from astronote.common.sql import rows
    from campaigns.audience import campaign_audience_with_consent_and_age
    from campaigns.audience_counts import count_or_estimate_segment_and_left_out
    from tests.support.factories import make_store
    from tests.support.volume import make_big_list

    store = make_store(balance=3 * size)
    target = make_big_list(store, size)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE contacts_contact")
    women = _campaign_to_segment(store, WOMEN)
    found = campaign_audience_with_consent_and_age(women).count()
    assert found == rows(BARE_COUNT, [store.pk])[0][0]
    ours = _seconds(lambda: campaign_audience_with_consent_and_age(women).count())
    bare = _seconds(lambda: rows(BARE_COUNT, [store.pk]))
    others = {
        "of a list": {"in_lists": [target.pk]},
        "born in May": {"birth_month": 5},
        "not on a list": {"gender": "male", "not_in_lists": [target.pk]},
        "not messaged for 30 days": {"gender": "male", "not_messaged_within_days": 30},
    }
    also: dict[str, Any] = {"ms": round(ours * 1000), "contacts": found}
    segment = women.audience_choices()[0].segment
    also["ms with reasons"] = round(
        _seconds(lambda: count_or_estimate_segment_and_left_out(segment)) * 1000
    )
    for name, conditions in others.items():
        audience = campaign_audience_with_consent_and_age(_campaign_to_segment(store, conditions))
        also[f"ms {name}"] = round(_seconds(audience.count) * 1000)
    count = Result(
        "segments", "count", size, "counts/s", ours=1 / ours, bare=1 / bare, also=also,
        plan=campaign_audience_with_consent_and_age(women).explain(),
    )  # fmt: skip
    place.start("scheduler", "rqworker scheduler")
    pid = place.wait_for_worker("scheduler")
    everybody = _campaign_to_segment(store, {"calling_code": "30"})
    seconds, _ = enqueue.start(everybody)
    return [
        count,
        Result(
            "segments", "enqueue", size, "recipients/s",
            ours=size / seconds, bare=size / enqueue.bare_copy(), peak_mb=enqueue.peak_mb(pid),
        ),
    ]  # fmt: skip


def _seconds(work: Callable[[], Any]) -> float:
    """The fastest of several times, the first of which fills the caches."""
    times = []
    for _ in range(REPEATS):
        began = time.monotonic()
        work()
        times.append(time.monotonic() - began)
    return min(times)


def _campaign_to_segment(store: Any, conditions: dict[str, Any]) -> Any:
    """A campaign that is due, to contacts that meet the conditions."""
    from django.utils import timezone

    from campaigns.models import AudienceChoice, Segment
    from tests.support.factories import make_campaign

    segment = Segment.objects.create(
        owner=store, name=f"segment {Segment.objects.count()}", conditions=conditions
    )
    campaign = make_campaign(store, None, status="scheduled", scheduled_at=timezone.now())
    campaign.choose_audience([AudienceChoice(segment=segment)])
    campaign.save()
    return campaign
