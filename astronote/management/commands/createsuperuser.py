"""`manage.py createsuperuser`: Django's own, with an entry in the audit trail."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.management.commands import createsuperuser

from astronote.common import audit


class Command(createsuperuser.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        account = get_user_model().objects.filter(is_superuser=True).latest("pk")
        audit.write_entry("superuser created", account, by="command line")
