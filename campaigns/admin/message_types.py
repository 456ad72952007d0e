"""The choice of a message type in the admin's forms."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest

from campaigns.service_campaigns import may_send
from contacts.models import MessageType


def restrict_message_type(field: forms.TypedChoiceField, request: HttpRequest) -> None:
    """Leave out the types that the account may not send, and say why another one is refused."""
    field.choices = [choice for choice in MessageType.choices if may_send(choice[0], request.user)]
    field.error_messages["invalid_choice"] = "Your account may not send messages of this type."
