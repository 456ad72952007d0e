"""Base classes of the admin's lists: columns, the store shown, rights, and the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.utils import NotRelationField, get_fields_from_path, unquote
from django.contrib.auth import get_user_model
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db import models
from django.db.models.query import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.admin_paging import NEWER, OLDER, BoundedPaginator, KeysetChangeList
from astronote.common.store_time import format_store_time_or_dash
from astronote.common.stored_words import json_in_words

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

STORE_PARAMETER = "owner__id__exact"
STORE_NAME_PARAMETER = "store"
SESSION_STORE = "store_of_lists"
STORES_SUGGESTED = 300
LOOKUPS_OF_FILTERS = {"id", "exact", "in", "isnull"}
STORE_OF_CHOICES = "store_of_choices"  # as in admin.js
# Of a list that grows with customers and messages: any other order would sort the whole table.
KEY_ONLY = ("id",)


class LargeTableAdmin(ModelAdmin):
    """A list for big tables: no full count, related rows in one query, newest first.

    It shows one store or all; times are in the zone of each row's store. `list_keys` are the orders
    in which it is paged by key, each with an index.
    """

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they count every row for every choice
    list_fullwidth = True
    list_per_page = 50
    ordering = ("-pk",)
    list_keys: tuple[str, ...] = ("-pk", "pk")
    list_before_template = "astronote/store_of_list.html"
    column_labels: dict[str, str | StrPromise] = {}
    # Of fields that store codes: how a value is written in words. JSON needs no entry.
    words: dict[str, Callable[[Any], str]] = {}
    empty_hint: str | StrPromise = _("They come by themselves as the system works.")

    @cached_property
    def has_store_as_owner(self) -> bool:
        """Whether the rows belong to stores."""
        try:
            field = self.model._meta.get_field("owner")
        except FieldDoesNotExist:
            return False
        return field.related_model is get_user_model()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows; to choose from in a form, those of the store that the form names."""
        queryset: QuerySet[Any] = super().get_queryset(request)
        store = request.GET.get(STORE_OF_CHOICES, "")
        is_choice = self.has_store_as_owner and request.path == reverse("admin:autocomplete")
        return queryset.filter(owner=store) if is_choice and store.isdecimal() else queryset

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """The list that is paged by key."""
        return KeysetChangeList

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """The columns; times and numbers are written as everywhere."""
        return [
            self._time_or_number_as_formatted_column(name)
            for name in self.in_words(super().get_list_display(request))
        ]

    def in_words(self, names: Iterable[Any]) -> list[Any]:
        """Columns or read-only fields; of those that store codes or JSON, functions in words."""
        return [
            self._fields_in_words.get(name, name) if isinstance(name, str) else name
            for name in names
        ]

    @cached_property
    def _fields_in_words(self) -> dict[str, Callable[[Any], str]]:
        """Of each field that stores codes or JSON, by its name, what it shows of a row."""
        fields = self.model._meta.concrete_fields
        words = {one.name: json_in_words for one in fields if isinstance(one, models.JSONField)}
        return {
            name: self._make_sortable_column(
                name,
                self.column_labels.get(name) or self.model._meta.get_field(name).verbose_name,
                _without_row(write),
            )
            for name, write in {**words, **self.words}.items()
        }

    def _time_or_number_as_formatted_column(self, name: Any) -> Any:
        """A column that is a time or a figure, as a function that writes it; others as they are."""
        if not isinstance(name, str) or hasattr(self, name):
            return name
        try:
            field = get_fields_from_path(self.model, name)[-1]
        except (FieldDoesNotExist, NotRelationField):
            return name
        label = self.column_labels.get(name) or str(getattr(field, "verbose_name", name))
        if isinstance(field, models.DateTimeField):
            return self._make_sortable_column(name, label, self._format_time_in_zone_of_store)
        is_figure = isinstance(field, models.IntegerField) and not (
            field.primary_key or field.choices or name.endswith("_id")
        )
        if is_figure:
            return self._make_sortable_column(name, label, lambda _, value: intcomma(value))
        return name

    def _format_time_in_zone_of_store(self, row: Any, value: Any) -> str:
        return format_store_time_or_dash(value, row.owner if self.has_store_as_owner else None)

    def _make_sortable_column(
        self, name: str, label: str | StrPromise, write: Callable[[Any, Any], str]
    ) -> Callable[[Any], str]:
        @admin.display(description=label, ordering=name, empty_value="–")
        def column(row: Any) -> str:
            value = getattr(row, name)
            return "–" if value in (None, "", {}, []) else write(row, value)

        column.__name__ = name
        return column

    def get_list_select_related(self, request: HttpRequest) -> Any:
        """The related rows of the columns, and the store, whose zone times are written in."""
        related = super().get_list_select_related(request)
        if self.has_store_as_owner and isinstance(related, list | tuple) and "owner" not in related:
            return [*related, "owner"]
        return related if related or not self.has_store_as_owner else ["owner"]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list of the store that the address names, or of the one that was shown last."""
        context = {"times_have_zones": True, **(extra_context or {})}
        if not self.has_store_as_owner or request.method != "GET":
            return cast(HttpResponse, super().changelist_view(request, context))
        params = request.GET.copy()
        stores = get_user_model()._default_manager.filter(is_staff=False)
        if STORE_NAME_PARAMETER in params:
            name = params.pop(STORE_NAME_PARAMETER)[-1].strip()
            params.pop(STORE_PARAMETER, None)
            request.session[SESSION_STORE] = None
            if name:
                named = find_stores_by_name_or_email(stores, name)
                if len(named) == 1:
                    params[STORE_PARAMETER] = str(named[0].pk)
                else:
                    found = (
                        gettext("Several stores begin with “%(name)s”.")
                        if named
                        else gettext("No store begins with “%(name)s”.")
                    )
                    self.message_user(request, found % {"name": name}, "warning")
            return redirect(f"{request.path}?{params.urlencode()}")
        if not params and (remembered := request.session.get(SESSION_STORE)):
            return redirect(f"{request.path}?{STORE_PARAMETER}={remembered}")
        shown = params.get(STORE_PARAMETER, "")
        store = stores.filter(pk=shown).first() if shown.isdecimal() else None
        if store and request.session.get(SESSION_STORE) != store.pk:
            request.session[SESSION_STORE] = store.pk
        context |= {
            "shown_store": store,
            "suggested_stores": [str(one) for one in stores.order_by("company")[:STORES_SUGGESTED]],
            "kept_params": [
                (key, value)
                for key, value in params.items()
                if key not in (STORE_PARAMETER, OLDER, NEWER, "p", "e")
            ],
        }
        return cast(HttpResponse, super().changelist_view(request, context))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not of a row that others keep: Django would ask, and then refuse."""
        may_delete = bool(super().has_delete_permission(request, obj))
        return may_delete and (obj is None or not self._is_protected_from_deletion(obj))

    def _is_protected_from_deletion(self, row: models.Model) -> bool:
        """Whether rows refer to this one that protect it, or that nobody may delete."""
        return any(
            relation.related_model._base_manager.filter(**{relation.field.name: row}).exists()
            for relation in self._relations_that_prevent_deletion
        )

    @cached_property
    def _relations_that_prevent_deletion(self) -> list[Any]:
        """By which rows refer to those of this list and keep them from being deleted."""
        return [
            relation
            for relation in self.model._meta.related_objects
            if relation.on_delete in (models.PROTECT, models.RESTRICT)
            or (
                relation.on_delete is models.CASCADE
                and isinstance(self.admin_site._registry.get(relation.related_model), ReadOnlyAdmin)
            )
        ]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without deleting of many where it may be refused: each row's page says whether it is."""
        actions = cast("dict[str, Any]", super().get_actions(request))
        if self._relations_that_prevent_deletion:
            actions.pop("delete_selected", None)
        return actions

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow that of the store, those of what the list shows, and ids of related rows.

        Any other would tell a secret letter by letter: Django allows that of an account's password,
        and of the keys of its sessions. Only the comparisons are allowed that filters make: a
        regular expression may be a wrong one, or keep PostgreSQL busy, and Django fails at year 0.
        """
        name, *rest = lookup.split("__")
        if lookup == STORE_PARAMETER and self.has_store_as_owner:
            return True
        filters = self.get_list_filter(request)
        if lookup in {getattr(one, "parameter_name", None) for one in filters}:
            return True
        try:
            field = self.model._meta.get_field(name)
        except FieldDoesNotExist:  # the name of a filter, or of nothing
            return bool(super().lookup_allowed(lookup, value, request))
        if not LOOKUPS_OF_FILTERS.issuperset(rest):
            return False
        if field.is_relation:
            return bool(field.many_to_one) and rest[:1] in ([], ["id"], ["exact"], ["isnull"])
        shown = {*self.list_display, *filters, "id"}
        return name in shown and bool(super().lookup_allowed(lookup, value, request))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """A new row is of the store that the lists show, or of the only one."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        if self.has_store_as_owner and "owner" not in initial:
            stores = User.objects.filter(is_staff=False, left_at=None).values_list("pk", flat=True)
            shown = stores.filter(pk=request.session.get(SESSION_STORE)) or stores[:2]
            if len(shown) == 1:
                initial["owner"] = shown[0]
        return initial

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        """The row; an empty `_to_field` of the address counts as none, and is no fault."""
        return super().get_object(request, object_id, from_field or None)

    def formfield_for_foreignkey(
        self, db_field: models.ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Nothing is written for a store that has left."""
        if db_field.name == "owner":
            kwargs.setdefault("queryset", User.objects.filter(left_at=None))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What the audit trail says of the row: what was done with it by whatever way."""
        row = self.get_object(request, unquote(object_id))
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        if row is None:
            missing = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return cast(HttpResponse, missing)
        trail = reverse("admin:astronote_auditentry_changelist")
        return redirect(f"{trail}?{urlencode({'q': audit.subject_in_trail(row)})}")

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        """Write to the audit trail, too, that a row was added by hand."""
        _write_audit_entry_of_row("added", request, obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        """Write to the audit trail, too, which fields were changed by hand."""
        if fields := _changed_fields_of_log_message(message):
            _write_audit_entry_of_row("changed", request, obj, fields=fields)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Any:
        """Write to the audit trail, too, which rows were deleted by hand."""
        for row in queryset:
            _write_audit_entry_of_row("deleted", request, row)
        return super().log_deletions(request, queryset)


def find_stores_by_name_or_email(stores: QuerySet[Any], name_or_email: str) -> list[Any]:
    """The stores with this name or e-mail address, else those whose name begins with it.

    Two at most: they tell whether it is one.
    """
    is_called = models.Q(company__iexact=name_or_email) | models.Q(email__iexact=name_or_email)
    begins = models.Q(company__istartswith=name_or_email) | models.Q(
        email__istartswith=name_or_email
    )
    return list(stores.filter(is_called)[:2]) or list(stores.filter(begins)[:2])


def _without_row(write: Callable[[Any], str]) -> Callable[[Any, Any], str]:
    return lambda _, value: write(value)


def _write_audit_entry_of_row(
    action: str, request: HttpRequest, row: models.Model, **details: Any
) -> None:
    owner_id = row.pk if isinstance(row, User) else None
    audit.write_entry(action, row, by=request.user, owner_id=owner_id, **details)


def _changed_fields_of_log_message(message: Any) -> list[str]:
    """The fields in Django's description of a change, which is a list or a text."""
    parts = message if isinstance(message, list) else []
    return [name for part in parts for name in part.get("changed", {}).get("fields", [])]


class ReadOnlyAdmin(LargeTableAdmin):
    """A list of rows that only the system writes."""

    sortable_by = KEY_ONLY

    def get_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[Any]:
        """The fields; those that store codes or JSON are written in words."""
        return self.in_words(super().get_fields(request, obj))

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Nobody adds rows."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nobody changes rows."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Nobody deletes rows."""
        return False
