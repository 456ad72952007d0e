"""The audit trail: who did what to which row."""

from __future__ import annotations

from typing import Any

from django.db import models

from contacts.models import AuditEntry


def record(
    action: str,
    subject: models.Model | None = None,
    *,
    by: models.Model | str,
    owner_id: int | None = None,
    **details: Any,
) -> None:
    """Keep that `by`, an account or a program's name, did something.

    Args:
        details: plain values; never a phone number, a name or a text.
    """
    account = by if isinstance(by, models.Model) else None
    AuditEntry.objects.create(
        actor=account,
        actor_name=f"account {account.pk}" if account else str(by),
        action=action,
        subject=f"{subject._meta.verbose_name} {subject.pk}" if subject else "",
        owner_id=owner_id or getattr(subject, "owner_id", None),
        details=details,
    )
