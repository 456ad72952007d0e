"""The WSGI application that the web server runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.db import NotSupportedError, close_old_connections

from astronote.common.postgres_version import check_postgres_version
from astronote.processes.supervisor import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "astronote.settings")
django_application = get_wsgi_application()

from astronote.operations import registry  # noqa: E402 (its models need the settings)

try:
    check_postgres_version()
except NotSupportedError as error:
    sys.exit(f"astronote: {error} DATABASE_URL names the server.")

PLAIN_APPLICATIONS = tuple((path.prefix, path.application) for path in registry.wsgi_paths)

end_with_parent()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request; registered prefixes skip Django's middleware."""
    requested = environ.get("PATH_INFO", "")
    for prefix, plain_application in PLAIN_APPLICATIONS:
        if requested.startswith(prefix):
            close_old_connections()  # as Django does at the beginning of each request
            return plain_application(environ, start_response)
    return django_application(environ, start_response)
