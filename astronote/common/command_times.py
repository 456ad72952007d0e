"""Days and times as arguments of commands; a wrong one is answered with the wanted form."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import date, datetime


def time_argument(text: str) -> datetime:
    """A time, such as `2026-12-24 09:00`; a day alone is none.

    Raises:
        ArgumentTypeError: if it is written otherwise.
    """
    if len(text.strip()) > len("2026-12-24"):
        return time_or_day_argument(text)
    raise ArgumentTypeError(f"{text!r} is no day with a time: write it as 2026-12-24 09:00")


def time_or_day_argument(text: str) -> datetime:
    """A time, such as `2026-12-24 09:00`, or the beginning of a day.

    Raises:
        ArgumentTypeError: if it is written otherwise.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is no time: write it as 2026-12-24 09:00, or with a zone as"
            " 2026-12-24T09:00+02:00"
        ) from None


def day_argument(text: str) -> date:
    """A day, such as `2026-12-24`.

    Raises:
        ArgumentTypeError: if it is written otherwise.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day: write it as 2026-12-24") from None
