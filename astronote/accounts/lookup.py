"""Finding the store that a command names."""

from django.core.management.base import CommandError
from django.db.models import Q

from astronote.accounts.models import User


def find_store(name: str) -> User:
    """The store of this e-mail address or id.

    Raises:
        CommandError: if there is none.
    """
    wanted = Q(pk=int(name)) if name.isdigit() else Q(email=name.lower())
    store: User | None = User.objects.filter(wanted).first()
    if store is None:
        raise CommandError(f"no store has the e-mail address or id {name!r}")
    return store
