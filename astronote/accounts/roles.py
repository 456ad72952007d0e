"""What operators may do: four roles, stored as Django groups."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from astronote.operations import registry

VIEWER, OPERATOR, ADMINISTRATOR = "viewer", "operator", "administrator"
SERVICE_OPERATOR = "service_operator"
ROLES = (VIEWER, OPERATOR, SERVICE_OPERATOR, ADMINISTRATOR)
ROLE_LABELS = {
    VIEWER: _("viewer"),
    OPERATOR: _("operator"),
    SERVICE_OPERATOR: _("service operator"),
    ADMINISTRATOR: _("administrator"),
    "superuser": _("superuser"),
}


def permissions_of_role_or_viewer(role: str) -> QuerySet[Permission]:
    """The permissions of a role.

    A viewer looks. An operator also runs campaigns, imports and stores' settings: the models that
    the apps registered. A service operator also sends service messages. An administrator has every
    permission, erasing persons and managing queues included.
    """
    if role == ADMINISTRATOR:
        return Permission.objects.filter(
            content_type__app_label__in=[*settings.PROJECT_APPS, "django_rq"]
        )
    allowed = Q(codename__startswith="view_")
    if role in (OPERATOR, SERVICE_OPERATOR):
        for app in registry.operator_models:
            codenames = [f"{verb}_{model}" for model in app.models for verb in ("add", "change")]
            if role == SERVICE_OPERATOR:
                codenames += app.service_permissions
            allowed |= Q(content_type__app_label=app.app_label, codename__in=codenames)
    return Permission.objects.filter(allowed, content_type__app_label__in=settings.PROJECT_APPS)


def create_or_update_role_group(role: str) -> Group:
    """The group of a role, created or updated to have exactly the role's permissions."""
    group, _created = Group.objects.get_or_create(name=role)
    group.permissions.set(permissions_of_role_or_viewer(role))
    return group
