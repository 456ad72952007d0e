"""Whether the installation is up and ready, and its figures for Prometheus.

They hold no personal data and no store's figures by name; keep `/metrics` inside your network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from redis.exceptions import RedisError
from rq import Worker

from astronote.queues import QUEUES
from astronote.recurrence import HEARTBEAT
from campaigns.models import COUNTED, Campaign
from contacts import jobs
from contacts.models import AuditEntry
from messaging import metrics
from messaging.models import BATCH_OPEN, Batch


def healthz(request: HttpRequest) -> HttpResponse:
    """The web process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """Whether everything that sending needs is there; 503 and what is missing if not."""
    checks: dict[str, Callable[[], str]] = {
        "postgresql": _postgresql,
        "migrations": _migrations,
        "redis": _redis,
    }
    if not settings.QUEUE_DISABLED:
        checks |= {"scheduler": _scheduler, "workers": _workers}
    problems = {}
    for name, check in checks.items():
        try:
            problem = check()
        except Exception as error:
            problem = f"{type(error).__name__}: cannot be asked"
        if problem:
            problems[name] = problem
    state = {name: problems.get(name, "ok") for name in checks}
    return JsonResponse(state, status=503 if problems else 200)


def _postgresql() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} are not applied: run `manage.py migrate`" if missing else ""


def _redis() -> str:
    jobs.redis().ping()
    return ""


def _scheduler() -> str:
    beat = jobs.redis().get(HEARTBEAT)
    return "" if beat else "no heartbeat for a minute: run `manage.py rqscheduler`"


def _workers() -> str:
    idle = [queue.name for queue in QUEUES if not Worker.count(queue=jobs.queue(queue.name))]
    return f"no worker on {', '.join(idle)}: run `manage.py rqworker QUEUE`" if idle else ""


def prometheus(request: HttpRequest) -> HttpResponse:
    """The figures in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Figures())
    return HttpResponse(generate_latest(registry), content_type="text/plain; version=0.0.4")


class _Figures:
    def collect(self) -> Iterator[Metric]:
        yield from self._from_database()
        try:
            yield from self._from_redis()
            up = 1
        except RedisError:
            up = 0
        yield GaugeMetricFamily("astronote_redis_up", "Whether Redis answers", value=up)

    def _from_database(self) -> Iterator[Metric]:
        messages = GaugeMetricFamily(
            "astronote_campaign_messages", "Messages of campaigns by status", labels=["status"]
        )
        sums = Campaign.objects.aggregate(total=Sum("total"), **{n: Sum(n) for n in COUNTED})
        for status in COUNTED:
            messages.add_metric([status], sums[status] or 0)
        queued = (sums["total"] or 0) - sum(sums[name] or 0 for name in COUNTED)
        messages.add_metric(["queued"], queued)
        yield messages
        batches = GaugeMetricFamily(
            "astronote_open_batches", "Batches that have not ended, by status", labels=["status"]
        )
        now = timezone.now()
        counts = dict(
            Batch.objects.filter(status__in=BATCH_OPEN)
            .values_list("status")
            .annotate(Count("pk"))
            .order_by()
        )
        for status in BATCH_OPEN:
            batches.add_metric([status.value], counts.get(status, 0))
        batches.add_metric(
            ["delayed"], Batch.objects.filter(status="pending", not_before__gt=now).count()
        )
        yield batches
        oldest = Batch.objects.filter(status="pending").exclude(not_before__gt=now)
        since = oldest.aggregate(Min("created_at"))["created_at__min"]
        yield GaugeMetricFamily(
            "astronote_oldest_due_batch_seconds",
            "Age of the oldest batch that could go out",
            value=(now - since).total_seconds() if since else 0,
        )
        actions = CounterMetricFamily(
            "astronote_watchdog_actions", "What the watchdog mended", labels=["action"]
        )
        mended = AuditEntry.objects.filter(actor_name="watchdog").values_list("action")
        for action, count in mended.annotate(Count("pk")).order_by():
            actions.add_metric([action], count)
        yield actions

    def _from_redis(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("astronote_queue_jobs", "Jobs that wait", labels=["queue"])
        age = GaugeMetricFamily(
            "astronote_queue_oldest_seconds", "Age of the job waiting longest", labels=["queue"]
        )
        workers = GaugeMetricFamily("astronote_workers", "Workers alive", labels=["queue"])
        for options in QUEUES:
            queue = jobs.queue(options.name)
            depth.add_metric([options.name], queue.count)
            first = queue.get_jobs(0, 1)
            waited = timezone.now() - first[0].enqueued_at if first else None
            age.add_metric([options.name], waited.total_seconds() if waited else 0)
            workers.add_metric([options.name], Worker.count(queue=queue))
        yield from (depth, age, workers)
        beat = jobs.redis().get(HEARTBEAT)
        yield GaugeMetricFamily(
            "astronote_scheduler_heartbeat_age_seconds",
            "Time since the scheduler's last sign of life; -1 without any",
            value=time.time() - int(beat) if beat else -1,
        )
        calls = HistogramMetricFamily(
            "astronote_mitto_call_seconds", "Calls that send, by outcome", labels=["outcome"]
        )
        counts, seconds = metrics.read_calls()
        for outcome, total in seconds.items():
            running, buckets = 0, []
            for bound in [*map(str, metrics.BUCKETS), "+Inf"]:
                running += counts.get((outcome, bound), 0)
                buckets.append((bound, running))
            calls.add_metric([outcome], buckets=buckets, sum_value=total)
        yield calls
