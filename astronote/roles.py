"""What operators may do: three roles, kept as Django groups."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet

OURS = ("astronote", "contacts", "messaging", "campaigns", "compliance")
# What an operator works on; everything else is the system's, or an administrator's.
WORK = {
    "astronote": ["user"],
    "contacts": ["contact", "contactimport", "list", "suppression"],
    "messaging": ["messagetemplate"],
    "campaigns": ["campaign", "automation", "nfctag"],
}
VIEWER, OPERATOR, ADMINISTRATOR = "viewer", "operator", "administrator"
ROLES = (VIEWER, OPERATOR, ADMINISTRATOR)


def permissions_of(role: str) -> QuerySet[Permission]:
    """The permissions of a role.

    A viewer looks; an operator also runs campaigns, imports and stores' settings; an administrator
    may everything, erasing persons and the queues included.
    """
    ours = Permission.objects.filter(content_type__app_label__in=OURS)
    if role == ADMINISTRATOR:
        return Permission.objects.filter(
            Q(content_type__app_label__in=OURS) | Q(content_type__app_label="django_rq")
        )
    allowed = Q(codename__startswith="view_")
    if role == OPERATOR:
        for app, models in WORK.items():
            names = [f"{verb}_{model}" for model in models for verb in ("add", "change")]
            allowed |= Q(content_type__app_label=app, codename__in=names)
    return ours.filter(allowed)


def group_of(role: str) -> Group:
    """The group of a role, with exactly its permissions."""
    group, _ = Group.objects.get_or_create(name=role)
    group.permissions.set(permissions_of(role))
    return group
