"""Stores and operators in the admin."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db.models import Field, ForeignObjectRel
from django.forms import ChoiceField, ModelForm
from django.forms import Field as FormField
from django.http import HttpRequest, HttpResponse
from phonenumbers import SUPPORTED_REGIONS, country_code_for_region
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from astronote.common import audit
from astronote.common.admin_lists import LargeTableAdmin
from astronote.models import User
from astronote.operations import store_page

# Groups are the roles of `accounts/roles.py`; `create_operator` gives them.
admin.site.unregister(Group)

ACCESS_FIELDS = ("is_active", "is_staff", "is_superuser", "groups")


def _has_rows_besides_audit(account: User) -> bool:
    """Whether rows of any app belong to the account, its audit trail left out."""
    return any(
        relation.related_model._base_manager.filter(**{relation.field.name: account}).exists()
        for relation in account._meta.get_fields(include_hidden=True)
        if isinstance(relation, ForeignObjectRel) and relation.related_model is not audit.AuditEntry
    )


def _choices_of(field_name: str) -> list[tuple[str, str]]:
    """What a field of a store is chosen from though the model takes any text."""
    if field_name == "timezone":
        return [(name, name.replace("_", " ")) for name in sorted(available_timezones())]
    if field_name == "phone_region":
        codes = [
            (region, f"{region}, +{country_code_for_region(region)}")
            for region in sorted(SUPPORTED_REGIONS)
        ]
        return [("", "the default"), *codes]
    return []


@admin.register(User)
class StoreAdmin(LargeTableAdmin, UserAdmin):  # type: ignore[misc,type-arg]  # both subclass ModelAdmin
    empty_hint = "A store holds customers and credits, and sends under its own sender ID."
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["email", "company", "sender_name", "subscription_status", "billing_hold"]
    list_filter = ["subscription_status", "billing_hold", "is_staff"]
    search_fields = ["email", "company"]
    ordering = ("email",)  # type: ignore[misc]  # the stubs of the two bases disagree
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        ("Store", {"fields": ["company", "sender_name", "timezone", "phone_region",
                              "retention_days", "business_profile"]}),
        ("Customers' texts", {"fields": ["language", "writes_greek_in_capitals", "opt_out_line",
                                        "privacy_notice_url", "sends_to_any_number"]}),
        ("Service messages", {"fields": ["service_max_recipients"]}),
        ("Consent", {"fields": ["double_opt_in", "opt_in_wording", "opt_in_version",
                                "confirms_opt_outs"]}),
        ("Billing", {"fields": ["subscription_status", "billing_hold", "billing_hold_reason"]}),
        ("Access", {"fields": ACCESS_FIELDS}),
    ]  # fmt: skip
    add_fieldsets = [
        (None, {"fields": ["email", "password1", "password2"]}),
        ("Store", {"fields": ["company", "sender_name", "timezone", "phone_region"]}),
    ]
    change_form_outer_before_template = "astronote/store.html"
    filter_horizontal = ()

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> FormField | None:
        if db_field.name == "privacy_notice_url":
            kwargs["assume_scheme"] = "https"
        choices = _choices_of(db_field.name)
        if choices:
            field = super().formfield_for_dbfield(db_field, request, **kwargs)
            assert field is not None
            return ChoiceField(
                choices=choices,
                required=field.required,
                label=field.label,
                help_text=field.help_text,
                initial=field.initial,
                widget=UnfoldAdminSelectWidget(),
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        store = self.get_object(request, object_id)
        panels: dict[str, Any] = {}
        if store and not store.is_staff and self.has_view_permission(request, store):
            panels = store_page.render_store_panels_context(request, store)
        return super().change_view(request, object_id, form_url, panels)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Only superusers change roles and access, and administrators the limit of service."""
        fields = tuple(super().get_readonly_fields(request, obj))
        if not request.user.has_perm("astronote.change_service_limit"):
            fields += ("service_max_recipients",)
        return fields if request.user.is_superuser else (*fields, *ACCESS_FIELDS)

    def save_model(
        self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
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

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only superusers change operators' accounts, so that nobody takes one over."""
        return self._may_change_account(request, obj) and super().has_change_permission(
            request, obj
        )

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only an account that nothing belongs to: with rows it could never be deleted."""
        return (
            self._may_change_account(request, obj)
            and super().has_delete_permission(request, obj)
            and (obj is None or not _has_rows_besides_audit(obj))
        )

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """No deleting of many: each account is looked at by itself."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        audit.write_entry("account deleted", obj, by=request.user, owner_id=obj.pk)
        super().delete_model(request, obj)

    def _may_change_account(self, request: HttpRequest, account: User | None) -> bool:
        return account is None or not account.is_staff or request.user.is_superuser
