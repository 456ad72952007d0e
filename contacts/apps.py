"""The app of contacts, their consent, lists, suppressions and imports."""

from django.apps import AppConfig


class ContactsConfig(AppConfig):
    """Contacts and who may be messaged."""

    name = "contacts"
    verbose_name = "Customers"
