"""Contacts, consent, lists, events, imports and suppressions in the admin."""

from contacts.admin import contacts, custom_fields, customer_events, imports, suppressions

__all__ = ["contacts", "custom_fields", "customer_events", "imports", "suppressions"]
