"""Retention runs in the admin."""

from django.contrib import admin

from compliance import models
from contacts.listing import ReadOnlyListing


@admin.register(models.RetentionRun)
class RetentionRunAdmin(ReadOnlyListing):
    list_display = ["id", "status", "retention_days", "counts", "started_at", "finished_at"]


@admin.register(models.RetentionAction)
class RetentionActionAdmin(ReadOnlyListing):
    list_display = ["run_id", "table", "action", "rows", "created_at"]
