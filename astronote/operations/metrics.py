"""The installation's figures in Prometheus' text format.

They hold no personal data and no store's figures by name. Keep `/metrics` inside your network.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from astronote.operations import registry


def prometheus_metrics_view(request: HttpRequest) -> HttpResponse:
    """Answer `/metrics`."""
    collectors = CollectorRegistry()
    collectors.register(_RegisteredSourcesAndServersUp())
    return HttpResponse(generate_latest(collectors), content_type="text/plain; version=0.0.4")


class _RegisteredSourcesAndServersUp(Collector):
    def collect(self) -> Iterator[Metric]:
        redis_answers = postgresql_answers = True
        for source in registry.metric_sources:
            try:
                yield from source.collect()
            except RedisError:
                redis_answers = False
            except DatabaseError:
                postgresql_answers = False
        yield GaugeMetricFamily(
            "astronote_redis_up", "Whether Redis answers", value=int(redis_answers)
        )
        yield GaugeMetricFamily(
            "astronote_postgresql_up", "Whether PostgreSQL answers", value=int(postgresql_answers)
        )
