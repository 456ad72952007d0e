"""The app of the unsubscribe page, retention, and the rights of a person."""

from django.apps import AppConfig


class ComplianceConfig(AppConfig):
    """Unsubscribe page, retention, and the rights of a person."""

    name = "compliance"
    verbose_name = "Privacy and proof"
