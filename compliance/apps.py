"""The app of the unsubscribe page, retention, and the rights of a person."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ComplianceConfig(AppConfig):
    """Unsubscribe page, retention, and the rights of a person."""

    name = "compliance"
    verbose_name = _("Privacy and proof")
