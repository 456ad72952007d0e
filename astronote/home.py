"""The first page of the admin: what goes out, what comes next, what is wrong; it updates itself."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from redis.exceptions import RedisError
from rq import Worker

from astronote import recurrence
from astronote.queues import QUEUES
from campaigns import birthday, charts, reporting, watchdog
from campaigns.models import RUNNING, Campaign, CampaignStatus
from compliance import retention
from contacts import audit, jobs
from contacts.importing import run as importing
from contacts.models import IMPORT_OPEN, AuditEntry, ContactImport

DAYS, SHOWN = 14, 10
LOW_CREDITS = 100
SEE = "campaigns.view_campaign"


class RunNow(NamedTuple):
    """A recurring job that an operator may run at once: what it does, and to how much of what."""

    permission: str
    what: str
    look: Any


RUN_NOW = {
    "watchdog": RunNow(
        "campaigns.change_campaign", "look for what is stuck and set it going",
        lambda: watchdog.run(dry_run=True),
    ),
    "birthday": RunNow(
        "campaigns.change_campaign", "send the day's birthday messages, which stores pay for",
        lambda: birthday.run(dry_run=True),
    ),
    "pii_retention": RunNow(
        "compliance.delete_retentionrun", "remove personal data that is past its time, for good",
        lambda: retention.run(dry_run=True).counts,
    ),
}  # fmt: skip


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the page shows to the admin's own context."""
    if request.user.has_perm(SEE):
        context |= overview()
    return context


def live(request: HttpRequest) -> HttpResponse:
    """The part of the page that updates itself."""
    if not request.user.has_perm(SEE):
        raise PermissionDenied
    return TemplateResponse(request, "astronote/live.html", overview())


def run_now(request: HttpRequest, name: str) -> HttpResponse:
    """Run a recurring job at once; asks first, saying what it would do."""
    entry = next((entry for entry in recurrence.timetable() if entry.name == name), None)
    if entry is None or name not in RUN_NOW:
        raise Http404
    chosen = RUN_NOW[name]
    if not request.user.has_perm(chosen.permission):
        raise PermissionDenied
    if request.method == "POST":
        jobs.enqueue(entry.queue, entry.task)
        audit.record("run now", by=request.user, job=name)
        messages.success(request, f"{name.replace('_', ' ')}: enqueued")
        return redirect("admin:index")
    context = {
        **admin.site.each_context(request),
        "title": f"Run {name.replace('_', ' ')} now?",
        "what": chosen.what,
        "counts": {key.replace("_", " "): n for key, n in chosen.look().items()},
    }
    return TemplateResponse(request, "astronote/run_now.html", context)


def overview() -> dict[str, Any]:
    """Everything on the page, in a number of queries that does not grow with what there is."""
    now = timezone.now()
    campaigns = Campaign.objects.select_related("owner")
    running = campaigns.filter(status__in=RUNNING).order_by("-started_at")[:SHOWN]
    scheduled = campaigns.filter(status=CampaignStatus.SCHEDULED).order_by("scheduled_at")[:SHOWN]
    imports = ContactImport.objects.filter(status__in=IMPORT_OPEN).select_related("owner")
    days, failures = _last_days(now)
    accepted, delivered = (sum(day[n] for _, day in days) for n in (0, 1))
    return {
        "now": now,
        "running": reporting.progress_of(running),
        "scheduled": list(scheduled),
        "imports": [(job, importing.progress(job)) for job in imports.order_by("-pk")[:SHOWN]],
        "chart": charts.bars(
            "Messages a day",
            ["accepted", "delivered", "failed"],
            [(f"{day:%a %d %b}", counts) for day, counts in days],
        ),
        "accepted": accepted,
        "delivery_rate": delivered / accepted if accepted else None,
        "failures": failures,
        "low": _low_wallets(now),
        "watchdog": list(AuditEntry.objects.filter(actor_name="watchdog").order_by("-pk")[:SHOWN]),
        "run_now": list(RUN_NOW),
        "days": DAYS,
        **_queues(now),
    }


def _last_days(now: datetime) -> tuple[list[tuple], list[tuple[str, int]]]:
    """Accepted, delivered and failed on each day (UTC), and why messages failed since yesterday."""
    first = now.date() - timedelta(days=DAYS - 1)
    with connection.cursor() as cursor:
        cursor.execute(
            LAST_DAYS,
            {"since": datetime.combine(first, time(), tzinfo=now.tzinfo),
             "yesterday": now - timedelta(days=1)},
        )  # fmt: skip
        rows = cursor.fetchall()
    counts = {first + timedelta(days=n): [0, 0, 0] for n in range(DAYS)}
    failures = []
    for day, what, detail, count in rows:
        if detail is not None:
            failures.append((detail, count))
        elif day in counts:
            counts[day][("accepted", "delivered", "failed").index(what)] = count
    failures.sort(key=lambda row: -row[1])
    return [(day, tuple(values)) for day, values in counts.items()], failures[:SHOWN]


LAST_DAYS = """
    SELECT (slot AT TIME ZONE 'UTC')::date, what, NULL, sum(count)::int FROM messaging_tally
    WHERE slot >= %(since)s AND what IN ('accepted', 'delivered', 'failed') GROUP BY 1, 2
    UNION ALL
    SELECT NULL, what, detail, sum(count)::int FROM messaging_tally
    WHERE slot >= %(yesterday)s AND what = 'failed' GROUP BY 2, 3 HAVING sum(count) > 0
"""


def _low_wallets(now: datetime) -> list[dict[str, Any]]:
    """Active stores with less left than they spent in the last week, or next to nothing."""
    with connection.cursor() as cursor:
        cursor.execute(LOW, {"week": now - timedelta(days=7), "few": LOW_CREDITS, "shown": SHOWN})
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


LOW = """
    SELECT u.id, COALESCE(NULLIF(u.company, ''), u.email) AS name,
        w.balance - w.reserved_balance AS available, COALESCE(spent.credits, 0) AS spent
    FROM messaging_wallet w
    JOIN astronote_user u ON u.id = w.owner_id AND u.is_active AND NOT u.is_staff
    CROSS JOIN LATERAL (
        SELECT sum(amount) AS credits FROM messaging_credittransaction
        WHERE owner_id = w.owner_id AND type = 'debit' AND created_at > %(week)s) spent
    WHERE w.balance - w.reserved_balance < greatest(spent.credits, %(few)s)
    ORDER BY 3 LIMIT %(shown)s
"""


def _queues(now: datetime) -> dict[str, Any]:
    """Queues, their workers and the timetable, as Redis has them."""
    try:
        queues = []
        for options in QUEUES:
            queue = jobs.queue(options.name)
            first = queue.get_jobs(0, 1)
            oldest = first[0].enqueued_at if first else None
            workers = Worker.all(queue=queue)
            queues.append(
                {
                    "name": options.name,
                    "purpose": options.purpose,
                    "waiting": queue.count,
                    "oldest": (now - oldest).total_seconds() if oldest else None,
                    "workers": len(workers),
                    "busy": sum(worker.get_state() == "busy" for worker in workers),
                }
            )
        return {
            "queues": queues,
            "timetable": recurrence.next_runs(),
            "scheduler_alive": bool(jobs.redis().get(recurrence.HEARTBEAT)),
        }
    except RedisError as error:
        return {"redis_down": type(error).__name__}
