"""Who may be messaged: contacts, consent, lists and their import."""

from django.apps import AppConfig


class ContactsConfig(AppConfig):
    name = "contacts"
