"""Amounts of money, in templates."""

from __future__ import annotations

from django import template

from messaging.billing import models

register = template.Library()


@register.filter
def money(cents: int, currency: str) -> str:
    """An amount as people read it, such as `EUR 1,200.50`."""
    return models.money(cents, currency)
