"""The ground floor: accounts, queues, operations and processes, which every app stands on."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class AstronoteConfig(AppConfig):
    """Registers what the ground floor and the apps bring to its pages, checks and jobs."""

    name = "astronote"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Import each app's `operations.py`, after registering the ground floor's own.

        Also sets the oldest PostgreSQL that connections accept.
        """
        from astronote.common.postgres_version import set_minimum_postgres_of_connections
        from astronote.operations import ground_floor

        set_minimum_postgres_of_connections()
        ground_floor.register_own_operations()
        autodiscover_modules("operations")
