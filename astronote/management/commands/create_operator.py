"""`manage.py create_operator`: an account for the admin, with a role."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from astronote.accounts import operators, password_links, roles


class Command(BaseCommand):
    help = (
        "Create an operator, and print the link with which it sets its password. A viewer looks; an"
        " operator also runs campaigns, imports and stores; a service operator also sends service"
        " messages; an administrator also manages operators, erases persons, deletes and sees the"
        " queues."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", choices=roles.ROLES, required=True)
        parser.add_argument(
            "--password", help="instead of the link; other users of the machine may see it"
        )

    def handle(self, *, email: str, role: str, password: str | None, **options: Any) -> None:
        try:
            account = operators.create_operator_and_audit(
                email, role, by="command line", password=password
            )
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        self.stdout.write(f"{role} {account.pk} created")
        if not password:
            link = password_links.make_password_link_and_audit(account, by="command line")
            self.stdout.write(f"Set the password within 24 hours: {link}")
