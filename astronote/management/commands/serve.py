"""`manage.py serve`: web, workers and scheduler under one supervisor."""

import signal
import time

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from astronote import processes
from astronote.embedded import EmbeddedError, EmbeddedServices
from astronote.queues import QUEUES


class Command(BaseCommand):
    help = "Run the web server and, unless START_WORKER=0, all workers and the scheduler."

    def handle(self, **options):
        for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell had SIGINT ignored
            signal.signal(number, signal.default_int_handler)
        env = settings.ENV
        services = EmbeddedServices(
            settings.BASE_DIR,
            postgres=settings.EMBEDDED_POSTGRES,
            redis=settings.EMBEDDED_REDIS,
        )
        group = processes.Processes()
        try:
            services.start()
            if services.started:
                call_command("migrate", verbosity=0)
            group.start("web", processes.web(env["PORT"], env["WEB_CONCURRENCY"]))
            if env["START_WORKER"] and not settings.QUEUE_DISABLED:
                for queue in QUEUES:
                    variable = queue.concurrency_variable
                    for slot in range(env[variable] if variable else 1):
                        command = processes.manage("rqworker", queue.name)
                        group.start(f"{queue.name}-{slot + 1}", command)
                group.start("scheduler", processes.manage("rqscheduler"))
            self.stdout.write(f"Serving on http://127.0.0.1:{env['PORT']}; Ctrl-C stops it.")
            while True:
                time.sleep(1)
                services.check()
                for name in group.replace_dead():
                    self.stderr.write(f"{name} had ended and was started again")
        except EmbeddedError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            pass
        finally:
            group.stop()
            services.stop()
