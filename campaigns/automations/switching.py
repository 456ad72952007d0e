"""Switching a store's automations and rules, and a sample of their texts."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from astronote.common import audit
from campaigns.message_text import (
    CUSTOM_VALUES,
    SAMPLE_CODE,
    SAMPLE_CONTACT,
    AutomationText,
    create_links_and_automation_renderers,
)
from campaigns.models import Automation, AutomationRule
from campaigns.service_campaigns import raise_not_permitted_if_may_not_send_type
from contacts.custom_fields import fields_of_store


def switch_automation_and_audit_or_raise(
    automation: Automation | AutomationRule, on: bool, *, by: Any
) -> bool:
    """Switch an automation or rule on or off; return whether it was changed.

    Switched on, it begins with the next run. Writes an audit entry.

    Raises:
        NotPermitted: if it sends service messages and `by`, who switches it on, may not.
        ValueError: if it is switched on and its text cannot be sent.
    """
    with transaction.atomic():
        locked = type(automation)._default_manager.select_for_update().get(pk=automation.pk)
        if locked.is_active == on:
            return False
        if on:
            raise_not_permitted_if_may_not_send_type(locked.message_type, by)
            if problem := locked.text_problem():
                raise ValueError(problem)
        locked.is_active = on
        locked.save()
        action = "switched on" if on else "switched off"
        audit.write_entry(action, locked, by=by, message_type=locked.message_type)
    return True


def create_links_and_sample_text(automation: Automation | AutomationRule) -> str:
    """The text of an automation or rule, filled with the fields of a sample contact.

    The label of a custom field stands for its value.
    """
    text = AutomationText(automation.owner_id, automation.message_body, automation.message_type)
    labels = {field.key: field.label for field in fields_of_store(automation.owner)}
    return create_links_and_automation_renderers({automation.pk: text})[automation.pk](
        SAMPLE_CONTACT | {CUSTOM_VALUES: labels}, SAMPLE_CODE
    )
