"""Contacts, consent and lists in the admin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from astronote.accounts.models import User
from astronote.common import audit
from astronote.common.admin_lists import KEY_ONLY, LargeTableAdmin, ReadOnlyAdmin
from astronote.common.stored_words import json_in_words, label_of
from contacts import models
from contacts.consent_sources import describe_consent_source
from contacts.contact_page import contact_actions, contact_erasures, contact_panels
from contacts.custom_fields import MAX_TEXT, fields_of_store, read_value
from contacts.importing.cells import UnusableCell
from contacts.importing.phone_cells import parse_phone_to_e164_or_raise_unusable
from contacts.phones import phone_region_of_store_or_default
from contacts.search import search_contacts_by_beginnings

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

CUSTOM_PREFIX = "custom_"
CUSTOM_HELP: dict[str, StrPromise] = {
    models.CustomFieldType.NUMBER: _("A number, such as 12.5."),
    models.CustomFieldType.DATE: _("A date, such as 2026-05-17."),
}


class ContactForm(forms.ModelForm):
    """Accepts a phone number as people write it and stores it in E.164."""

    def clean(self) -> dict[str, Any]:
        """Read the number as one of the store's country if it names no country."""
        cleaned = super().clean() or self.cleaned_data
        owner, phone = cleaned.get("owner"), cleaned.get("phone")
        if owner and phone:
            try:
                cleaned["phone"] = parse_phone_to_e164_or_raise_unusable(
                    phone, phone_region_of_store_or_default(owner)
                )
            except UnusableCell as problem:
                self.add_error("phone", str(problem))
        self._take_custom_values(cleaned)
        return cleaned

    def _take_custom_values(self, cleaned: dict[str, Any]) -> None:
        """Give the contact the values of the controls of custom fields, if it has them."""
        values = dict(self.instance.custom_values)
        for field in getattr(self, "custom_fields", ()):
            name = CUSTOM_PREFIX + field.key
            try:
                value = read_value(field, cleaned.get(name, ""))
            except UnusableCell as problem:
                self.add_error(name, str(problem))
                continue
            values.pop(field.key, None)
            if value is not None:
                values[field.key] = value
        self.instance.custom_values = values


class ConsentHistory(TabularInline):
    """The consent events of a contact, newest first."""

    model = models.ConsentEvent
    fields = readonly_fields = [
        "created_at",
        "type",
        "source_in_words",
        "decided_at",
        "actor",
        "wording",
        "version",
        "proof",
    ]
    ordering = ["-pk"]
    extra = 0
    can_delete = False

    @admin.display(description=_("source"))
    def source_in_words(self, event: models.ConsentEvent) -> str:
        return describe_consent_source(event.source)

    @admin.display(description=_("details"), empty_value="–")
    def proof(self, event: models.ConsentEvent) -> str | None:
        return json_in_words(event.meta) if event.meta else None

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


class OptedOutFilter(admin.SimpleListFilter):
    """Contacts that opted out and are not anonymised yet, found by retention's small index."""

    title = _("consent")
    parameter_name = "opted_out"

    def lookups(self, request, model_admin):
        return [("1", gettext("opted out"))]

    def queryset(self, request, queryset):
        opted_out = queryset.filter(unsubscribed_at__isnull=False, anonymised_at=None)
        return opted_out if self.value() else queryset


@admin.register(models.Contact)
class ContactAdmin(LargeTableAdmin):
    empty_hint = _("Customers of a store come from an import of its list, or one by one.")
    form = ContactForm
    list_display = [
        "id",
        "owner",
        "phone",
        "first_name",
        "last_name",
        "is_subscribed",
        "restricted_at",
    ]
    sortable_by = KEY_ONLY
    list_filter = [OptedOutFilter]
    list_select_related = ["owner"]
    search_fields = ["phone"]
    search_help_text = _("The beginning of a name, number or e-mail address.")
    autocomplete_fields = ["owner"]
    change_form_outer_before_template = "contacts/contact_panels.html"

    PERSON_FIELDS = ["owner", "phone", "first_name", "last_name", "email", "gender", "birthday"]
    # Read-only, so that every change goes through `change_consent` and has a consent event.
    CONSENT_FIELDS = [
        "is_subscribed",
        "service_allowed",
        "unsubscribed_at",
        "gdpr_consent_at",
        "gdpr_consent_source",
        "gdpr_consent_version",
        "sms_consent_status",
        "sms_consent_at",
        "sms_consent_source",
        "consent_evidence",
    ]
    readonly_fields = [*CONSENT_FIELDS, "anonymised_at", "restricted_at", "restricted_reason"]
    words = {
        "gdpr_consent_source": describe_consent_source,
        "sms_consent_status": label_of(models.SmsConsentStatus),
        "sms_consent_source": describe_consent_source,
    }

    def get_fieldsets(self, request, obj=None):
        """A new contact has no consent and no retention fields yet."""
        person = (None, {"fields": self.PERSON_FIELDS})
        if obj is None:
            return [person]
        names = [CUSTOM_PREFIX + field.key for field in fields_of_store(obj.owner)]
        if not self._may_edit(request, obj):
            names = ["custom_values_as_text"]
        return [
            person,
            *([(gettext("Custom fields"), {"fields": names})] if names else []),
            (gettext("Retention"), {"fields": ["erase_on", "legal_hold", "anonymised_at"]}),
            (gettext("Restriction"), {"fields": ["restricted_at", "restricted_reason"]}),
            (gettext("Consent"), {"fields": self.in_words(self.CONSENT_FIELDS)}),
        ]

    def get_readonly_fields(self, request, obj=None):
        """Of a restricted contact nothing is changed but by the rights of the person."""
        kept = [*self.PERSON_FIELDS, "erase_on"] if obj and obj.restricted_at else []
        return [*self.in_words(self.readonly_fields), "custom_values_as_text", *kept]

    def _may_edit(self, request: HttpRequest, contact: models.Contact) -> bool:
        return self.has_change_permission(request, contact) and not contact.restricted_at

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """With a control for each custom field of the contact's store."""
        if obj is not None and self._may_edit(request, obj):
            fields = fields_of_store(obj.owner)
            controls = {
                CUSTOM_PREFIX + field.key: forms.CharField(
                    label=field.label,
                    required=False,
                    max_length=MAX_TEXT,
                    initial=obj.custom_values.get(field.key, ""),
                    help_text=CUSTOM_HELP.get(field.type, ""),
                    widget=UnfoldAdminTextInputWidget,
                )
                for field in fields
            }
            kwargs["form"] = type(
                "ContactForm", (ContactForm,), {**controls, "custom_fields": fields}
            )
        return super().get_form(request, obj, **kwargs)

    @admin.display(description=_("custom fields"), empty_value="–")
    def custom_values_as_text(self, contact: models.Contact) -> str:
        labels = {field.key: field.label for field in fields_of_store(contact.owner)}
        return "; ".join(
            f"{labels.get(key, key)}: {value}" for key, value in contact.custom_values.items()
        )

    def get_inlines(self, request, obj):
        return [ConsentHistory] if obj else []

    def get_search_results(self, request, queryset, search_term):
        return search_contacts_by_beginnings(queryset, search_term), False

    def save_model(
        self, request: HttpRequest, obj: models.Contact, form: forms.ModelForm, change: bool
    ) -> None:
        """Save what the form changes: an opt-out may have come since the page was opened."""
        if not change:
            obj.awaits_welcome = True
            super().save_model(request, obj, form, change)
            return
        with transaction.atomic():
            changed = obj.lock_and_get_changed_owner_and_phone()
            changed_fields = {
                "custom_values" if name.startswith(CUSTOM_PREFIX) else name
                for name in form.changed_data
            }
            fields = [*changed_fields, "updated_at"]
            obj.save(update_fields=fields, actor=audit.account_id_or_program_name(request.user))
            if changed:
                audit.write_entry("consent reset", obj, by=request.user, changed=changed)
                if len(changed) > 1:
                    message = gettext(
                        "The contact has another store and number, so it starts without consent."
                    )
                elif "owner" in changed:
                    message = gettext(
                        "The contact has another store, so it starts without consent."
                    )
                else:
                    message = gettext(
                        "The contact has another number, so it starts without consent."
                    )
                self.message_user(request, message, messages.WARNING)

    def _get_base_actions(self) -> list[tuple[Callable[..., Any], str, str]]:
        """The admin's own actions and those that the apps registered."""
        registered = [
            (action.function, action.name, action.list_label) for action in contact_actions
        ]
        return [*super()._get_base_actions(), *registered]

    def _filter_actions_by_permissions(
        self, request: HttpRequest, actions: Iterable[tuple[Callable[..., Any], str, str]]
    ) -> list[tuple[Callable[..., Any], str, str]]:
        allowed = super()._filter_actions_by_permissions(request, actions)
        return [
            action for action in allowed if self._is_builtin_action_or_permitted(request, action[1])
        ]

    def _is_builtin_action_or_permitted(self, request: HttpRequest, name: str) -> bool:
        action = contact_actions.get(name)
        return action is None or getattr(self, f"has_{action.permission}_permission")(request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The contact's fields, below the panels and actions that the apps registered."""
        contact = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if contact and self.has_view_permission(request):
            panels = sorted(contact_panels, key=lambda panel: panel.order)
            context = {
                "panels": [
                    render_to_string(panel.template, dict(panel.context(request, contact)), request)
                    for panel in panels
                ],
                "contact_actions": [
                    action
                    for action in contact_actions
                    if self._is_builtin_action_or_permitted(request, action.name)
                    and action.applies(contact)
                ],
            }
        return super().change_view(request, object_id, form_url, context)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a contact under a legal hold."""
        is_held = obj is not None and obj.legal_hold
        return not is_held and super().has_delete_permission(request, obj)

    def delete_model(self, request: HttpRequest, contact_to_erase: models.Contact) -> None:
        """Erase the contact instead of deleting it: its messages would keep the number."""
        assert isinstance(request.user, User)  # the admin has no anonymous users
        for erasure in contact_erasures:
            erasure.erase(contact_to_erase, request.user)

    def delete_queryset(
        self, request: HttpRequest, contacts_to_erase: QuerySet[models.Contact]
    ) -> None:
        """Erase each contact."""
        for contact in contacts_to_erase:
            self.delete_model(request, contact)


@admin.register(models.ListMembership)
class ListMembershipAdmin(ReadOnlyAdmin):
    list_display = ["list", "contact", "created_at"]
    list_select_related = ["list", "contact"]


@admin.register(models.ConsentEvent)
class ConsentEventAdmin(ReadOnlyAdmin):
    list_display = ["contact", "type", "source", "created_at"]
    list_filter = ["type"]
    list_select_related = ["contact"]
    words = {"source": describe_consent_source}


@admin.register(models.OptInRequest)
class OptInRequestAdmin(ReadOnlyAdmin):
    list_display = [
        "contact",
        "purpose",
        "created_at",
        "expires_at",
        "answered_at",
        "closed_at",
        "attempts",
    ]
    list_filter = ["purpose"]
    list_select_related = ["contact"]
    search_fields = ["=contact__id"]
    search_help_text = _("The id of a contact.")


@admin.register(models.RejectedRow)
class RejectedRowAdmin(ReadOnlyAdmin):
    list_display = ["contact_import_id", "line", "column", "value", "reason"]
    words = {"row": "; ".join}
