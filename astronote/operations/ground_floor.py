"""What the ground floor itself registers: servers, queues, accounts and the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Q
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from prometheus_client.core import CounterMetricFamily, Metric

from astronote.accounts.models import User
from astronote.common.audit import AuditEntry, find_subject_rows
from astronote.operations import declarations, first_day, queue_state, registry, watchdog
from astronote.operations.registry import (
    Banner,
    FirstStep,
    Found,
    HealthCheck,
    HomePanel,
    MetricSource,
    Notice,
    OperatorModels,
    Repair,
    SearchSource,
    SidebarLink,
    StorePanel,
)
from astronote.queues import jobs

PERMISSION = "astronote.view_user"  # every role has it
AUDIT_ENTRIES_SHOWN = 10
STORES_FOUND = 5


def _ping_postgresql_or_raise() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _missing_migrations_problem_or_empty() -> str:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(missing)} are not applied: run `manage.py migrate`" if missing else ""


def _newest_watchdog_entries_context() -> dict[str, Any]:
    newest = AuditEntry.objects.filter(actor_name=watchdog.NAME).order_by("-pk")
    entries = list(newest[:AUDIT_ENTRIES_SHOWN])
    find_subject_rows(entries)
    return {"entries": entries}


def _watchdog_repair_count_metrics() -> Iterator[Metric]:
    actions = CounterMetricFamily(
        "astronote_watchdog_actions", "What the watchdog repaired", labels=["action"]
    )
    entries = AuditEntry.objects.filter(actor_name=watchdog.NAME).values_list("action")
    for action, count in entries.annotate(Count("pk")).order_by():
        actions.add_metric([action], count)
    yield actions


def _count_and_requeue_jobs_of_dead_workers(dry_run: bool) -> int:
    """RQ notices a dead worker only when somebody looks."""
    found = sum(jobs.count_abandoned_jobs(name) for name in settings.RQ_QUEUES)
    if not dry_run:
        for name in settings.RQ_QUEUES:
            jobs.requeue_abandoned_jobs(name)
    return found


def _find_stores_beginning_with(text: str) -> list[Found]:
    begins = Q(company__istartswith=text) | Q(email__istartswith=text)
    stores = User.objects.filter(begins, is_staff=False).order_by("company")
    return [
        Found(str(store), gettext("store"), reverse("admin:astronote_user_change", args=[store.pk]))
        for store in stores[:STORES_FOUND]
    ]


def _newest_store_or_store_list_url() -> str:
    store_id = first_day.newest_store_id()
    if store_id is None:
        return reverse("admin:astronote_user_changelist")
    return reverse("admin:astronote_user_change", args=[store_id])


def _queue_notices() -> list[Notice]:
    return [
        Notice(text, reverse("admin:index")) for text in queue_state.queue_and_scheduler_problems()
    ]


def register_own_operations() -> None:
    """Register the ground floor's own panels, checks, metrics, repairs and declarations."""
    registry.health_checks.register(
        HealthCheck("postgresql", _ping_postgresql_or_raise, needed_to_serve=True),
        HealthCheck("migrations", _missing_migrations_problem_or_empty, needed_to_serve=True),
        HealthCheck("redis", queue_state.redis_write_problem_or_empty_or_raise),
        HealthCheck("scheduler", queue_state.missing_scheduler_problem_or_empty, needs_queues=True),
        HealthCheck(
            "workers", queue_state.queues_without_worker_problem_or_empty, needs_queues=True
        ),
        HealthCheck("jobs", queue_state.late_jobs_problem_or_empty, needs_queues=True),
    )
    registry.banners.register(Banner("queues", _queue_notices, _("See the queues"), PERMISSION))
    registry.search_sources.register(
        SearchSource("stores", "storefront", PERMISSION, _find_stores_beginning_with),
    )
    registry.first_steps.register(
        FirstStep(
            _("Add a store"),
            _("A store is whose customers are written to: its name, country and time zone."),
            lambda: User.objects.filter(is_staff=False).exists(),
            lambda: reverse("admin:astronote_user_add"),
            "astronote.add_user",
            10,
        ),
        FirstStep(
            _("Give the store a sender"),
            _(
                "The sender ID is what the customers' phones show: up to 11 letters, or a number"
                " that can be answered."
            ),
            lambda: (
                User.objects.filter(is_staff=False)
                .eligible_to_send_annotated_with_sender()
                .exists()
            ),
            _newest_store_or_store_list_url,
            "astronote.change_user",
            20,
        ),
    )
    registry.home_panels.register(
        HomePanel(
            "first steps",
            "astronote/panels/first_steps.html",
            first_day.first_steps_context,
            1,
        ),
        HomePanel(
            "queues",
            "astronote/panels/queues.html",
            queue_state.queues_context_or_empty_without_redis,
            50,
        ),
        HomePanel(
            "recurring",
            "astronote/panels/recurring.html",
            queue_state.next_runs_context,
            60,
        ),
        HomePanel(
            "watchdog", "astronote/panels/watchdog.html", _newest_watchdog_entries_context, 70
        ),
    )
    registry.store_panels.register(
        StorePanel(
            "first steps",
            "astronote/panels/first_steps.html",
            lambda request, store: first_day.first_steps_context(),
            5,
        )
    )
    registry.metric_sources.register(
        MetricSource("watchdog", _watchdog_repair_count_metrics),
        MetricSource("redis", queue_state.redis_writable_metric),
        MetricSource("queues", queue_state.queue_metrics),
    )
    registry.repairs.register(
        Repair(
            "jobs_of_dead_workers",
            _count_and_requeue_jobs_of_dead_workers,
            _("jobs of dead workers"),
        )
    )
    registry.operator_models.register(OperatorModels("astronote", ("user",)))
    declarations.register_personal_data_declarations()
    registry.sidebar_links.register(
        SidebarLink.to_admin_changelist("", _("Stores"), "storefront", "astronote.user", 40),
        SidebarLink.to_admin_changelist(
            _("Privacy and proof"),
            _("Audit trail"),
            "history",
            "astronote.auditentry",
            360,
        ),
        SidebarLink.to_admin_changelist(
            _("More"), _("Operators"), "badge", "astronote.operator", 500
        ),
        SidebarLink(
            _("More"),
            _("Logins"),
            "login",
            "admin:axes_accesslog_changelist",
            "astronote.change_operator",
            502,
        ),
        SidebarLink(
            _("More"),
            _("Failed logins"),
            "lock",
            "admin:axes_accessfailurelog_changelist",
            "astronote.change_operator",
            504,
        ),
        SidebarLink(
            _("More"),
            _("Queues"),
            "queue",
            "/admin/django_rq/dashboard/",
            "django_rq.admin",
            510,
        ),
    )
