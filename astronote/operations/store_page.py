"""The store's page in the admin: the panels that the apps registered, above its fields."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string

from astronote.accounts.models import User
from astronote.operations import registry


def render_store_panels_context(request: HttpRequest, store: User) -> dict[str, Any]:
    """The rendered panels of a store, as context of its page."""
    panels = sorted(registry.store_panels, key=lambda panel: panel.order)
    return {
        "panels": [
            render_to_string(
                panel.template, {"store": store, **panel.context(request, store)}, request
            )
            for panel in panels
        ]
    }
