"""Retention runs and actions; they hold no personal data."""

from __future__ import annotations

from django.apps import apps
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from astronote.common.constraints import choice_constraint
from astronote.common.counts import format_count


class RetentionStatus(models.TextChoices):
    """Where a retention run is."""

    RUNNING = "running", _("Running")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")


class ActionType(models.TextChoices):
    """What retention does with rows."""

    NULLIFY = "nullify", _("Nullify")
    ANONYMISE = "anonymise", _("Anonymise")
    DELETE = "delete", _("Delete")


def table_in_words(table: str) -> str:
    """What the rows of a table are called on screens; a table without a model keeps its name."""
    names = {one._meta.db_table: one._meta.verbose_name_plural for one in apps.get_models()}
    return str(names.get(table, table))


class RetentionRun(models.Model):
    """One run of retention, with the number of rows by table."""

    started_at = models.DateTimeField(_("started at"), db_default=Now())
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    retention_days = models.IntegerField(_("retention days"))
    cutoff = models.DateTimeField(_("cutoff"))
    status = models.CharField(
        _("status"), max_length=12, choices=RetentionStatus.choices, default=RetentionStatus.RUNNING
    )
    dry_run = models.BooleanField(_("only counted"), default=False)
    counts = models.JSONField(_("counts"), default=dict)
    error = models.CharField(_("error"), max_length=500, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("retention run"), _("retention runs")
        constraints = [choice_constraint("status", RetentionStatus, "retentionrun_status_known")]

    def __str__(self) -> str:
        return gettext("retention run %(id)s") % {"id": self.pk}


class RetentionAction(models.Model):
    """One chunk of rows that a retention run changed."""

    run = models.ForeignKey(RetentionRun, models.CASCADE, verbose_name=_("run"))
    table = models.CharField(_("table"), max_length=80)
    action = models.CharField(_("action"), max_length=12, choices=ActionType.choices)
    rows = models.IntegerField(_("rows"))
    first_id = models.BigIntegerField(_("first id"))
    last_id = models.BigIntegerField(_("last id"))
    created_at = models.DateTimeField(_("created at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("retention action"), _("retention actions")
        constraints = [choice_constraint("action", ActionType, "retentionaction_action_known")]

    def __str__(self) -> str:
        return ngettext(
            "%(action)s %(count)s row of %(table)s",
            "%(action)s %(count)s rows of %(table)s",
            self.rows,
        ) % {
            "action": self.get_action_display(),
            "count": format_count(self.rows),
            "table": table_in_words(self.table),
        }
