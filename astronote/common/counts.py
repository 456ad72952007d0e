"""Counts with their nouns, for sentences that people read."""

from __future__ import annotations


def counted(count: int, singular: str, plural: str = "") -> str:
    """A count with its noun in the right number: `1 contact`, `1,200 contacts`, `2 replies`.

    Args:
        count: how many.
        singular: the noun, with what stands beside it, for one.
        plural: the same for any other count; without it, `singular` with an s.
    """
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"
