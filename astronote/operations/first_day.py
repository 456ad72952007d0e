"""The checklist of an installation that has not sent its first campaign."""

from __future__ import annotations

from typing import Any

from astronote.accounts.models import User
from astronote.operations import registry


def first_steps_context() -> dict[str, Any]:
    """Each step with whether it is done; none as soon as the last one is.

    The last step, the first campaign, is asked about first: an installation that works pays one
    query for a list that it no longer needs.
    """
    steps = sorted(registry.first_steps, key=lambda step: step.order)
    if not steps or steps[-1].is_done():
        return {"steps": []}
    shown = [
        {
            "name": step.name,
            "hint": step.hint,
            "is_done": step.is_done(),
            "url": step.url(),
            "permission": step.permission,
        }
        for step in steps
    ]
    return {"steps": shown, "done": sum(bool(step["is_done"]) for step in shown)}


def newest_store_id() -> int | None:
    """The store that was added last: on the first day there is one."""
    newest = User.objects.filter(is_staff=False).order_by("-pk").first()
    return newest.pk if newest else None
