"""Whether the web process is alive and the installation ready."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from astronote.operations import registry


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer `/healthz`: the web process is alive."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """Answer `/readyz`: whether the installation works, processes elsewhere included.

    Not for a load balancer: without a worker the web process still takes receipts and opt-outs.
    """
    return _run_checks_and_respond(
        check
        for check in registry.health_checks
        if not (check.needs_queues and settings.QUEUE_DISABLED)
    )


def readyz_web(request: HttpRequest) -> JsonResponse:
    """Answer `/readyz/web`: whether this process can serve, for a load balancer."""
    return _run_checks_and_respond(
        check for check in registry.health_checks if check.needed_to_serve
    )


def _run_checks_and_respond(checks: Iterable[registry.HealthCheck]) -> JsonResponse:
    """Each check by name, and status 503 if one has a problem."""
    state = {check.name: _problem_of_check_or_error_name(check) or "ok" for check in checks}
    ready = all(problem == "ok" for problem in state.values())
    return JsonResponse(state, status=200 if ready else 503)


def _problem_of_check_or_error_name(check: registry.HealthCheck) -> str:
    try:
        return check.problem()
    except Exception as error:  # noqa: BLE001 - whatever a missing server raises is the finding
        return f"{type(error).__name__}: cannot be asked"
