"""Which tags of a text are custom fields of its store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from contacts.models import CustomField
from messaging.text import Template


def custom_keys_for_text(
    owner_id: int | None, text: str, other_tags: Collection[str] = ()
) -> tuple[str, ...]:
    """The keys of the store's custom fields, if a text has tags that are not those of all stores.

    Most texts have none, and then nothing is read.

    Args:
        owner_id: the store; None if it is not chosen yet.
        text: the text.
        other_tags: tags that mean something else in this text, with their braces.
    """
    if owner_id is None:
        return ()
    keys = custom_keys_by_store([(owner_id, text)])
    return keys_without_other_meaning(keys.get(owner_id, ()), other_tags)


def custom_keys_by_store(
    texts: Iterable[tuple[int, str]],
) -> dict[int, tuple[str, ...]]:
    """The keys of custom fields by store, for texts of many stores; one query at most.

    Args:
        texts: pairs of a store's id and a text.
    """
    owner_ids = {owner_id for owner_id, text in texts if Template(text).unknown_tags}
    keys: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
    if owner_ids:
        fields = CustomField.objects.filter(owner__in=owner_ids).order_by("key")
        for owner_id, key in fields.values_list("owner", "key"):
            keys[owner_id] += (key,)
    return dict(keys)


def keys_without_other_meaning(keys: Sequence[str], other_tags: Collection[str]) -> tuple[str, ...]:
    """The keys whose tags are none of these tags, which are written with their braces."""
    written = "".join(other_tags)
    return tuple(key for key in keys if not Template(written, (key,)).tags)
