"""Stores and operators in the admin."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from astronote.models import User


@admin.register(User)
class StoreAdmin(UserAdmin):
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
