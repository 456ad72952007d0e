"""Stores and operators in the admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from astronote import store_page
from astronote.models import User
from contacts.listing import Listing

# Roles have the permissions that `roles.py` says; `create_operator` gives them.
admin.site.unregister(Group)


@admin.register(User)
class StoreAdmin(Listing, UserAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["email", "company", "sender_name", "subscription_status", "billing_hold"]
    list_filter = ["subscription_status", "billing_hold", "is_staff"]
    search_fields = ["email", "company"]
    ordering = ["email"]
    fieldsets = [
        (None, {"fields": ["email", "password"]}),
        ("Store", {"fields": ["company", "sender_name", "timezone", "phone_region",
                              "retention_days", "business_profile"]}),
        ("Billing", {"fields": ["subscription_status", "billing_hold", "billing_hold_reason"]}),
        ("Access", {"fields": ["is_active", "is_staff", "is_superuser", "groups"]}),
    ]  # fmt: skip
    add_fieldsets = [(None, {"fields": ["email", "password1", "password2"]})]
    change_form_outer_before_template = "astronote/store.html"
    filter_horizontal = ()

    def change_view(self, request, object_id, form_url="", extra_context=None):
        store = self.get_object(request, object_id)
        seen = store and not store.is_staff and self.has_view_permission(request, store)
        shown = store_page.beside_the_fields(request, store) if seen else {}
        return super().change_view(request, object_id, form_url, shown)

    def get_readonly_fields(self, request, obj=None):
        """Nobody makes himself an administrator."""
        own = super().get_readonly_fields(request, obj)
        access = ("is_active", "is_staff", "is_superuser", "groups")
        return own if request.user.is_superuser else (*own, *access)

    def has_change_permission(self, request, obj=None):
        """Accounts of operators are changed by superusers, so that nobody takes one over."""
        foreign = obj is not None and obj.is_staff and not request.user.is_superuser
        return not foreign and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        foreign = obj is not None and obj.is_staff and not request.user.is_superuser
        return not foreign and super().has_delete_permission(request, obj)
