"""Where campaigns hold personal data (docs/rules.md#personal-data)."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from astronote.operations import registry
from astronote.operations.personal_data import (
    AS_LONG_AS_ITS_ROW,
    BY_TEXT,
    FIGURES,
    FOR_RETENTION_DAYS,
    STATES_OF_WORK,
    UNTIL_CONTACT_RETENTION,
    FoundBy,
    LegalGround,
    NoPersonalData,
    OnErasure,
    PersonalData,
    Subjects,
    found_by_contact_id,
)
from campaigns.models import AutomationRule
from messaging.declarations import BY_CONTACT_OR_NUMBER, MESSAGE_CODES, OF_ITS_MESSAGE

MARKED_AS_USED = _("accountability: who marked an offer as used")

registry.personal_data.register(
    *(
        PersonalData(
            model,
            ("contact", "to", "text", "last_error"),
            _("what was sent to whom"),
            UNTIL_CONTACT_RETENTION,
            categories=_("number and text, which has the contact's name"),
            legal_ground=LegalGround.CONSENT_OR_CUSTOMER_CONTRACT,
            source=_("the contact and the store's text"),
            found_by=BY_CONTACT_OR_NUMBER,
            on_erasure=OnErasure.EMPTY,
            shown_with=shown_with,
        )
        for model, shown_with in (
            ("campaigns.CampaignMessage", ("campaign__name",)),
            ("campaigns.AutomationMessage", ("automation__type",)),
            ("campaigns.AutomationSend", ("rule__name",)),
        )
    ),
    PersonalData(
        "campaigns.OfferViewEvent",
        ("ip_address", "user_agent", "device_type", "viewed_at"),
        _("counting visits of an offer, without those of programs"),
        FOR_RETENTION_DAYS,
        categories=_("address, browser, device and time of a visit"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=_("the visitor's browser"),
        found_by=found_by_contact_id("campaign_message__contact"),
        on_erasure=OnErasure.EMPTY,
        shown_with=("campaign__name",),
    ),
    PersonalData(
        "campaigns.NfcScan",
        ("contact", "status", "ip_address", "user_agent", "device_type", "created_at"),
        _("counting openings of a tag's page, without those of programs"),
        FOR_RETENTION_DAYS,
        categories=_("address, browser, device, time and result of an opening"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=_("the visitor's browser"),
        found_by=found_by_contact_id("contact"),
        on_erasure=OnErasure.EMPTY,
        shown_with=("tag__label",),
    ),
    PersonalData(
        "campaigns.PublicSignupEvent",
        ("contact", "outcome", "ip_address", "user_agent", "meta", "created_at"),
        _("signing up from a store's page, and proof of it"),
        _("PII_RETENTION_DAYS; number, name and birthday until it is applied"),
        categories=_("time, address and browser of a sign-up; number, name and birthday as typed"),
        legal_ground=LegalGround.CONSENT,
        source=_("the visitor, who typed it, and the visitor's browser"),
        found_by=found_by_contact_id("contact"),
        on_erasure=OnErasure.EMPTY,
        shown_with=("tag__label",),
    ),
    PersonalData(
        "campaigns.ConversionEvent",
        ("contact", "value", "metadata", "occurred_at"),
        _("what led to a purchase"),
        _("until the contact's retention; number, address and browser PII_RETENTION_DAYS"),
        categories=_("purchase, with number, address and browser"),
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source=_("the store's till or tag"),
        found_by=found_by_contact_id("contact"),
        on_erasure=OnErasure.DELETE,
        shown_with=("campaign__name", "nfc_tag__label"),
    ),
    PersonalData(
        "campaigns.ExportFileChunk",
        ("data",),
        _("handing a store its own data as a file"),
        "EXPORT_FILE_RETENTION_HOURS",
        categories=_("what the store holds of its customers: contacts, messages, visits"),
        legal_ground=LegalGround.ACCOUNT_CONTRACT,
        source=_("the rows that the file was made of"),
        found_by=FoundBy(_("by reading the file")),
        on_erasure=OnErasure.DELETE,
        store="export_run__owner",
    ),
    *(
        PersonalData(
            model,
            ("evidence_json", "redeemed_at"),
            _("proof that an offer was used"),
            FOR_RETENTION_DAYS,
            categories=_("redemption, with address and browser"),
            legal_ground=LegalGround.CUSTOMER_CONTRACT,
            source=_("the store's till; the customer at a tag"),
            found_by=found_by_contact_id("message__contact"),
            on_erasure=OnErasure.EMPTY,
        )
        for model in ("campaigns.Redemption", "campaigns.AutomationRedemption")
    ),
    *(
        PersonalData(
            model,
            fields,
            purpose,
            AS_LONG_AS_ITS_ROW,
            categories=_("free text, which may name a person"),
            legal_ground=LegalGround.LEGITIMATE_INTEREST,
            source=_("the store or an operator, who typed it"),
            found_by=BY_TEXT,
            on_erasure=OnErasure.MASK,
        )
        for model, fields, purpose in (
            (
                "campaigns.Campaign",
                ("name", "message_text", "offer_url", "block_reason"),
                _("what is sent to an audience"),
            ),
            (
                "campaigns.Segment",
                ("name", "conditions"),
                _("filtering contacts for campaigns"),
            ),
            (
                "campaigns.Automation",
                ("message_body", "block_reason"),
                _("a store's standing messages"),
            ),
            (
                "campaigns.AutomationRule",
                ("name", "description", "message_body", "block_reason"),
                _("messages before and after events of customers"),
            ),
            ("campaigns.NfcTag", ("label",), _("telling a store's tags apart")),
            (
                "campaigns.SignupPage",
                ("display_name", "headline_en", "headline_el", "blurb_en", "blurb_el"),
                _("what a store's public pages say"),
            ),
        )
    ),
    *(
        PersonalData(
            model,
            fields,
            purpose,
            AS_LONG_AS_ITS_ROW,
            categories=_("which account it was"),
            legal_ground=LegalGround.LEGITIMATE_INTEREST,
            source=_("the work of operators"),
            found_by=BY_TEXT,
            on_erasure=OnErasure.KEEP,
            subjects=Subjects.ACCOUNTS,
            store="",
        )
        for model, fields, purpose in (
            ("campaigns.Campaign", ("created_by",), _("accountability: who made a campaign")),
            ("campaigns.Redemption", ("redeemed_by",), MARKED_AS_USED),
            ("campaigns.AutomationRedemption", ("redeemed_by",), MARKED_AS_USED),
            (
                "campaigns.ServiceConfirmation",
                ("asked_by", "confirmed_by", "asked_at", "confirmed_at"),
                _("accountability: which two persons let a big service campaign go"),
            ),
        )
    ),
)
registry.no_personal_data.register(
    NoPersonalData(
        "campaigns.Campaign",
        (
            "message_type",
            "filter_gender",
            "filter_age_group",
            "status",
            "scheduled_at",
            "started_at",
            "finished_at",
            "retry_after",
            "created_at",
            "updated_at",
            "to_everybody",
        ),
        _("settings, states and times of a campaign"),
    ),
    NoPersonalData(
        "campaigns.Campaign",
        ("total", "sent", "delivered", "failed", "skipped", "unknown", "conversions"),
        FIGURES,
    ),
    NoPersonalData("campaigns.ExportFileChunk", ("number",), _("the place of a piece in its file")),
    NoPersonalData(
        "campaigns.ExportRun",
        (
            "content",
            "kind",
            "status",
            "range_start",
            "range_end",
            "attempts",
            "error",
            "started_at",
            "completed_at",
            "created_at",
        ),
        _("settings, states and times of an export"),
    ),
    NoPersonalData("campaigns.ExportRun", ("lines", "file_size"), FIGURES),
    NoPersonalData("campaigns.AudienceChoice", ("is_excluded",), _("whom a campaign leaves out")),
    NoPersonalData("campaigns.Segment", ("created_at", "updated_at"), STATES_OF_WORK),
    NoPersonalData(
        "campaigns.ServiceConfirmation",
        ("settings_digest",),
        _("a digest of what was confirmed: text and audience of a campaign"),
    ),
    NoPersonalData("campaigns.CampaignMessage", MESSAGE_CODES, OF_ITS_MESSAGE),
    NoPersonalData(
        "campaigns.Automation",
        (
            "type",
            "send_hour",
            "done_until",
            "message_type",
            "created_at",
            "updated_at",
            "is_active",
        ),
        _("settings, states and times of an automation"),
    ),
    NoPersonalData(
        "campaigns.AutomationMessage", (*MESSAGE_CODES, "occurrence_key"), OF_ITS_MESSAGE
    ),
    NoPersonalData(
        "campaigns.NfcTag",
        ("public_id", "type", "created_at", "is_active"),
        _("a random code, kind, time and state of a tag"),
    ),
    NoPersonalData(
        "campaigns.SignupPage",
        ("primary_color", "asks_name", "asks_birthday", "created_at", "updated_at"),
        _("settings of a store's public pages"),
    ),
    NoPersonalData(
        "campaigns.RetailAsset",
        ("mime_type", "byte_size", "data", "created_at"),
        _("a logo, which the store shows to everybody"),
    ),
    NoPersonalData(
        "campaigns.PublicSignupEvent", ("idempotency_key",), _("a random number of a form")
    ),
    NoPersonalData(
        "campaigns.AutomationRule",
        (
            "preset_key",
            "message_type",
            *AutomationRule.TRIGGER_FIELDS,
            "dedupe_window_minutes",
            "max_per_contact_per_day",
            "is_active",
            "last_run_at",
            "created_at",
            "updated_at",
        ),
        _("settings, states and times of a rule"),
    ),
    NoPersonalData("campaigns.AutomationSend", (*MESSAGE_CODES, "scheduled_for"), OF_ITS_MESSAGE),
)
