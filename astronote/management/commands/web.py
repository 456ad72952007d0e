"""`manage.py web`: the web server alone."""

import socket
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from astronote.common.postgres_server import check_postgres_server
from astronote.processes.web_server import (
    ListenError,
    listening_socket,
    serve_on_until_sigterm,
)


class Command(BaseCommand):
    help = (
        "Run the web server. SIGHUP replaces its processes one after another, without losing a"
        " request. A socket that systemd passes is used."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--bind", default=settings.BIND_ADDRESS, help="address to listen on")
        parser.add_argument("--port", type=int, default=settings.PORT)
        parser.add_argument("--processes", type=int, default=settings.WEB_CONCURRENCY)
        parser.add_argument("--fd", type=int, help="listen on this open socket instead")

    def handle(
        self, *, bind: str, port: int, processes: int, fd: int | None, **options: Any
    ) -> None:
        check_postgres_server()
        try:
            listener = listening_socket(bind, port) if fd is None else socket.socket(fileno=fd)
        except ListenError as error:
            raise CommandError(str(error)) from None
        serve_on_until_sigterm(listener, processes)
