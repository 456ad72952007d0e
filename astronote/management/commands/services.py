"""`manage.py services`: the embedded PostgreSQL and Redis in a terminal of their own."""

import signal
import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from astronote.processes.embedded import EmbeddedError, EmbeddedServices


class Command(BaseCommand):
    help = "Run the embedded PostgreSQL and Redis until Ctrl-C, for commands typed one by one."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        if not settings.EMBEDDED_POSTGRES and not settings.EMBEDDED_REDIS:
            raise CommandError("DATABASE_URL and REDIS_URL are set: nothing to run")
        for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell had SIGINT ignored
            signal.signal(number, signal.default_int_handler)
        services = EmbeddedServices(
            settings.BASE_DIR,
            postgres=settings.EMBEDDED_POSTGRES,
            redis=settings.EMBEDDED_REDIS,
        )
        try:
            services.start()
            if not services.started:
                raise CommandError("they run already, in another terminal")
            call_command("migrate", verbosity=0)
            self.stdout.write(f"Running: {', '.join(services.started)}. Ctrl-C stops them.")
            while True:
                services.raise_if_a_server_ended()
                time.sleep(0.5)
        except EmbeddedError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            pass
        finally:
            services.stop()
