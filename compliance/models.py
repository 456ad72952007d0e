"""Retention runs and actions; they hold no personal data."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import ngettext

from astronote.common.constraints import choice_constraint
from astronote.common.counts import format_count


class RetentionStatus(models.TextChoices):
    """Where a retention run is."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class ActionType(models.TextChoices):
    """What retention does with rows."""

    NULLIFY = "nullify"
    ANONYMISE = "anonymise"
    DELETE = "delete"


class RetentionRun(models.Model):
    """One run of retention, with the number of rows by table."""

    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    retention_days = models.IntegerField()
    cutoff = models.DateTimeField()
    status = models.CharField(
        max_length=12, choices=RetentionStatus.choices, default=RetentionStatus.RUNNING
    )
    dry_run = models.BooleanField("only counted", default=False)
    counts = models.JSONField(default=dict)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [choice_constraint("status", RetentionStatus, "retentionrun_status_known")]

    def __str__(self) -> str:
        return f"retention run {self.pk}"


class RetentionAction(models.Model):
    """One chunk of rows that a retention run changed."""

    run = models.ForeignKey(RetentionRun, models.CASCADE)
    table = models.CharField(max_length=80)
    action = models.CharField(max_length=12, choices=ActionType.choices)
    rows = models.IntegerField()
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [choice_constraint("action", ActionType, "retentionaction_action_known")]

    def __str__(self) -> str:
        return ngettext(
            "%(action)s %(count)s row of %(table)s",
            "%(action)s %(count)s rows of %(table)s",
            self.rows,
        ) % {"action": self.action, "count": format_count(self.rows), "table": self.table}
