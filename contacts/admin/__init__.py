"""Contacts, consent, lists, imports and suppressions in the admin."""

from contacts.admin import contacts, imports, suppressions

__all__ = ["contacts", "imports", "suppressions"]
