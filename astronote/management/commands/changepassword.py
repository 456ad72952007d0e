"""`manage.py changepassword`: Django's own, with an entry in the audit trail."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.management.commands import changepassword

from astronote.common import audit


class Command(changepassword.Command):
    def handle(self, *args: Any, **options: Any) -> str | None:
        answer = super().handle(*args, **options)
        account = get_user_model().objects.get_by_natural_key(options["username"])
        audit.write_entry("password changed", account, by="command line")
        return answer
