"""Contacts, consent, lists, events, imports and suppressions in the admin."""

from contacts.admin import contacts, customer_events, imports, suppressions

__all__ = ["contacts", "customer_events", "imports", "suppressions"]
