"""Ages of contacts: messages go to adults, as far as a birthday tells (rules.md#audience)."""

from __future__ import annotations

from datetime import date

from django.db.models import Q

ADULT_AGE = 18


def years_before(day: date, years: int) -> date:
    """The latest date of birth of people who have completed this number of years on the day."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return day.replace(year=day.year - years, day=28)


def is_known_adult_q(day: date) -> Q:
    """Contacts whose birthday proves that they are adults on this day."""
    return Q(birthday__lte=years_before(day, ADULT_AGE))


def is_adult_or_of_unknown_age_q(day: date) -> Q:
    """Contacts that are adults on this day, or have no birthday."""
    return is_known_adult_q(day) | Q(birthday=None)
