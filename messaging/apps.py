"""How messages go out: Mitto, batches, credits and receipts."""

from django.apps import AppConfig


class MessagingConfig(AppConfig):
    name = "messaging"
