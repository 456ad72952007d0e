"""Finding the store or operator that a command names."""

from django.core.management.base import CommandError
from django.db.models import Q

from astronote.accounts.models import User


def get_store_or_command_error(email_or_id: str) -> User:
    """The store of this e-mail address or id.

    Raises:
        CommandError: if there is none.
    """
    wanted = Q(pk=int(email_or_id)) if email_or_id.isdecimal() else Q(email=email_or_id.lower())
    store: User | None = User.objects.filter(wanted, is_staff=False).first()
    if store is None:
        raise CommandError(f"no store has the e-mail address or id {email_or_id!r}")
    return store


def get_operator_or_command_error(email: str) -> User:
    """The active operator with this e-mail address.

    Raises:
        CommandError: if there is none.
    """
    operators = User.objects.filter(email=email.strip().lower(), is_staff=True, is_active=True)
    account: User | None = operators.first()
    if account is None:
        raise CommandError(f"no active operator has the e-mail address {email!r}")
    return account
