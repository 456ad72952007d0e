"""What campaigns came to, over time, for owners and operators.

Everything is read from tallies, ledger and clicks: no report counts messages, so none is slower
with ten million of them.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Count, Sum

from campaigns.models import Campaign, CampaignMessage, OfferViewEvent
from messaging.models import Batch, CreditTransaction, ShortLink, Tally, TallyOf, TransactionType
from messaging.tallies import WAITS

PERCENTILES = (50, 90, 99)
DAY_COLUMNS = ("accepted", "delivered", "failed", "skipped", "opted_out", "clicks", "credits")


class Moment(NamedTuple):
    """What happened to a campaign's messages in five minutes."""

    slot: datetime
    accepted: int
    delivered: int
    failed: int


class CampaignReport(NamedTuple):
    """What a campaign came to.

    `delivery_rate` is the share of what Mitto accepted, 0 to 1; `waits` are seconds from sending to
    delivery by percentile. `clicks` counts visits of its links, `clickers` who saw the offer.
    """

    accepted: int
    delivered: int
    failed: dict[str, int]
    skipped: dict[str, int]
    unknown: int
    opted_out: int
    clicks: int
    clickers: int
    credits: int
    delivery_rate: float | None
    waits: dict[int, float]
    moments: list[Moment]

    def as_dict(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "failed_by_reason": self.failed,
            "skipped_by_reason": self.skipped,
            "opted_out": self.opted_out,
            "clicks": self.clicks,
            "people_who_clicked": self.clickers,
            "credits": self.credits,
            "delivery_rate": self.delivery_rate and round(self.delivery_rate, 4),
            "seconds_to_delivery": {f"p{p}": value for p, value in self.waits.items()},
        }


def of_campaign(campaign: Campaign) -> CampaignReport:
    """What a campaign has come to so far."""
    kind = CampaignMessage.batch_kind
    of: dict[str, Counter[str]] = {what: Counter() for what in TallyOf.values}
    moments: dict[datetime, Counter[str]] = {}
    tallies = Tally.objects.filter(kind=kind, source_id=campaign.pk)
    for slot, what, detail, count in tallies.values_list("slot", "what", "detail", "count"):
        of[what][detail] += count
        moments.setdefault(slot, Counter())[what] += count
    accepted, delivered = of["accepted"].total(), of["delivered"].total()
    views = OfferViewEvent.objects.filter(campaign=campaign).aggregate(
        all=Count("pk"), people=Count("campaign_message", distinct=True)
    )
    links = ShortLink.objects.filter(campaign_id=campaign.pk).aggregate(n=Sum("click_count"))
    batches = Batch.objects.filter(kind=kind, source_id=campaign.pk)
    debits = CreditTransaction.objects.filter(batch__in=batches, type=TransactionType.DEBIT)
    return CampaignReport(
        accepted=accepted,
        delivered=delivered,
        failed=_by_count(of["failed"]),
        skipped=_by_count(of["skipped"]),
        unknown=campaign.unknown,
        opted_out=of["opted_out"].total(),
        clicks=views["all"] + (links["n"] or 0),
        clickers=views["people"],
        credits=debits.aggregate(n=Sum("amount"))["n"] or 0,
        delivery_rate=delivered / accepted if accepted else None,
        waits=percentiles(of["delivered"]),
        moments=[
            Moment(slot, counts["accepted"], counts["delivered"], counts["failed"])
            for slot, counts in sorted(moments.items())
            if any(counts[what] for what in ("accepted", "delivered", "failed"))
        ],
    )


def links_of(campaign: Campaign) -> list[tuple[str, int]]:
    """Where the campaign's shared links lead, and how often each was opened."""
    links = ShortLink.objects.filter(campaign_id=campaign.pk).order_by("-click_count")
    return list(links.values_list("target_url", "click_count"))


STEPS = [timedelta(minutes=m) for m in (5, 15, 60, 240, 1440, 10080)]
MOST_BARS = 100


def over_time(moments: Sequence[Moment], zone: ZoneInfo) -> list[tuple[str, tuple[int, int, int]]]:
    """Accepted, delivered and failed in at most MOST_BARS equal steps, each with its local time."""
    if not moments:
        return []
    first, last = moments[0].slot, moments[-1].slot
    step = next((s for s in STEPS if (last - first) / s < MOST_BARS), STEPS[-1])
    counts = [[0, 0, 0] for _ in range((last - first) // step + 1)]
    for slot, *values in moments:
        bar = counts[(slot - first) // step]
        for number, value in enumerate(values):
            bar[number] += value
    return [
        (f"{(first + step * place).astimezone(zone):%a %d %b %H:%M}", tuple(bar))
        for place, bar in enumerate(counts)
    ]


def _by_count(counts: Counter[str]) -> dict[str, int]:
    return {detail: count for detail, count in counts.most_common() if count}


def percentiles(waits: Counter[str]) -> dict[int, float]:
    """Seconds within which so many per cent were delivered, from counts by place among WAITS.

    Between two of WAITS they are taken to be spread evenly.
    """
    counts = {int(place): count for place, count in waits.items() if place and count > 0}
    total = sum(counts.values())
    found: dict[int, float] = {}
    for percentile in PERCENTILES if total else ():
        left = total * percentile / 100
        for place, count in sorted(counts.items()):
            if left <= count:
                low = WAITS[place - 1] if place else 0
                high = WAITS[min(place, len(WAITS) - 1)]
                found[percentile] = round(low + (high - low) * left / count, 1)
                break
            left -= count
    return found


class Day(NamedTuple):
    """One of a store's own days."""

    day: date
    accepted: int = 0
    delivered: int = 0
    failed: int = 0
    skipped: int = 0
    opted_out: int = 0
    clicks: int = 0
    credits: int = 0


def of_store(owner: Any, first: date, last: date) -> list[Day]:
    """What happened at a store on each day from first to last, in its own time zone."""
    zone = ZoneInfo(owner.timezone)
    begin = datetime.combine(first, time(), zone)
    end = datetime.combine(last + timedelta(days=1), time(), zone)
    with connection.cursor() as cursor:
        cursor.execute(
            OF_STORE, {"zone": owner.timezone, "owner": owner.pk, "begin": begin, "end": end}
        )
        counted: dict[date, dict[str, int]] = {}
        for day, what, count in cursor.fetchall():
            counted.setdefault(day, {})[what] = count
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [Day(day, **counted.get(day, {})) for day in days]


OF_STORE = """
    SELECT (slot AT TIME ZONE %(zone)s)::date, what, sum(count)
    FROM messaging_tally
    WHERE owner_id = %(owner)s AND slot >= %(begin)s AND slot < %(end)s
    GROUP BY 1, 2
    UNION ALL
    SELECT (viewed_at AT TIME ZONE %(zone)s)::date, 'clicks', count(*)
    FROM campaigns_offerviewevent
    WHERE owner_id = %(owner)s AND viewed_at >= %(begin)s AND viewed_at < %(end)s
    GROUP BY 1
    UNION ALL
    SELECT (created_at AT TIME ZONE %(zone)s)::date, 'credits', sum(amount)
    FROM messaging_credittransaction
    WHERE owner_id = %(owner)s AND type = 'debit'
        AND created_at >= %(begin)s AND created_at < %(end)s
    GROUP BY 1
"""


def days_csv(days: Sequence[Day]) -> str:
    """A store's days as CSV."""
    return _csv(("day", *DAY_COLUMNS), days)


def campaign_csv(report: CampaignReport) -> str:
    """A campaign's report as CSV: a figure a row, then what happened when."""
    rows: list[tuple[Any, ...]] = []
    for name, value in report.as_dict().items():
        if isinstance(value, dict):
            rows += [(name, detail, count, "", "") for detail, count in value.items()]
        else:
            rows.append((name, "", "" if value is None else value, "", ""))
    rows += [
        ("from", m.slot.isoformat(), m.accepted, m.delivered, m.failed) for m in report.moments
    ]
    return _csv(("figure", "detail", "value_or_accepted", "delivered", "failed"), rows)


def _csv(headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(headings)
    writer.writerows(rows)
    return file.getvalue()
