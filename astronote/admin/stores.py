"""Stores in the admin; operators are in `operators.py`."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.admin import Group  # type: ignore[attr-defined]  # registers it
from django.db.models import Field, QuerySet
from django.forms import ChoiceField, ModelForm
from django.forms import Field as FormField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS, country_code_for_region
from unfold.widgets import UnfoldAdminSelectWidget

from astronote.common import audit
from astronote.common.admin_lists import LargeTableAdmin
from astronote.common.country_zones import only_zone_of_country
from astronote.models import User
from astronote.operations import registry, store_page
from astronote.operations.registry import NewStoreField

# Groups are the roles of `accounts/roles.py`; the pages of operators give them.
admin.site.unregister(Group)


def _time_zone_or_region_choices_of_field(field_name: str) -> list[tuple[str, str]]:
    """What a field of a store is chosen from though the model takes any text."""
    if field_name == "timezone":
        return [(name, name.replace("_", " ")) for name in sorted(available_timezones())]
    if field_name == "phone_region":
        codes = [
            (region, f"{region}, +{country_code_for_region(region)}")
            for region in sorted(SUPPORTED_REGIONS)
        ]
        return [("", gettext("the default")), *codes]
    return []


class NewStoreForm(ModelForm):  # type: ignore[type-arg]  # no generic at run time
    """A new store, whose time zone is that of its country unless one is chosen."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = self.fields["timezone"]
        assert isinstance(zone, ChoiceField)
        zone.required = False
        zone.choices = [
            ("", gettext("that of the country")),
            *_time_zone_or_region_choices_of_field("timezone"),
        ]
        self.initial["timezone"] = ""

    def clean(self) -> dict[str, Any]:
        """Fill in the time zone of the country.

        Raises:
            ValidationError: if clocks differ within the country.
        """
        data = super().clean() or self.cleaned_data
        if not data.get("timezone") and "timezone" not in self.errors:
            country = data.get("phone_region") or settings.DEFAULT_PHONE_REGION
            data["timezone"] = only_zone_of_country(country)
            if not data["timezone"]:
                self.add_error(
                    "timezone",
                    gettext("%(country)s has several time zones: choose one.")
                    % {"country": country},
                )
        return data


def _new_store_fields_of_operator(request: HttpRequest) -> list[NewStoreField]:
    return [field for field in registry.new_store_fields if request.user.has_perm(field.permission)]


@admin.register(User)
class StoreAdmin(LargeTableAdmin):
    empty_hint = _("A store holds customers and credits, and sends under its own sender ID.")
    list_display = ["email", "company", "sender_name", "subscription_status", "billing_hold"]
    list_filter = ["subscription_status", "billing_hold"]
    search_fields = ["email", "company"]
    ordering = ("email",)
    fieldsets = [
        (None, {"fields": ["email"]}),
        (
            _("Store"),
            {
                "fields": [
                    "company",
                    "sender_name",
                    "timezone",
                    "phone_region",
                    "retention_days",
                    "business_profile",
                    "weekly_exports",
                ]
            },
        ),
        (
            _("Customers' texts"),
            {
                "fields": [
                    "language",
                    "writes_greek_in_capitals",
                    "opt_out_line",
                    "privacy_notice_url",
                    "sends_to_any_number",
                ]
            },
        ),
        (_("Service messages"), {"fields": ["service_max_recipients"]}),
        (
            _("Consent"),
            {"fields": ["double_opt_in", "opt_in_wording", "opt_in_version", "confirms_opt_outs"]},
        ),
        (_("Billing"), {"fields": ["subscription_status", "billing_hold", "billing_hold_reason"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["email"]}),
        (_("Store"), {"fields": ["company", "sender_name", "timezone", "phone_region"]}),
    ]
    change_form_outer_before_template = "astronote/store.html"

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """A new store is asked only for what it needs to send."""
        if obj:
            return super().get_fieldsets(request, obj)
        names = [field.name for field in _new_store_fields_of_operator(request)]
        return [
            *self.add_fieldsets,
            *([(gettext("To begin with"), {"fields": names})] if names else []),
        ]

    def get_form(
        self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The form of a new store fills in its time zone, and has what the apps ask for."""
        if obj is None:
            fields = {
                field.name: field.make_field() for field in _new_store_fields_of_operator(request)
            }
            kwargs["form"] = type("NewStoreForm", (NewStoreForm,), fields)
        return super().get_form(request, obj, change, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        stores: QuerySet[User] = super().get_queryset(request).filter(is_staff=False)
        return stores

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> FormField | None:
        if db_field.name == "privacy_notice_url":
            kwargs["assume_scheme"] = "https"
        field: FormField | None = super().formfield_for_dbfield(db_field, request, **kwargs)
        choices = _time_zone_or_region_choices_of_field(db_field.name)
        if field is None or not choices:
            return field
        return ChoiceField(
            choices=choices,
            required=field.required,
            label=field.label,
            help_text=field.help_text,
            initial=field.initial,
            widget=UnfoldAdminSelectWidget(),
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        store = self.get_object(request, object_id)
        panels: dict[str, Any] = {}
        if store and self.has_view_permission(request, store):
            panels = store_page.render_store_panels_context(request, store)
        page: HttpResponse = super().change_view(request, object_id, form_url, panels)
        return page

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Administrators alone change the limit of service messages."""
        fields = tuple(super().get_readonly_fields(request, obj))
        if not request.user.has_perm("astronote.change_service_limit"):
            fields += ("service_max_recipients",)
        return fields

    def save_model(
        self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool
    ) -> None:
        if not change:
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)
        if not change:
            assert isinstance(request.user, User)  # the admin has no anonymous users
            for field in _new_store_fields_of_operator(request):
                if value := form.cleaned_data[field.name]:
                    field.use(obj, value, request.user)
        if change and "sender_name" in form.changed_data:
            audit.write_entry("sender ID changed", obj, by=request.user, owner_id=obj.pk)
        if change and "service_max_recipients" in form.changed_data:
            audit.write_entry(
                "service limit changed",
                obj,
                by=request.user,
                owner_id=obj.pk,
                service_max_recipients=obj.service_max_recipients,
            )

    def response_add(
        self, request: HttpRequest, obj: User, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Go to the store's page, where its customers are imported."""
        if "_addanother" in request.POST:
            page: HttpResponse = super().response_add(request, obj, post_url_continue)
            return page
        messages.success(request, gettext("%(store)s: added") % {"store": obj})
        return redirect("admin:astronote_user_change", obj.pk)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody: a store is off-boarded, with all that belongs to it."""
        return False
