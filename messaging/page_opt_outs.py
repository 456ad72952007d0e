"""Opt-outs on the page of a message's link, as events beside the replies.

The request writes the opt-out and answers. Applying it changes consent, which may have to wait for
a call to Mitto or an import; `replies.apply_at_once_or_enqueue_job` does it at once if nothing has
to be waited for (docs/rules.md#opt-outs).
"""

from __future__ import annotations

from uuid import uuid4

from contacts.consent import Evidence, change_consent
from contacts.marketing_blocks import wait_for_sends_and_suppress_phones
from contacts.models import ConsentEventType
from messaging import tallies
from messaging.models import OutboundMessage, WebhookEvent, message_class
from messaging.statuses import ConsentRequest, TallyEvent, WebhookEventStatus, WebhookEventType

PROVIDER = "opt_out_page"  # who the events are from
SOURCE = "unsubscribe_page"  # of the change of consent


def store_unapplied_opt_out(message: OutboundMessage, evidence: Evidence) -> WebhookEvent:
    """Write an opt-out of the number of a message, to be applied.

    Args:
        message: the message whose link was opened.
        evidence: who opened it.
    """
    return WebhookEvent.objects.create(
        provider=PROVIDER,
        event_id=f"{message.tracking_id}:{uuid4()}",
        event_type=WebhookEventType.INBOUND,
        owner_id=message.owner_id,
        consent_request=ConsentRequest.STOP,
        payload={
            "from": message.to,
            "kind": message.batch_kind,
            "message": message.pk,
            **evidence.json_of_fields_without_own_column(),
        },
    )


def is_opt_out_of_number_unapplied(message: OutboundMessage) -> bool:
    """Whether an opt-out of the number of a message is written and not applied yet."""
    waiting = WebhookEvent.objects.filter(
        status=WebhookEventStatus.RECEIVED,
        consent_request=ConsentRequest.STOP,
        provider=PROVIDER,
        owner=message.owner_id,
    )
    return waiting.filter(payload__from=message.to).exists()


def opt_out_or_suppress_number_without_saving_event(event: WebhookEvent) -> None:
    """Opt the number out of the store's marketing, and count it; a second call changes nothing.

    A number that is no longer the contact's is suppressed at the store.
    """
    payload = dict(event.payload or {})
    phone = payload.pop("from", "")
    event.status = WebhookEventStatus.PROCESSED
    messages = message_class(payload["kind"]).objects.select_related("contact", "batch")
    message = messages.filter(pk=payload["message"]).first()
    contact = message.contact if message else None
    if contact is None or contact.phone != phone:
        wait_for_sends_and_suppress_phones(event.owner_id, [phone], reason=SOURCE)
    elif (
        change_consent(
            contact.pk,
            ConsentEventType.UNSUBSCRIBED,
            source=SOURCE,
            claimed_at=event.received_at,
            evidence=Evidence(
                ip_address=payload.pop("ip_address", None),
                user_agent=payload.pop("user_agent", ""),
                details=payload,
            ),
        )
        and message
        and message.batch
    ):
        batch = message.batch
        tallies.add_one_to_tally_of_now(
            batch.owner_id, batch.kind, batch.source_id, TallyEvent.OPTED_OUT
        )
