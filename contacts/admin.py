"""Contacts, consent, lists and imports in the admin."""

from django import forms
from django.conf import settings
from django.contrib import admin
from unfold.admin import TabularInline

from contacts import (
    import_admin,  # noqa: F401 - registers itself
    models,
    suppression_admin,  # noqa: F401 - registers itself
)
from contacts.finding import contacts_with
from contacts.listing import Listing, ReadOnlyListing
from contacts.phones import normalise, region_of


class ContactForm(forms.ModelForm):
    """Takes a number as people write it, of the store's country if it names none."""

    def clean(self):
        cleaned = super().clean()
        owner, phone = cleaned.get("owner"), cleaned.get("phone")
        if owner and phone:
            region = region_of(owner)
            cleaned["phone"] = normalise(phone, region)
            if cleaned["phone"] is None:
                problem = f"not a valid phone number (country if none is given: {region})"
                self.add_error("phone", problem)
        return cleaned


class ConsentHistory(TabularInline):
    """What a contact agreed to and withdrew, and how."""

    model = models.ConsentEvent
    fields = readonly_fields = ["created_at", "type", "source", "meta"]
    ordering = ["-pk"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request, obj=None):
        return False

    def has_change_permission(self, request, obj=None):
        return False


class OptedOutFilter(admin.SimpleListFilter):
    """Who opted out and was not anonymised yet: the few that retention's index finds."""

    title = "consent"
    parameter_name = "opted_out"

    def lookups(self, request, model_admin):
        return [("1", "opted out")]

    def queryset(self, request, queryset):
        opted_out = queryset.filter(unsubscribed_at__isnull=False, anonymised_at=None)
        return opted_out if self.value() else queryset


@admin.register(models.Contact)
class ContactAdmin(Listing):
    form = ContactForm
    list_display = ["id", "owner", "phone", "first_name", "last_name", "is_subscribed"]
    list_filter = [OptedOutFilter]
    list_select_related = ["owner"]
    search_fields = ["phone"]
    search_help_text = "A whole number, as people write it."
    autocomplete_fields = ["owner"]

    PERSON = ["owner", "phone", "first_name", "last_name", "email", "gender", "birthday"]
    # Changed by `change_consent` alone, which keeps who did it and how.
    CONSENT = [
        "is_subscribed", "service_allowed", "unsubscribed_at", "gdpr_consent_at",
        "gdpr_consent_source", "gdpr_consent_version", "sms_consent_status", "sms_consent_at",
        "sms_consent_source", "consent_evidence",
    ]  # fmt: skip
    readonly_fields = [*CONSENT, "anonymised_at"]

    def get_fieldsets(self, request, obj=None):
        """A contact that is being made has no consent yet, and nothing to keep it by."""
        person = (None, {"fields": self.PERSON})
        if obj is None:
            return [person]
        kept = ["erase_on", "legal_hold", "anonymised_at"]
        return [
            person,
            ("How long it is kept", {"fields": kept}),
            ("Consent", {"fields": self.CONSENT}),
        ]

    def get_inlines(self, request, obj):
        return [ConsentHistory] if obj else []

    def get_search_results(self, request, queryset, search_term):
        if not search_term.strip():
            return queryset, False
        phone = normalise(search_term, settings.DEFAULT_PHONE_REGION)
        return queryset.filter(pk__in=contacts_with(phone) if phone else []), False

    def save_model(self, request, obj, form, change):
        if not change:
            obj.awaits_welcome = True
        super().save_model(request, obj, form, change)


@admin.register(models.List)
class ListAdmin(Listing):
    list_display = ["name", "owner", "filter_gender", "filter_age_min", "filter_age_max"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    autocomplete_fields = ["owner"]


@admin.register(models.ListMembership)
class ListMembershipAdmin(ReadOnlyListing):
    list_display = ["list", "contact", "created_at"]
    list_select_related = ["list", "contact"]


@admin.register(models.ConsentEvent)
class ConsentEventAdmin(ReadOnlyListing):
    list_display = ["contact", "type", "source", "created_at"]
    list_filter = ["type"]
    list_select_related = ["contact"]


@admin.register(models.AuditEntry)
class AuditEntryAdmin(ReadOnlyListing):
    list_display = ["at", "actor_name", "action", "subject", "owner", "details"]
    list_filter = ["actor_name", "action"]
    list_select_related = ["owner"]
    search_fields = ["=subject"]


@admin.register(models.RejectedRow)
class RejectedRowAdmin(ReadOnlyListing):
    list_display = ["contact_import_id", "line", "column", "value", "reason"]
