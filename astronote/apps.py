"""The ground floor: accounts, queues, operations and processes, which every app stands on."""

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class AstronoteConfig(AppConfig):
    """Registers what the ground floor and the apps bring to its pages, checks and jobs."""

    name = "astronote"
    verbose_name = "Accounts"

    def ready(self) -> None:
        """Import each app's `operations.py`, after registering the ground floor's own.

        Also sets what connections to PostgreSQL need.
        """
        from astronote.common.postgres_server import configure_connections
        from astronote.operations import ground_floor

        configure_connections()
        ground_floor.register_own_operations()
        autodiscover_modules("operations")
