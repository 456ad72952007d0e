"""The page of the message log, and its CSV file."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common import audit
from astronote.common.admin_lists import (
    SESSION_STORE,
    STORES_SUGGESTED,
    find_stores_by_name_or_email,
)
from astronote.common.store_time import format_store_time_or_dash
from astronote.models import User
from messaging import message_log
from messaging.message_log import LogEntry, LogFilter, Place
from messaging.models import message_classes
from messaging.statuses import STATUS_WORDS, MessageStatus

AFTER = "after"
EARLIEST, LATEST = date(2000, 1, 1), date(2200, 1, 1)
DATE_INPUT = {"type": "date"}


class LogForm(forms.Form):
    """Which messages are shown; what is left empty does not filter."""

    store = forms.CharField(
        label=_("Store"),
        required=False,
        max_length=320,
        widget=forms.TextInput({"list": "stores", "autocomplete": "off"}),
    )
    first = forms.DateField(
        label=_("From"),
        required=False,
        widget=forms.DateInput(DATE_INPUT),
        validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)],
    )
    last = forms.DateField(
        label=_("to"),
        required=False,
        widget=forms.DateInput(DATE_INPUT),
        validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)],
    )
    status = forms.ChoiceField(
        label=_("Status"), choices=[("", _("any")), *STATUS_WORDS.items()], required=False
    )
    kind = forms.ChoiceField(label=_("Kind"), required=False)
    number = forms.CharField(
        label=_("Number"), required=False, max_length=40, help_text=_("In any form.")
    )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        field = self.fields["kind"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            ("", gettext("any")),
            *sorted((one.batch_kind, str(one.kind_name)) for one in message_classes()),
        ]

    def clean_store(self) -> User | None:
        """The one store with this name or e-mail address, or whose name begins so.

        Raises:
            ValidationError: if there is none, or several.
        """
        name = self.cleaned_data["store"].strip()
        if not name:
            return None
        found = find_stores_by_name_or_email(User.objects.filter(is_staff=False), name)
        if len(found) != 1:
            raise forms.ValidationError(
                gettext("Several stores begin so.") if found else gettext("No store begins so.")
            )
        store: User = found[0]
        return store

    def log_filter(self) -> LogFilter:
        """The filter of a valid form."""
        return LogFilter(**self.cleaned_data)


def log_urls(site: admin.AdminSite) -> list[URLPattern]:
    """The addresses of the log, below that of the list of direct messages."""
    views = {"log/": (log_view, "log"), "log.csv": (log_csv_view, "log_csv")}
    return [
        path(route, site.admin_view(view), {"site": site}, name=f"messaging_{name}")
        for route, (view, name) in views.items()
    ]


def log_view(request: HttpRequest, site: admin.AdminSite) -> HttpResponse:
    """A page of the log, newest first; at first of the store that a list has shown last."""
    _require_view_of_all_messages(request)
    form = LogForm(request.GET or _store_shown_last(request))
    entries: list[LogEntry] = []
    next_url = ""
    store = None
    if form.is_valid():
        chosen = form.log_filter()
        store = chosen.store
        after = Place.from_text(request.GET.get(AFTER, ""))
        entries = message_log.read_page(chosen, after=after, size=message_log.PAGE_ROWS + 1)
        if len(entries) > message_log.PAGE_ROWS:
            entries = entries[: message_log.PAGE_ROWS]
            next_url = f"?{_filter_params(form)}&{urlencode({AFTER: entries[-1].place.to_text()})}"
    stores = User.objects.in_bulk({entry.owner_id for entry in entries})
    context = {
        **site.each_context(request),
        "title": gettext("Message log"),
        "form": form,
        "store": store,
        "rows": [
            (
                entry._replace(  # for people
                    kind=str(entry.message_class.kind_name),
                    status=str(STATUS_WORDS[MessageStatus(entry.status)]),
                ),
                format_store_time_or_dash(entry.at, stores[entry.owner_id]),
                stores[entry.owner_id],
                _message_url(entry),
            )
            for entry in entries
        ],
        "next_url": next_url,
        "newest_url": f"?{_filter_params(form)}",
        "csv_url": f"{reverse('admin:messaging_log_csv')}?{_filter_params(form)}",
        "is_first": AFTER not in request.GET,
        "suggested_stores": [
            str(one)
            for one in User.objects.filter(is_staff=False).order_by("company")[:STORES_SUGGESTED]
        ],
    }
    return TemplateResponse(request, "messaging/message_log.html", context)


def log_csv_view(request: HttpRequest, site: admin.AdminSite) -> HttpResponseBase:
    """All messages that the filter leaves, as a CSV file."""
    _require_view_of_all_messages(request)
    form = LogForm(request.GET)
    if not form.is_valid():
        return log_view(request, site)
    chosen = form.log_filter()
    audit.write_entry(
        "messages exported", by=request.user, owner_id=chosen.store.pk if chosen.store else None
    )
    return StreamingHttpResponse(
        message_log.log_csv_lines(chosen),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="messages.csv"'},
    )


def _require_view_of_all_messages(request: HttpRequest) -> None:
    names = [
        f"{model._meta.app_label}.view_{model._meta.model_name}" for model in message_classes()
    ]
    if not request.user.has_perms(names):
        raise PermissionDenied


def _store_shown_last(request: HttpRequest) -> dict[str, str]:
    store = User.objects.filter(pk=request.session.get(SESSION_STORE)).first()
    return {"store": store.email} if store else {}


def _filter_params(form: LogForm) -> str:
    return urlencode({name: form[name].value() or "" for name in form.fields})


def _message_url(entry: LogEntry) -> str:
    meta = entry.message_class._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[entry.id])
