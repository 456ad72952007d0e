"""What retention did; no personal data is kept here (data model, section 7)."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from contacts.constraints import one_of


class RetentionStatus(models.TextChoices):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class ActionType(models.TextChoices):
    NULLIFY = "nullify"
    ANONYMISE = "anonymise"
    DELETE = "delete"


class RetentionRun(models.Model):
    """One run of the retention job and its counts."""

    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    retention_days = models.IntegerField()
    cutoff = models.DateTimeField()
    status = models.CharField(
        max_length=12, choices=RetentionStatus.choices, default=RetentionStatus.RUNNING
    )
    dry_run = models.BooleanField(default=False)
    counts = models.JSONField(default=dict)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [one_of("status", RetentionStatus, "retentionrun_status_known")]


class RetentionAction(models.Model):
    """One chunk of rows that a run changed."""

    run = models.ForeignKey(RetentionRun, models.CASCADE)
    table = models.CharField(max_length=80)
    action = models.CharField(max_length=12, choices=ActionType.choices)
    rows = models.IntegerField()
    first_id = models.BigIntegerField()
    last_id = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [one_of("action", ActionType, "retentionaction_action_known")]
