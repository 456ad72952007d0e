"""The ground floor: accounts, queues, operations and processes, which every app stands on."""

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class AstronoteConfig(AppConfig):
    """Registers what the ground floor and the apps bring to its pages, checks and jobs."""

    name = "astronote"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        """Import what each app registers, after the ground floor's own.

        Also sets what connections to PostgreSQL need.
        """
        from astronote.common.postgres_server import (
            configure_connections,
        )
        from astronote.operations import ground_floor

        configure_connections()
        ground_floor.register_own_operations()
        autodiscover_modules("operations", "declarations")
        # The last app's signal comes when the permissions of all apps are there.
        post_migrate.connect(
            _update_permissions_of_existing_roles, sender=list(apps.get_app_configs())[-1]
        )


def _update_permissions_of_existing_roles(**_: Any) -> None:
    """Give the roles that are in use the permissions of models that are new."""
    from django.contrib.auth.models import Group

    from astronote.accounts import roles

    for name in Group.objects.filter(name__in=roles.ROLES).values_list("name", flat=True):
        roles.create_or_update_role_group(name)
