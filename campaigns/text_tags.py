"""Which tags, placeholders and addresses a stored text may have, as forms and models check it."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError

from messaging.custom_tags import custom_keys_for_text
from messaging.text import text_problem_or_empty


def validate_text_tags(
    field: str, text: str, owner_id: int | None, other_tags: Sequence[str] = ()
) -> None:
    """Refuse a text whose tags, placeholders or addresses would be sent otherwise than meant.

    Args:
        field: the form field that the error is shown at.
        text: the text.
        owner_id: the store, whose custom fields are tags; None if it is not chosen yet.
        other_tags: tags that this kind of text may have besides, with their braces.

    Raises:
        ValidationError: of that field, with what is wrong.
    """
    keys = custom_keys_for_text(owner_id, text, other_tags)
    if problem := text_problem_or_empty(text, other_tags, keys):
        raise ValidationError({field: problem})
