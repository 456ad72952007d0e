"""`manage.py operator`: show an operator, or change its role, access, second factor or sessions."""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from astronote.accounts import operators, password_links, roles, second_factor, sessions
from astronote.accounts.models import Operator

BY = "command line"


class Command(BaseCommand):
    help = "Show an operator, or change its role and access."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--role", choices=roles.ROLES, help="give it this role alone")
        access = parser.add_mutually_exclusive_group()
        access.add_argument("--disable", action="store_true", help="end its sessions, too")
        access.add_argument("--enable", action="store_true", help="let it log in again")
        parser.add_argument("--end-sessions", action="store_true", help="log it out everywhere")
        parser.add_argument(
            "--remove-second-factor", action="store_true", help="when phone and codes are lost"
        )
        parser.add_argument(
            "--link", action="store_true", help="print a link with which it sets its password"
        )
        parser.add_argument("--json", action="store_true")

    @transaction.atomic
    def handle(self, *, email: str, **options: Any) -> None:
        account = Operator.objects.filter(email=email.strip().lower()).first()
        if account is None:
            raise CommandError(f"no operator has the e-mail address {email!r}")
        try:
            if options["role"]:
                operators.change_role(account, options["role"], by=BY)
            if options["disable"] or options["enable"]:
                operators.set_active(account, options["enable"], by=BY)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        if options["end_sessions"]:
            operators.end_one_or_all_sessions_and_audit(account, by=BY)
        if options["remove_second_factor"]:
            second_factor.remove_all_factors_and_audit(account, by=BY)
        answer = {
            "id": account.pk,
            "email": account.email,
            "role": operators.highest_role_or_superuser_or_empty(
                Operator.objects.get(pk=account.pk)
            ),
            "active": account.is_active,
            "second_factor": second_factor.has_confirmed_authenticator_app(account),
            "sessions": len(sessions.list_usable_sessions(account)),
        }
        if options["link"]:
            answer["link"] = password_links.make_password_link_and_audit(account, by=BY)
        lines = "\n".join(f"{name}: {value}" for name, value in answer.items())
        self.stdout.write(json.dumps(answer) if options["json"] else lines)
