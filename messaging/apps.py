"""Sending messages: Mitto, batches, credits, receipts and replies."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    """Sending through Mitto; `operations.py` registers what other apps show and run."""

    name = "messaging"
    verbose_name = _("SMS messages")
