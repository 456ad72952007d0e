"""Finding the store that a command names."""

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError


def find_store(name: str):
    """The store of this e-mail address or id.

    Raises:
        CommandError: if there is none.
    """
    stores = get_user_model().objects
    wanted = {"pk": int(name)} if name.isdigit() else {"email": name.lower()}
    store = stores.filter(**wanted).first()
    if store is None:
        raise CommandError(f"no store has the e-mail address or id {name!r}")
    return store
