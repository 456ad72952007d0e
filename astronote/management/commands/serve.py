"""`manage.py serve`: web, workers and scheduler under one supervisor."""

import signal
import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from astronote.common.postgres_server import check_postgres_server
from astronote.processes import supervisor
from astronote.processes.embedded import EmbeddedError, EmbeddedServices
from astronote.processes.web_server import ListenError, listening_socket
from astronote.queues.catalogue import QUEUES


class Command(BaseCommand):
    help = (
        "Run the web server and, unless START_WORKER=0, all workers and the scheduler. SIGHUP"
        " replaces them, such as after an update, without losing a request."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bind", default=settings.BIND_ADDRESS, help="address to listen on")
        parser.add_argument("--port", type=int, default=settings.PORT)

    def handle(self, *, bind: str, port: int, **options: Any) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell had SIGINT ignored
            signal.signal(number, signal.default_int_handler)
        services = EmbeddedServices(
            settings.BASE_DIR,
            postgres=settings.EMBEDDED_POSTGRES,
            redis=settings.EMBEDDED_REDIS,
        )
        group = supervisor.ProcessGroup()
        signal.signal(signal.SIGHUP, lambda *_: group.signal_all_to_end_or_reload("web"))
        try:
            services.start()
            check_postgres_server()
            if services.started:
                call_command("migrate", verbosity=0)
            listener = listening_socket(bind, port)
            group.pass_fd_to_processes_started_later(listener.fileno())
            web = supervisor.web_command(port, settings.WEB_CONCURRENCY, fd=listener.fileno())
            group.start("web", web)
            if settings.START_WORKER and not settings.QUEUE_DISABLED:
                for queue in QUEUES:
                    variable = queue.concurrency_variable
                    for slot in range(getattr(settings, variable) if variable else 1):
                        command = supervisor.manage_command("rqworker", queue.name)
                        group.start(f"{queue.name}-{slot + 1}", command)
                group.start("scheduler", supervisor.manage_command("rqscheduler"))
            if settings.ALERT_WEBHOOK_URL or settings.EMAIL_URL:
                group.start("alerts", supervisor.manage_command("alerts"))
            self.stdout.write(f"Serving on http://{bind}:{port}; Ctrl-C stops it.")
            while True:
                time.sleep(1)
                services.raise_if_a_server_ended()
                for name in group.restart_dead_and_return_names():
                    self.stderr.write(f"{name} had ended and was started again")
        except (EmbeddedError, ListenError) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            pass
        finally:
            group.stop()
            services.stop()
