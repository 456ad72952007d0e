"""Presses on the page of an opt-in request, as events beside the replies.

As with opt-outs (`page_opt_outs.py`), the request writes the answer, and
`replies.apply_at_once_or_enqueue_job` applies it at once if no lock has to be waited for.
"""

from __future__ import annotations

from uuid import uuid4

from contacts.consent import Evidence
from contacts.models import OptInRequest
from messaging import opt_in_requests
from messaging.models import WebhookEvent
from messaging.statuses import ConsentRequest, WebhookEventStatus, WebhookEventType

PROVIDER = "opt_in_page"  # who the events are from


def store_unapplied_confirmation(request: OptInRequest, evidence: Evidence) -> WebhookEvent:
    """Write that a person agreed on the page of a request, to be applied.

    Args:
        request: from `opt_in_requests.find_answered_or_open_request_by_token`.
        evidence: who agreed.
    """
    return WebhookEvent.objects.create(
        provider=PROVIDER,
        event_id=f"{request.pk}:{uuid4()}",
        event_type=WebhookEventType.INBOUND,
        owner_id=request.contact.owner_id,
        consent_request=ConsentRequest.START,
        payload={
            "from": request.contact.phone,
            "request": request.pk,
            **evidence.json_of_fields_without_own_column(),
        },
    )


def is_stored_confirmation_unapplied(request: OptInRequest) -> bool:
    """Whether a confirmation of the request is written and not applied yet."""
    waiting = WebhookEvent.objects.filter(
        status=WebhookEventStatus.RECEIVED, provider=PROVIDER, owner=request.contact.owner_id
    )
    return waiting.filter(payload__request=request.pk).exists()


def subscribe_by_page_if_open_without_saving_event(event: WebhookEvent) -> None:
    """Subscribe the contact if its request was open when the person agreed."""
    payload = event.payload or {}
    event.status = WebhookEventStatus.PROCESSED
    request = OptInRequest.objects.filter(pk=payload["request"]).first()
    if request is not None:
        opt_in_requests.subscribe_or_close_request_if_open(
            request,
            Evidence(
                ip_address=payload.get("ip_address"), user_agent=payload.get("user_agent", "")
            ),
            at=event.received_at,
        )
