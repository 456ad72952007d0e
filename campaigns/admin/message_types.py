"""The choice of a message type in the admin's forms."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext

from campaigns.service_campaigns import MESSAGE_TYPE_MEANINGS, may_send_message_type
from contacts.models import MessageType


def limit_to_permitted_message_types(field: forms.TypedChoiceField, request: HttpRequest) -> None:
    """Say what the types mean; leave out those that the account may not send, and say why."""
    field.help_text = str(MESSAGE_TYPE_MEANINGS)
    field.choices = [
        choice for choice in MessageType.choices if may_send_message_type(choice[0], request.user)
    ]
    field.error_messages["invalid_choice"] = gettext(
        "Your account may not send messages of this type."
    )
