"""Sending messages: Mitto, batches, credits, receipts and replies."""

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    """Sending through Mitto; `operations.py` registers what other apps show and run."""

    name = "messaging"
    verbose_name = "SMS messages"
