"""`manage.py create_operator`: an account for the admin, with a role."""

import getpass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from astronote.accounts import roles


class Command(BaseCommand):
    help = (
        "Create an operator. A viewer looks; an operator also runs campaigns, imports and stores;"
        " a service operator also sends service messages; an administrator also erases persons,"
        " deletes and sees the queues."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", choices=roles.ROLES, required=True)
        parser.add_argument("--password", help="asked for if it is not given")

    @transaction.atomic
    def handle(self, *, email: str, role: str, password: str | None, **options: Any) -> None:
        password = password or getpass.getpass("Password: ")
        try:
            account = get_user_model().objects.create_user(email, password, is_staff=True)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        account.groups.add(roles.create_or_update_role_group(role))
        self.stdout.write(f"{role} {account.pk} created")
