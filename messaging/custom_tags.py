"""Which tags of a text are custom fields of its store."""

from __future__ import annotations

from contacts.models import CustomField
from messaging.text import Template


def custom_keys_if_tags_unknown(owner_id: int | None, text: str) -> tuple[str, ...]:
    """The keys of the store's custom fields, if a text has tags that are not those of all stores.

    Most texts have none, and then nothing is read.
    """
    if owner_id is None or not Template(text).unknown_tags:
        return ()
    keys = CustomField.objects.filter(owner=owner_id).order_by("key")
    return tuple(keys.values_list("key", flat=True))
