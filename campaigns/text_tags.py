"""Which tags a stored text may have, as forms and models check it."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from messaging.custom_tags import custom_keys_for_text
from messaging.opt_out_line import has_opt_out_link_joined_to_text
from messaging.text import text_problem_or_empty


def validate_text_tags(
    field: str, text: str, owner_id: int | None, other_tags: Sequence[str] = ()
) -> None:
    """Refuse a text with other things than tags in braces, or whose opt-out link leads nowhere.

    Args:
        field: the form field that the error is shown at.
        text: the text.
        owner_id: the store, whose custom fields are tags; None if it is not chosen yet.
        other_tags: tags that this kind of text may have besides, with their braces.

    Raises:
        ValidationError: of that field, with what is wrong.
    """
    keys = custom_keys_for_text(owner_id, text, other_tags)
    problem = text_problem_or_empty(text, other_tags, keys)
    if has_opt_out_link_joined_to_text(text):
        problem = gettext(
            "Put a space before and after {{unsubscribe_link}}: joined to other characters, it"
            " leads nowhere."
        )
    if problem:
        raise ValidationError({field: problem})
