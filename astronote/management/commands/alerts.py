"""`manage.py alerts`: tells by e-mail and webhook what the banners of the admin say."""

import signal
import time
from typing import Any

from django.core.management.base import BaseCommand

from astronote.operations.alerts import Alerts

SECONDS = 60


class Command(BaseCommand):
    help = (
        "Ask every minute what is wrong, as the banners of the admin say it, and tell it to"
        " ALERT_WEBHOOK_URL and to the operators who get alerts by e-mail."
    )

    def handle(self, **options: Any) -> None:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        alerts = Alerts()
        try:
            while True:
                alerts.tell_alerts()
                time.sleep(SECONDS)
        except KeyboardInterrupt:
            pass
