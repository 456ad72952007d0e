"""Customer events in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from astronote.common.admin_lists import KEY_ONLY, LargeTableAdmin
from contacts.customer_events import (
    WrittenEvent,
    event_as_written,
    read_written_event_or_raise_unusable,
)
from contacts.importing.cells import UnusableCell
from contacts.importing.phone_cells import PhoneReader
from contacts.models import Contact, CustomerEvent
from contacts.phones import phone_region_of_store_or_default

TIME_HELP = _("Such as 2026-05-17 10:00, on the store's clock.")


class CustomerEventForm(forms.ModelForm):
    """An event as a person writes it, read as those of a file are."""

    number = forms.CharField(
        help_text=_("The customer's number; it must be a contact of the store."),
        widget=UnfoldAdminTextInputWidget,
        label=_("Number"),
    )
    start = forms.CharField(
        required=False, help_text=TIME_HELP, widget=UnfoldAdminTextInputWidget, label=_("Start")
    )
    end = forms.CharField(
        required=False, help_text=TIME_HELP, widget=UnfoldAdminTextInputWidget, label=_("End")
    )
    value = forms.CharField(
        required=False,
        help_text=_("Of a purchase, such as 12.50."),
        widget=UnfoldAdminTextInputWidget,
        label=_("Value"),
    )

    class Meta:
        model = CustomerEvent
        fields = ("owner", "event_type", "status", "external_ref")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial = {**event_as_written(self.instance)._asdict(), **self.initial}

    def clean(self) -> dict[str, Any]:
        """Find the contact and read the times and the value.

        Raises:
            ValidationError: if they cannot be read, or no contact has the number.
        """
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        store = cleaned.get("owner") or self.instance.owner
        written = WrittenEvent(
            cleaned["number"],
            cleaned["event_type"],
            cleaned["start"],
            cleaned["end"],
            cleaned["status"],
            cleaned["external_ref"],
            cleaned["value"],
        )
        try:
            event = read_written_event_or_raise_unusable(
                written, store, PhoneReader(phone_region_of_store_or_default(store))
            )
        except UnusableCell as problem:
            raise forms.ValidationError(str(problem)) from None
        contact = Contact.objects.filter(owner=store, phone=event.phone).first()
        if contact is None or contact.restricted_at:
            raise forms.ValidationError(
                gettext("The data of the contact with this number may only be stored.")
                if contact
                else gettext("No contact of the store has this number.")
            )
        self.instance.contact = contact
        self.instance.start_at, self.instance.end_at = event.start_at, event.end_at
        others = {key: kept for key, kept in (self.instance.meta or {}).items() if key != "value"}
        self.instance.meta = {**others, **(event.meta or {})} or None
        return cleaned


@admin.register(CustomerEvent)
class CustomerEventAdmin(LargeTableAdmin):
    empty_hint = _("Appointments, stays, purchases and visits come from files or one by one.")
    form = CustomerEventForm
    list_display = ["event_type", "owner", "contact", "status", "start_at", "end_at"]
    sortable_by = KEY_ONLY
    list_filter = ["event_type", "status"]
    list_select_related = ["owner", "contact"]
    search_fields = ["=external_ref"]
    search_help_text = _("The store's reference of an event.")
    autocomplete_fields = ["owner"]
    fields = ["owner", "number", "event_type", "status", "start", "end", "external_ref", "value"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who may only look sees the columns: the form's own fields are none of the model."""
        if obj is not None and not self.has_change_permission(request, obj):
            return self.in_words(
                [
                    "owner",
                    "contact",
                    "event_type",
                    "status",
                    "start_at",
                    "end_at",
                    "external_ref",
                    "meta",
                ]
            )
        return super().get_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """An event stays with its store."""
        return ["owner"] if obj is not None else []
