"""What of a page its reader may use."""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.contrib.auth.models import AnonymousUser

from astronote.accounts.models import User

register = template.Library()


@register.simple_tag
def allowed_names(user: User | AnonymousUser, names: Iterable[tuple[str, str]]) -> list[str]:
    """Of pairs of a name and a permission the names that the account has the permission for."""
    return [name for name, permission in names if user.has_perm(permission)]


@register.simple_tag
def allows(user: User | AnonymousUser, permission: str) -> bool:
    """Whether the account has the permission."""
    return user.has_perm(permission)
