"""The WSGI application that the web server runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections

from astronote.processes import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "astronote.settings")
site = get_wsgi_application()

from messaging import webhooks  # noqa: E402 (its models need the settings)

end_with_parent()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request; webhooks have a shorter way than pages."""
    if environ.get("PATH_INFO", "").startswith(webhooks.PREFIX):
        close_old_connections()  # as Django does at the beginning of each of its requests
        return webhooks.application(environ, start_response)
    return site(environ, start_response)
