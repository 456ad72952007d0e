"""The log beside many messages: its pages from the newest to the oldest, and its CSV file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

from tests.benchmarks.result import Result, counted
from tests.support.installation import Installation, peak_mb

SIZES = [1_000_000]
POSTGRES = {"max_wal_size": "4GB"}
REPEATS = 5
CSV_LINES = 200_000


def run(place: Installation, size: int) -> list[Result]:
    from django.utils import timezone

    from astronote.common.sql import rows
    from campaigns.models import CampaignMessage
    from messaging.message_log import LogFilter, log_csv_lines, read_page
    from messaging.models import Batch
    from tests.support.factories import make_store
    from tests.support.volume import make_history

    store = make_store(balance=0)
    make_history(store, size)
    new = make_store("bob", balance=0)
    whole, failed = LogFilter(store), LogFilter(store, status="failed")
    CampaignMessage.objects.filter(pk__in=range(1, size, 1000)).update(
        status="failed", error_code="undelivered"
    )
    batches = Batch.objects.order_by("pk").values_list("pk", flat=True)
    middle, oldest = batches[len(batches) // 2], batches[0]
    phone = CampaignMessage.objects.values_list("to", flat=True)[0]
    pages: dict[str, Callable[[], Any]] = {
        "newest": lambda: read_page(whole),
        "middle": lambda: read_page(whole, after=_place_of_batch(middle)),
        "oldest": lambda: read_page(whole, after=_place_of_batch(oldest)),
        "of a day": lambda: read_page(LogFilter(store, timezone.now().date())),
        "failed": lambda: read_page(failed),
        "to a number": lambda: read_page(LogFilter(store, number=phone)),
        "of all stores": lambda: read_page(LogFilter()),
        "of a store without any": lambda: read_page(LogFilter(new)),
    }
    also = {f"ms {name}": round(_seconds(page) * 1000, 1) for name, page in pages.items()}
    lines = min(CSV_LINES, size)
    began = time.monotonic()
    written, statements = counted(lambda: sum(1 for _ in islice(log_csv_lines(whole), lines)))
    ours = time.monotonic() - began
    began = time.monotonic()
    assert len(rows(BARE, [store.pk, written])) == written
    bare = time.monotonic() - began
    return [
        Result(
            "log", "CSV", size, "lines/s", ours=written / ours, bare=written / bare,
            statements=statements / written * 1000, peak_mb=peak_mb(os.getpid()), also=also,
            plan=_plan_of_page(whole, _place_of_batch(middle)),
        )
    ]  # fmt: skip


BARE = """
    SELECT COALESCE(b.submitted_at, b.created_at), m.*
    FROM messaging_batch b JOIN campaigns_campaignmessage m ON m.batch_id = b.id
    WHERE b.owner_id = %s ORDER BY 1 DESC, b.id DESC, m.id DESC LIMIT %s
"""


def _place_of_batch(batch_id: int) -> Any:
    """The place in the log before the messages of a batch."""
    from messaging.message_log import Place
    from messaging.models import Batch

    batch = Batch.objects.get(pk=batch_id)
    return Place(batch.submitted_at or batch.created_at, batch_id, 2**62)


def _seconds(page: Callable[[], Any]) -> float:
    """The fastest of several times, the first of which fills the caches."""
    times = []
    for _ in range(REPEATS):
        began = time.monotonic()
        page()
        times.append(time.monotonic() - began)
    return min(times)


def _plan_of_page(chosen: Any, after: Any) -> str:
    from astronote.common.sql import rows
    from messaging.message_log import PAGE_ROWS, build_page_sql

    sql, params = build_page_sql(chosen, after=after, size=PAGE_ROWS)
    return "\n".join(line for (line,) in rows(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", params))
