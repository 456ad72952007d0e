"""Switching a store's automations, and looking at what they would say."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from campaigns.models import Automation
from campaigns.wording import SAMPLE, SAMPLE_CODE, fillers_of
from contacts import audit


def switch(automation: Automation, on: bool, *, by: Any) -> bool:
    """Switch it on or off; return whether that changed anything.

    Switched on, it begins with the next run.
    """
    with transaction.atomic():
        locked = Automation.objects.select_for_update().get(pk=automation.pk)
        if locked.is_active == on:
            return False
        locked.is_active = on
        locked.save()
        audit.record("switched on" if on else "switched off", locked, by=by)
    return True


def sample(automation: Automation) -> str:
    """Its text, filled for an invented customer."""
    body = (automation.owner_id, automation.message_body, automation.message_type)
    return fillers_of({automation.pk: body})[automation.pk](SAMPLE, SAMPLE_CODE)
