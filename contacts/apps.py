"""The app of contacts, their consent, lists, suppressions and imports."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ContactsConfig(AppConfig):
    """Contacts and who may be messaged."""

    name = "contacts"
    verbose_name = _("Customers")
