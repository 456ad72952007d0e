"""Reports and progress of campaigns and stores.

Everything is read from counters, tallies, ledger and clicks. No report counts messages, so its time
does not grow with their number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict
from zoneinfo import ZoneInfo

from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, Sum, When
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext

from astronote.common.counts import format_count
from astronote.common.spreadsheet_csv import csv_line_with_escaped_formulas
from astronote.common.sql import rows
from astronote.common.store_clock import format_time_with_zone_name
from astronote.models import User
from campaigns.models import Campaign, CampaignMessage, CampaignStatus
from campaigns.not_reached import SKIPPED_FOR_NOW
from messaging.batch_queue import HELD
from messaging.models import Batch, SendingStop, ShortLink, Tally
from messaging.statuses import (
    COUNTED_STATUSES,
    BatchStatus,
    TallyEvent,
    describe_reason,
)
from messaging.tallies import WAIT_BOUNDS, five_minute_slot_start_sql

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

PERCENTILES = (50, 90, 99)
OTHERS_SHOWN = 10


class CampaignSlot(NamedTuple):
    """What happened to a campaign's messages in five minutes from `slot` on.

    `clicks` are visits of the offer; of a shared link the times of visits are not kept.
    """

    slot: datetime
    accepted: int
    delivered: int
    failed: int
    clicks: int = 0


class CampaignReport(NamedTuple):
    """The results of a campaign so far.

    `conversions` are purchases after a message, and `revenue` what they come to. `delivery_rate` is
    the share of the accepted messages, 0 to 1; None if none was accepted.
    `delivery_seconds` holds the seconds from sending to delivery by percentile. `clicks` counts
    visits of the campaign's links, `people_who_clicked` the recipients who opened their offer link,
    `shared_links` the targets of links that all share, each with its visits.
    """

    accepted: int
    delivered: int
    failed_by_reason: dict[str, int]
    skipped_by_reason: dict[str, int]
    unknown: int
    opted_out: int
    clicks: int
    people_who_clicked: int
    redemptions: int
    conversions: int
    revenue: Decimal
    credits: int
    delivery_rate: float | None
    delivery_seconds: dict[int, float]
    slots: list[CampaignSlot]
    shared_links: list[tuple[str, int]]

    @property
    def revenue_per_message(self) -> float | None:
        """What the purchases come to for each accepted message; None if none was accepted."""
        return round(float(self.revenue) / self.accepted, 4) if self.accepted else None

    def as_dict(self) -> dict[str, Any]:
        """The figures for JSON and CSV, without the slots."""
        return {
            "accepted": self.accepted,
            "failed_by_reason": self.failed_by_reason,
            "skipped_by_reason": self.skipped_by_reason,
            "opted_out": self.opted_out,
            "clicks": self.clicks,
            "people_who_clicked": self.people_who_clicked,
            "redemptions": self.redemptions,
            "conversions": self.conversions,
            "revenue": float(self.revenue),
            "revenue_per_message": self.revenue_per_message,
            "credits": self.credits,
            "delivery_rate": self.delivery_rate and round(self.delivery_rate, 4),
            "seconds_to_delivery": {
                f"p{percentile}": seconds for percentile, seconds in self.delivery_seconds.items()
            },
        }


def campaign_report(campaign: Campaign) -> CampaignReport:
    """The results of a campaign so far."""
    kind = CampaignMessage.batch_kind
    details_by_event: dict[str, Counter[str]] = {event: Counter() for event in TallyEvent.values}
    events_by_slot: dict[datetime, Counter[str]] = {}
    tallies = Tally.objects.filter(kind=kind, source_id=campaign.pk)
    for slot, event, detail, count in tallies.values_list("slot", "event", "detail", "count"):
        details_by_event[event][detail] += count
        events_by_slot.setdefault(slot, Counter())[event] += count
    accepted = details_by_event[TallyEvent.ACCEPTED].total()
    delivered = details_by_event[TallyEvent.DELIVERED].total()
    clicks = people_who_clicked = 0
    for slot, count, people in rows(COUNT_CLICKS, {"campaign": campaign.pk}):
        if slot is None:
            clicks, people_who_clicked = count, people
        else:
            events_by_slot.setdefault(slot, Counter())[CLICKS] = count
    links = shared_link_clicks_by_target(campaign)
    parameters = {"owner": campaign.owner_id, "campaign": campaign.pk, "kind": kind}
    [(redemptions, conversions, revenue, charged)] = rows(COUNT_RESULTS, parameters)
    slots = [
        CampaignSlot(slot, *(counts[event] for event in (*CHART_EVENTS, CLICKS)))
        for slot, counts in sorted(events_by_slot.items())
    ]
    return CampaignReport(
        accepted=accepted,
        delivered=delivered,
        failed_by_reason=_nonzero_most_frequent_first(details_by_event[TallyEvent.FAILED]),
        skipped_by_reason=_nonzero_most_frequent_first(details_by_event[TallyEvent.SKIPPED]),
        unknown=campaign.unknown,
        opted_out=details_by_event[TallyEvent.OPTED_OUT].total(),
        clicks=clicks + sum(count for _, count in links),
        shared_links=links,
        people_who_clicked=people_who_clicked,
        redemptions=redemptions,
        conversions=conversions,
        revenue=revenue,
        credits=charged,
        delivery_rate=delivered / accepted if accepted else None,
        delivery_seconds=delivery_seconds_by_percentile(details_by_event[TallyEvent.DELIVERED]),
        slots=[slot for slot in slots if any(slot[1:])],
    )


# The events of a chart over time, in the order of CampaignSlot's counts; CLICKS follow.
CHART_EVENTS = (TallyEvent.ACCEPTED, TallyEvent.DELIVERED, TallyEvent.FAILED)
CLICKS = "clicks"
# In each slot, and in all: the row without a slot. By the index on campaign and time.
COUNT_CLICKS = f"""
    SELECT slot, count(*), count(DISTINCT campaign_message_id) FROM (
        SELECT {five_minute_slot_start_sql("viewed_at")} AS slot, campaign_message_id
        FROM campaigns_offerviewevent WHERE campaign_id = %(campaign)s) views
    GROUP BY GROUPING SETS ((slot), ())
"""


# Offers used, purchases and their value, and credits: by the indexes on owner, campaign and source.
COUNT_RESULTS = """
    SELECT (SELECT count(*) FROM campaigns_redemption r
            JOIN campaigns_campaignmessage m ON m.id = r.message_id
            WHERE r.owner_id = %(owner)s AND m.campaign_id = %(campaign)s),
        count(c.id), COALESCE(sum(c.value), 0),
        (SELECT COALESCE(sum(t.amount), 0)::bigint FROM messaging_credittransaction t
            JOIN messaging_batch b ON b.id = t.batch_id
            WHERE b.kind = %(kind)s AND b.source_id = %(campaign)s AND t.type = 'debit')
    FROM campaigns_conversionevent c WHERE c.campaign_id = %(campaign)s
"""


class FunnelStep(NamedTuple):
    """How many people came as far as this.

    `percent` is their share of the recipients, for a bar; `rate` says the share that matters, with
    its base.
    """

    name: str
    people: int
    percent: float
    rate: str


def campaign_funnel(campaign: Campaign, report: CampaignReport) -> list[FunnelStep]:
    """How many recipients were sent the message, had it delivered, followed it or opted out."""
    of_sent = gettext("of the %(count)s sent") % {"count": format_count(report.accepted)}
    steps = [
        (gettext("Recipients"), campaign.total, None, ""),
        (
            gettext("Sent"),
            report.accepted,
            campaign.total,
            gettext("of the %(count)s recipients") % {"count": format_count(campaign.total)},
        ),
        (gettext("Delivered"), report.delivered, report.accepted, of_sent),
    ]
    if campaign.offer_url:
        steps.append(
            (gettext("Opened the offer"), report.people_who_clicked, report.accepted, of_sent)
        )
    steps.append((gettext("Opted out"), report.opted_out, report.accepted, of_sent))
    return [
        FunnelStep(
            name,
            people,
            min(100.0, 100 * people / campaign.total) if campaign.total else 0,
            f"{100 * people / base:.1f} % {base_name}" if base else "",
        )
        for name, people, base, base_name in steps
    ]


def other_campaigns_this_week(campaign: Campaign) -> QuerySet[Campaign]:
    """A few of the store's other campaigns that are scheduled or were started this week."""
    week_ago = timezone.now() - timedelta(days=7)
    now = Q(status=CampaignStatus.SCHEDULED) | Q(started_at__gte=week_ago)
    others = Campaign.objects.filter(now, owner=campaign.owner_id).exclude(pk=campaign.pk)
    return others.order_by("-started_at", "-pk")[:OTHERS_SHOWN]


def shared_link_clicks_by_target(campaign: Campaign) -> list[tuple[str, int]]:
    """The targets of the campaign's shared links, each with the number of visits."""
    links = ShortLink.objects.filter(campaign_id=campaign.pk).order_by("-click_count")
    return list(links.values_list("target_url", "click_count"))


BAR_SPANS = [timedelta(minutes=minutes) for minutes in (5, 15, 60, 240, 1440, 10080)]
MAX_BARS = 100


def shortest_bar_span_holding_all_slots(slots: Sequence[CampaignSlot]) -> timedelta:
    """The shortest of BAR_SPANS of which MAX_BARS hold all slots."""
    length = slots[-1].slot - slots[0].slot if slots else timedelta()
    return next((span for span in BAR_SPANS if length / span < MAX_BARS), BAR_SPANS[-1])


def merge_slots_into_chart_points(
    slots: Sequence[CampaignSlot], zone: ZoneInfo
) -> list[tuple[str, list[int]]]:
    """The slots' counts in at most MAX_BARS equal spans, each with its local time."""
    if not slots:
        return []
    first, last, span = slots[0].slot, slots[-1].slot, shortest_bar_span_holding_all_slots(slots)
    counts = [[0] * (len(slots[0]) - 1) for _ in range((last - first) // span + 1)]
    for slot, *slot_counts in slots:
        bar = counts[(slot - first) // span]
        for position, count in enumerate(slot_counts):
            bar[position] += count
    return [
        (date_format((first + span * position).astimezone(zone), "D d M H:i"), bar)
        for position, bar in enumerate(counts)
    ]


def count_failed_unknown_and_skipped_for_now(report: CampaignReport) -> int:
    """How many messages failed, were skipped for what may have changed, or are unknown."""
    skipped = sum(report.skipped_by_reason.get(reason, 0) for reason in SKIPPED_FOR_NOW)
    return sum(report.failed_by_reason.values()) + skipped + report.unknown


def _nonzero_most_frequent_first(counts: Counter[str]) -> dict[str, int]:
    return {detail: count for detail, count in counts.most_common() if count}


def delivery_seconds_by_percentile(counts_by_wait_bound_index: Counter[str]) -> dict[int, float]:
    """The seconds within which PERCENTILES per cent of the messages were delivered.

    Within a class of WAIT_BOUNDS the times are assumed to be spread evenly.

    Args:
        counts_by_wait_bound_index: delivered messages by the index of their class, as in tallies.
    """
    counts = {
        int(index): count
        for index, count in counts_by_wait_bound_index.items()
        if index and count > 0
    }
    total = sum(counts.values())
    seconds: dict[int, float] = {}
    for percentile in PERCENTILES if total else ():
        remaining = total * percentile / 100
        for index, count in sorted(counts.items()):
            if remaining <= count:
                low = WAIT_BOUNDS[index - 1] if index else 0
                high = WAIT_BOUNDS[min(index, len(WAIT_BOUNDS) - 1)]
                seconds[percentile] = round(low + (high - low) * remaining / count, 1)
                break
            remaining -= count
    return seconds


class StoreDay(NamedTuple):
    """What happened at a store on a day of its own time zone."""

    day: date
    accepted: int = 0
    delivered: int = 0
    failed: int = 0
    skipped: int = 0
    opted_out: int = 0
    clicks: int = 0
    credits: int = 0


STORE_DAY_COUNTS = StoreDay._fields[1:]  # the report leaves out events that have no place here


def store_report(owner: User, first: date, last: date) -> list[StoreDay]:
    """What happened at a store on each day from first to last, in its own time zone."""
    zone = ZoneInfo(owner.timezone)
    begin = datetime.combine(first, time(), zone)
    end = datetime.combine(last + timedelta(days=1), time(), zone)
    counts_by_day: dict[date, dict[str, int]] = {}
    parameters = {"zone": owner.timezone, "owner": owner.pk, "begin": begin, "end": end}
    for day, event, count in rows(COUNT_STORE_DAYS, parameters):
        if event in STORE_DAY_COUNTS:
            counts_by_day.setdefault(day, {})[event] = count
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [StoreDay(day, **counts_by_day.get(day, {})) for day in days]


# Each part reads the store's rows of the period by the index on owner and time.
COUNT_STORE_DAYS = """
    SELECT (slot AT TIME ZONE %(zone)s)::date, event, sum(count)
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


def store_days_as_csv(days: Sequence[StoreDay]) -> str:
    """A store's days as CSV."""
    return _build_csv_with_escaped_formulas(StoreDay._fields, days)


def campaign_report_as_csv(report: CampaignReport) -> str:
    """A campaign's report as CSV: one figure a row, then one slot a row."""
    lines: list[tuple[Any, ...]] = []
    for name, value in report.as_dict().items():
        if isinstance(value, dict):
            by_reason = name.endswith("_by_reason")
            lines += [
                (name, detail, count, "", "", "", describe_reason(detail) if by_reason else "")
                for detail, count in value.items()
            ]
        else:
            lines.append((name, "", "" if value is None else value, "", "", "", ""))
    lines += [("from", slot.isoformat(), *counts, "") for slot, *counts in report.slots]
    return _build_csv_with_escaped_formulas(
        ("figure", "detail", "value_or_accepted", "delivered", "failed", "clicks", "reason"),
        lines,
    )


def _build_csv_with_escaped_formulas(
    headings: Iterable[str], lines: Iterable[Iterable[Any]]
) -> str:
    return "".join(map(csv_line_with_escaped_formulas, (headings, *lines)))


def campaign_counters_and_report_as_dict(campaign: Campaign) -> dict[str, Any]:
    """The status, counters and report of a campaign, for JSON."""
    campaign = annotate_with_next_batch(Campaign.objects.select_related("owner")).get(
        pk=campaign.pk
    )
    return {
        "id": campaign.pk,
        "name": campaign.name,
        "status": campaign.status,
        "waiting_for": why_waiting_or_blocked_or_empty(campaign),
        "total": campaign.total,
        "queued": campaign.queued,
        **{name: getattr(campaign, name) for name in COUNTED_STATUSES},
        **campaign_report(campaign).as_dict(),
    }


class CampaignProgress(NamedTuple):
    """How far a campaign is.

    `messages_per_second` is the rate of the last minute, None if no batch was settled in it or all
    sending is stopped.
    """

    campaign: Campaign
    percent: int
    messages_per_second: float | None
    seconds_left: int | None
    waiting_for: str


RATE_PERIOD = timedelta(minutes=1)


def progress_of_campaigns(campaigns: QuerySet[Campaign]) -> list[CampaignProgress]:
    """How far each campaign is, in three queries."""
    annotated = list(annotate_with_next_batch(campaigns.select_related("owner")))
    now = timezone.now()
    recent = Batch.objects.filter(
        kind=CampaignMessage.batch_kind,
        source_id__in=[campaign.pk for campaign in annotated],
        settled_at__gt=now - RATE_PERIOD,
    )
    settled_by_campaign = dict(recent.values_list("source_id").annotate(Sum("size")).order_by())
    if SendingStop.objects.exists():
        settled_by_campaign = {}
    return [
        _build_campaign_progress(campaign, settled_by_campaign.get(campaign.pk, 0), now)
        for campaign in annotated
    ]


def _build_campaign_progress(
    campaign: CampaignWithNextBatch, settled_messages: int, now: datetime
) -> CampaignProgress:
    sending = campaign.status == CampaignStatus.SENDING
    age = now - (campaign.started_at or now)
    seconds = min(RATE_PERIOD, max(age, timedelta(seconds=1))).total_seconds()
    rate = settled_messages / seconds if settled_messages and sending else None
    return CampaignProgress(
        campaign,
        round(100 * campaign.processed / campaign.total) if campaign.total else 0,
        rate,
        round(campaign.queued / rate) if rate else None,
        why_waiting_or_blocked_or_empty(campaign),
    )


class NextBatch(TypedDict):
    """What `annotate_with_next_batch` adds to a campaign."""

    next_at: datetime | None
    next_reason: str | None


if TYPE_CHECKING:
    CampaignWithNextBatch = WithAnnotations[Campaign, NextBatch]


def annotate_with_next_batch(
    campaigns: QuerySet[Campaign],
) -> QuerySet[CampaignWithNextBatch]:
    """Annotate sending campaigns with the time of their next pending batch and why it waits."""
    pending = Batch.objects.filter(
        kind=CampaignMessage.batch_kind, source_id=OuterRef("pk"), status=BatchStatus.PENDING
    ).order_by(F("not_before").asc(nulls_first=True))

    def of_next_batch(field: str) -> Case:
        return Case(When(status=CampaignStatus.SENDING, then=Subquery(pending.values(field)[:1])))

    return campaigns.annotate(
        next_at=of_next_batch("not_before"), next_reason=of_next_batch("waiting_for")
    )


def why_waiting_or_blocked_or_empty(campaign: CampaignWithNextBatch) -> str:
    """What delays a campaign and until when, in the store's time; empty if nothing does."""
    now = timezone.now()
    zone = ZoneInfo(campaign.owner.timezone)

    def local_time(moment: datetime) -> str:
        local = moment.astimezone(zone)
        today = local.date() == now.astimezone(zone).date()
        return f"{local:%H:%M} {zone}" if today else format_time_with_zone_name(moment, zone.key)

    if campaign.block_reason:
        if not campaign.retry_after:
            return campaign.block_reason
        return gettext("%(reason)s; tried again at %(time)s") % {
            "reason": campaign.block_reason,
            "time": local_time(campaign.retry_after),
        }
    if campaign.next_at and now < campaign.next_at < HELD:
        return gettext("waiting for %(reason)s until %(time)s") % {
            "reason": campaign.next_reason,
            "time": local_time(campaign.next_at),
        }
    return ""
