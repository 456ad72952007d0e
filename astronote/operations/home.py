"""The admin's home page: the panels that the apps registered; it updates itself."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from astronote.common import audit
from astronote.operations import registry
from astronote.queues import jobs
from astronote.queues.recurring import find_recurring_job

PERMISSION = "astronote.view_user"  # every role has it


def add_panels_to_index_context_if_permitted(
    request: HttpRequest, context: dict[str, Any]
) -> dict[str, Any]:
    """Add the panels to the context of the admin's index page."""
    if request.user.has_perm(PERMISSION):
        context |= _render_panels_context(request)
        context["add_links"] = _links_to_add_forms(request)
    return context


def _links_to_add_forms(request: HttpRequest) -> list[tuple[str, str]]:
    """Label and address of the forms in which a day begins: those of the sidebar's first lists."""
    first_lists = {link.url: link.order for link in registry.sidebar_links if not link.section}
    found = []
    for model, model_admin in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        order = first_lists.get(f"{name}_changelist")
        if order is not None and model_admin.has_add_permission(request):
            found.append(
                (
                    order,
                    gettext("Add %(model)s") % {"model": model._meta.verbose_name},
                    reverse(f"{name}_add"),
                )
            )
    return [(label, url) for _, label, url in sorted(found)]


def refreshed_panels_view(request: HttpRequest) -> HttpResponse:
    """The part of the page that updates itself."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    return TemplateResponse(request, "astronote/live.html", _render_panels_context(request))


def _render_panels_context(request: HttpRequest) -> dict[str, Any]:
    panels = sorted(registry.home_panels, key=lambda panel: panel.order)
    return {
        "now": timezone.now(),
        "panels": [render_to_string(p.template, dict(p.context()), request) for p in panels],
    }


def confirm_or_enqueue_recurring_job_view(request: HttpRequest, name: str) -> HttpResponse:
    """Run a recurring job at once; asks first and says what the job would do."""
    job = find_recurring_job(name)
    if job is None or job.run_now is None:
        raise Http404
    if not request.user.has_perm(job.run_now.permission):
        raise PermissionDenied
    if request.method == "POST":
        jobs.enqueue_on_commit(job.queue, job.task)
        audit.write_entry("run now", by=request.user, job=name)
        messages.success(request, gettext("%(job)s: enqueued") % {"job": name.replace("_", " ")})
        return redirect("admin:index")
    context = {
        **admin.site.each_context(request),
        "title": gettext("Run %(job)s now?") % {"job": name.replace("_", " ")},
        "effect": job.run_now.effect,
        "counts": job.run_now.preview(),
    }
    return TemplateResponse(request, "astronote/run_now.html", context)
