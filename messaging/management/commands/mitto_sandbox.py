"""`manage.py mitto_sandbox`: run the sandbox with the installation's settings."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from messaging import sandbox


class Command(BaseCommand):
    help = "Run a server that behaves like Mitto, with faults on request, until Ctrl-C."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        secrets = settings.WEBHOOK_SECRET
        sandbox.add_arguments(
            parser,
            port=settings.MITTO_SANDBOX_PORT,
            key=settings.MITTO_API_KEY,
            secret=secrets[0] if secrets else "",
        )
        parser.set_defaults(webhook=f"{settings.PUBLIC_WEB_BASE_URL}/webhooks/mitto/delivery")

    def handle(self, **options: Any) -> None:
        sandbox.run(options)
