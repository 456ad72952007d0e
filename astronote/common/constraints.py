"""Database constraints that models of every app share."""

from django.db import models


def choice_constraint(
    field: str, choices: type[models.TextChoices], name: str
) -> models.CheckConstraint:
    """A check that `field` holds one of the enum's values; a field that may be NULL may be so."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": choices.values}), name=name)
