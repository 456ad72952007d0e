"""Django as a WSGI application; the web server runs `rsgi.py`, which calls it."""

from __future__ import annotations

import os
import sys

from django.core.wsgi import get_wsgi_application
from django.db import NotSupportedError

from astronote.common.postgres_server import check_postgres_server
from astronote.processes.ending import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "astronote.settings")
application = get_wsgi_application()

try:
    check_postgres_server()
except NotSupportedError as error:
    sys.exit(f"astronote: {error} DATABASE_URL names the server.")

end_with_parent()
