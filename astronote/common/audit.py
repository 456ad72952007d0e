"""The audit trail: who did what to which row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from astronote.accounts.models import User


class AuditEntry(models.Model):
    """Something an operator or the watchdog did; append-only, without personal data."""

    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("actor"),
    )
    actor_name = models.CharField(
        _("who"), max_length=80, help_text=_("an account's id, or a program")
    )
    action = models.CharField(_("did"), max_length=60)
    subject = models.CharField(
        _("what"), max_length=60, blank=True, help_text=_("such as: campaign 12")
    )
    # Deleting a store leaves its audit trail, with its id.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
        verbose_name=_("store"),
    )
    details = models.JSONField(_("details"), default=dict)

    class Meta:
        verbose_name, verbose_name_plural = _("audit entry"), _("audit entries")
        indexes = [
            models.Index(fields=["subject"], name="auditentry_subject"),
            models.Index(fields=["action", "id"], name="auditentry_action"),
            models.Index(fields=["owner", "id"], name="auditentry_owner"),
            models.Index(fields=["actor", "id"], name="auditentry_actor"),
        ]

    # The row that it was done to, once `find_subject_rows` has looked for it.
    subject_row: models.Model | None = None

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action}"

    @property
    def subject_in_words(self) -> str:
        """The row by its present name, such as `campaign Spring sale`; its id if it is deleted."""
        if self.subject_row is None:
            return (
                gettext("%(subject)s (deleted)") % {"subject": self.subject} if self.subject else ""
            )
        # The subject is stored in English; kind and name are in the language of the page.
        kind, name = str(self.subject_row._meta.verbose_name), str(self.subject_row)
        # Some names say what they are, such as `batch 7` and `dispute 1` of a refund or dispute.
        return name if name.split(" ")[0].lower() in kind.split() else f"{kind} {name}"


def subject_kind_of_model(model: type[models.Model]) -> str:
    """What the audit trail calls the rows of a model, such as `campaign`."""
    return model._meta.verbose_name_raw  # stored, so it is English in every language


def subject_in_trail(row: models.Model) -> str:
    """What the audit trail calls a row: its kind and its key, such as `campaign 12`."""
    kind = getattr(row, "kind_of_account", None) or subject_kind_of_model(type(row))
    return f"{kind} {row.pk}"


def find_subject_rows(entries: Sequence[AuditEntry]) -> None:
    """Give each entry the row that it is about, if it still exists: a query for each kind."""
    keys: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        kind, _, key = entry.subject.rpartition(" ")
        keys[kind].add(key)
    found = {
        f"{kind} {pk}": row
        for kind, model in _models_by_kind().items()
        if kind in keys
        for pk, row in model._default_manager.in_bulk(_valid_keys(model, keys[kind])).items()
    }
    for entry in entries:
        entry.subject_row = found.get(entry.subject)


def _models_by_kind() -> dict[str, type[models.Model]]:
    ours = (model for model in apps.get_models() if model._meta.app_label in settings.PROJECT_APPS)
    return {subject_kind_of_model(model): model for model in ours}


def _valid_keys(model: type[models.Model], keys: set[str]) -> list[str]:
    """Those that the model's key may be."""
    is_number = isinstance(model._meta.pk, models.IntegerField)
    return [key for key in keys if not is_number or (key.isdecimal() and len(key) < 19)]


def account_id_or_program_name(by: User | AnonymousUser | str) -> str:
    """The name of an account or program in the audit trail; an account's is its id."""
    return f"account {by.pk}" if isinstance(by, models.Model) else str(by)


def write_entry(
    action: str,
    subject: models.Model | None = None,
    *,
    by: User | AnonymousUser | str,
    owner_id: int | None = None,
    **details: Any,
) -> None:
    """Write to the audit trail that somebody did something.

    Args:
        action: what was done, such as `pause`.
        subject: the row it was done to; its store is taken from it unless `owner_id` is given.
        by: an account, or a program's name.
        owner_id: the store concerned.
        details: plain values; never a phone number, a name or a text.
    """
    account = by if isinstance(by, models.Model) else None
    AuditEntry.objects.create(
        actor=account,
        actor_name=account_id_or_program_name(by),
        action=action,
        subject=subject_in_trail(subject) if subject else "",
        owner_id=owner_id or getattr(subject, "owner_id", None),
        details=details,
    )
