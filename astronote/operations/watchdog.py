"""The watchdog: finds what is stuck and sets it going again (rules.md#watchdog).

Apps register the repairs. Each looks at the state of rows, never at a window of time that a
standstill could outlast, and writes what it repaired to the audit trail.
"""

from __future__ import annotations

import logging

from astronote.common.locks import advisory_lock
from astronote.operations import registry

log = logging.getLogger(__name__)

NAME = "watchdog"  # as actor of the audit trail


def run_watchdog(*, dry_run: bool = False) -> dict[str, int]:
    """Do every repair once; return how many stuck things each found.

    A dry run changes nothing. While another run is at work the result is empty.
    """
    with advisory_lock(NAME) as acquired:
        if not acquired:
            return {}
        counts = {repair.name: repair.run(dry_run) for repair in registry.repairs}
    if any(counts.values()):
        log.warning("watchdog%s: %s", " (dry run)" if dry_run else "", counts)
    return counts


def preview_watchdog() -> dict[str, int]:
    """How many stuck things each repair would find now, by its label; nothing is changed."""
    counts = run_watchdog(dry_run=True)
    return {str(one.label): counts[one.name] for one in registry.repairs if one.name in counts}
