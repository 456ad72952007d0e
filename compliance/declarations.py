"""What compliance stores, none of which is personal data (docs/rules.md#personal-data)."""

from __future__ import annotations

from astronote.operations import registry
from astronote.operations.personal_data import STATES_OF_WORK, NoPersonalData

registry.no_personal_data.register(
    NoPersonalData(
        "compliance.RetentionRun",
        (
            "started_at",
            "finished_at",
            "cutoff",
            "status",
            "counts",
            "error",
            "retention_days",
            "dry_run",
        ),
        STATES_OF_WORK,
    ),
    NoPersonalData(
        "compliance.RetentionAction",
        ("table", "action", "created_at", "rows", "first_id", "last_id"),
        STATES_OF_WORK,
    ),
)
