"""The addresses that probes and Prometheus ask, by whatever host name and scheme."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from astronote.operations import health, metrics

PAGES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": health.healthz,
    "/readyz": health.readyz,
    "/readyz/web": health.readyz_web,
    "/metrics": metrics.prometheus_metrics_view,
}


class ProbePages:
    """Middleware: answers before the host name and the scheme are checked.

    A probe asks by the address of a machine, which is in no ALLOWED_HOSTS.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:  # noqa: D102
        page = PAGES.get(request.path_info, self.get_response)
        return page(request)
