"""Counts as people read them, alone and with their nouns."""

from __future__ import annotations

from django.utils.formats import number_format


def format_count(count: int) -> str:
    """A count with the separator of thousands of the language in use: `1,200` in English.

    For a sentence on a page, as the value of a placeholder of `gettext` or `ngettext`:
    `ngettext("%(count)s row", "%(count)s rows", n) % {"count": format_count(n)}`.
    """
    return number_format(count, use_l10n=True, force_grouping=True)


def counted_in_english(count: int, singular: str, plural: str = "") -> str:
    """A count with its noun in the right number: `1 contact`, `1,200 contacts`, `2 replies`.

    For what stays English: commands, and sentences that are stored. On pages it is `ngettext`.

    Args:
        count: how many.
        singular: the noun, with what stands beside it, for one.
        plural: the same for any other count; without it, `singular` with an s.
    """
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"
