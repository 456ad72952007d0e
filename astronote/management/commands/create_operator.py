"""`manage.py create_operator`: an account for the admin, with a role."""

import getpass

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from astronote import roles


class Command(BaseCommand):
    help = (
        "Create an operator. A viewer looks; an operator also runs campaigns, imports and stores;"
        " an administrator also erases persons, deletes and sees the queues."
    )

    def add_arguments(self, parser):
        parser.add_argument("email")
        parser.add_argument("--role", choices=roles.ROLES, required=True)
        parser.add_argument("--password", help="asked for if it is not given")

    @transaction.atomic
    def handle(self, *, email, role, password, **options):
        password = password or getpass.getpass("Password: ")
        try:
            validate_password(password)
            account = get_user_model().objects.create_user(email, password, is_staff=True)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        account.groups.add(roles.group_of(role))
        self.stdout.write(f"{role} {account.pk} created")
