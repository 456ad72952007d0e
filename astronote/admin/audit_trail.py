"""The audit trail in the admin: who did what to which row, each by its present name.

The trail itself has ids alone, so that no name stays in it after an erasure (`common/audit.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.views import ChangeList

from astronote.accounts.models import Operator
from astronote.common import audit
from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.admin_paging import KeysetChangeList
from astronote.common.audit import AuditEntry
from astronote.common.sql import rows


class WhoFilter(admin.SimpleListFilter):
    """What one operator did, or what programs did."""

    title = _("who")
    parameter_name = "who"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        operators = Operator.objects.order_by("email").values_list("pk", "email")
        return [("programs", gettext("programs")), *((str(pk), email) for pk, email in operators)]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry]
    ) -> QuerySet[AuditEntry]:
        chosen = self.value() or ""
        if chosen == "programs":
            return queryset.exclude(actor_name__startswith="account ")
        is_key = chosen.isdecimal() and len(chosen) < 19
        return queryset.filter(actor=int(chosen)) if is_key else queryset


class ActionFilter(admin.SimpleListFilter):
    """Entries of one action, of all that the trail has."""

    title = _("did")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(action, action) for (action,) in rows(ACTIONS)]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry]
    ) -> QuerySet[AuditEntry]:
        return queryset.filter(action=self.value()) if self.value() else queryset


# Steps from action to action through their index: SELECT DISTINCT would read every entry.
ACTIONS = """
    WITH RECURSIVE found (action) AS (
        SELECT min(action) FROM astronote_auditentry
        UNION ALL
        SELECT (SELECT min(e.action) FROM astronote_auditentry e WHERE e.action > found.action)
        FROM found WHERE found.action IS NOT NULL)
    SELECT action FROM found WHERE action IS NOT NULL
"""


class AuditChangeList(KeysetChangeList):
    """The entries of a page, with the rows that they are about: a query for each kind of row."""

    def get_results(self, request: HttpRequest) -> None:
        """The entries, each with its row as `subject_row`."""
        super().get_results(request)
        audit.find_subject_rows(self.result_list)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what to which row."""

    list_display = fields = ["at", "who", "action", "what", "owner", "details_in_words"]
    list_filter = [WhoFilter, ActionFilter]
    list_select_related = ["owner", "actor"]
    search_fields = ["subject"]
    search_help_text = _("What it was done to, by its kind and number, such as: campaign 12.")

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> AuditEntry | None:
        """The entry, with the row that it is about."""
        entry: AuditEntry | None = super().get_object(request, object_id, from_field)
        if entry is not None:
            audit.find_subject_rows([entry])
        return entry

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AuditChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """The entries of one row, by their index."""
        subject = search_term.strip()
        return queryset.filter(subject=subject) if subject else queryset, False

    @admin.display(description=_("who"))
    def who(self, entry: AuditEntry) -> str:
        return entry.actor.email if entry.actor else entry.actor_name

    @admin.display(description=_("what"))
    def what(self, entry: AuditEntry) -> str | SafeString:
        label, row = entry.subject_in_words, entry.subject_row
        if row is None:
            return label or "–"
        try:
            address = reverse(
                f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]
            )
        except NoReverseMatch:
            return label
        return format_html('<a class="underline" href="{}">{}</a>', address, label)

    @admin.display(description=_("details"))
    def details_in_words(self, entry: AuditEntry) -> str:
        return _write_details(entry.details)


def _write_details(details: Any) -> str:
    """Details such as `{"messages": 4}` as people read them: `messages: 4`.

    An amount of money is in cents, beside its currency.
    """
    if isinstance(details, Mapping):
        if isinstance(details.get("amount"), int) and "currency" in details:
            euros_or_dollars = f"{details['currency']} {details['amount'] / 100:,.2f}"
            details = {
                name: euros_or_dollars if name == "amount" else value
                for name, value in details.items()
                if name != "currency"
            }
        return "; ".join(
            f"{str(name).replace('_', ' ')}: {_write_details(value)}"
            for name, value in details.items()
        )
    if isinstance(details, list):
        # Mostly names of fields.
        return ", ".join(_write_details(value).replace("_", " ") for value in details)
    if isinstance(details, bool) or details is None:
        return {True: gettext("yes"), False: gettext("no"), None: gettext("none")}[details]
    return intcomma(details) if isinstance(details, int) else str(details)
