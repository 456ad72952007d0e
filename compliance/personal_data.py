"""The declaration of personal data: every column that may hold some, why, and how long.

It is the record of processing that the GDPR asks for (article 30) and what `manage.py audit_pii`
prints. A column of text that is in neither list fails a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.apps import apps
from django.db import models

UNTIL_RETENTION = "until the contact's retention"
PERIOD = "PII_RETENTION_DAYS"
FILES = "IMPORT_FILE_RETENTION_HOURS"
ACCOUNT = "as long as the account"


class Holding(NamedTuple):
    """Columns of one model that hold personal data: whose and what for, and until when."""

    model: str
    fields: str
    purpose: str
    period: str


PERSONAL = [
    Holding("astronote.User", "email", "a store owner's or operator's login", ACCOUNT),
    Holding("astronote.User", "company sender_name", "the store's name", ACCOUNT),
    Holding("contacts.Contact", "phone email first_name last_name gender birthday",
            "messages that a customer agreed to, by name and on his birthday", UNTIL_RETENTION),
    Holding("contacts.Contact", "consent_evidence", "proof of consent",
            f"{UNTIL_RETENTION}; addresses and browsers {PERIOD}"),
    Holding("contacts.Suppression", "phone_hash", "that no opt-out is forgotten; keyed hashes",
            "for good"),
    Holding("contacts.ImportFileChunk", "data", "a customer list while it is read", FILES),
    Holding("contacts.RejectedRow", "value row", "rows for the store to correct", PERIOD),
    Holding("campaigns.CampaignMessage", "to text", "what was sent to whom", UNTIL_RETENTION),
    Holding("campaigns.AutomationMessage", "to text", "what was sent to whom", UNTIL_RETENTION),
    Holding("messaging.DirectMessage", "to text", "test messages", PERIOD),
    Holding("messaging.WebhookEvent", "payload", "receipts and replies as they came", PERIOD),
    Holding("campaigns.OfferViewEvent", "ip_address user_agent device_type",
            "telling visits from programs", PERIOD),
    Holding("campaigns.NfcScan", "ip_address user_agent device_type",
            "telling visits from programs", PERIOD),
    Holding("campaigns.ConversionEvent", "metadata", "what led to a purchase", PERIOD),
    Holding("campaigns.Redemption", "evidence_json", "proof that an offer was used", PERIOD),
    Holding("campaigns.AutomationRedemption", "evidence_json", "proof that an offer was used",
            PERIOD),
]  # fmt: skip
# Columns of text that tell of nobody: codes, settings, and what stores write for everybody.
_OF_A_MESSAGE = "tracking_id provider_message_id delivery_status error_code last_error"
NOT_PERSONAL = {
    "astronote.User": "password timezone phone_region billing_hold_reason",
    "contacts.Contact": "gdpr_consent_source gdpr_consent_version sms_consent_status "
    "sms_consent_source erase_on",
    "contacts.ConsentEvent": "source meta",
    "contacts.Suppression": "reason",
    "contacts.List": "name description",
    "contacts.ContactImport": "file_name file_sha256 layout mapping consent_source error",
    "contacts.RejectedRow": "column reason",
    "contacts.AuditEntry": "actor_name action subject details",
    "messaging.Batch": "kind sender waiting_for provider_bulk_id error",
    "messaging.DirectMessage": f"{_OF_A_MESSAGE} idempotency_key",
    "messaging.MessageTemplate": "name text category language",
    "messaging.ShortLink": "short_code kind target_url long_url_hash",
    "messaging.CreditTransaction": "reason idempotency_key",
    "messaging.WebhookEvent": "provider event_id provider_message_id word error_code error",
    "messaging.Tally": "kind detail",
    "campaigns.Campaign": "name message_text offer_url block_reason",
    "campaigns.CampaignMessage": _OF_A_MESSAGE,
    "campaigns.Automation": "message_body",
    "campaigns.AutomationMessage": f"{_OF_A_MESSAGE} occurrence_key",
    "campaigns.NfcTag": "public_id label",
    "compliance.RetentionRun": "counts error",
    "compliance.RetentionAction": "table",
}
OURS = ("astronote", "contacts", "messaging", "campaigns", "compliance")
_HOLDS_TEXT = (
    models.CharField, models.TextField, models.JSONField, models.BinaryField, models.DateField,
    models.GenericIPAddressField,
)  # fmt: skip


def undeclared() -> Iterator[str]:
    """Columns of ours that could hold personal data and are in neither list."""
    known = {(held.model, field) for held in PERSONAL for field in held.fields.split()}
    known |= {(model, field) for model, names in NOT_PERSONAL.items() for field in names.split()}
    for model in apps.get_models():
        if model._meta.app_label not in OURS:
            continue
        for field in model._meta.concrete_fields:
            text = isinstance(field, _HOLDS_TEXT) and not isinstance(field, models.DateTimeField)
            if text and not field.choices and (model._meta.label, field.name) not in known:
                yield f"{model._meta.label}.{field.name}"


def unknown() -> Iterator[str]:
    """Declared columns that do not exist."""
    declared = [(held.model, held.fields) for held in PERSONAL] + list(NOT_PERSONAL.items())
    for label, names in declared:
        existing = {field.name for field in apps.get_model(label)._meta.concrete_fields}
        yield from (f"{label}.{name}" for name in names.split() if name not in existing)
