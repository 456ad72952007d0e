"""The record of processing activities (GDPR, article 30), made from the declarations.

`manage.py audit_pii` and the admin print it. An answer to a person (article 15) takes the same
controller, recipients and rights from here.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.models import User
from astronote.common.counts import format_count
from astronote.operations import registry
from astronote.operations.personal_data import (
    FOR_AUDIT_DAYS,
    LegalGround,
    OnErasure,
    PlaceKind,
    Subjects,
)

SECURITY_MEASURES = (
    _("opt-outs as keyed hashes (HMAC-SHA256), with a key that can be changed"),
    _("log lines without numbers and texts; jobs in Redis with ids only"),
    _("roles with permissions, throttled logins, a second factor for administrators"),
    _("secure cookies, HTTPS, a content security policy"),
    _("an audit trail of who did what"),
    _("uploads in files without a name; embedded servers that only their own user reaches"),
    _("retention each night, with a record of what it removed"),
    _("every column is declared, or a test fails"),
    _("no marketing to contacts whose birthday says that they are under 18"),
)
RIGHTS = (
    _("access to all that is held, and a copy of it (article 15)"),
    _("correction of what is wrong (article 16)"),
    _("erasure (article 17)"),
    _("restriction: the data is stored and not used (article 18)"),
    _("a copy that a program can read, for taking the data elsewhere (article 20)"),
    _("objection to messages of any kind, at any time (article 21)"),
    _(
        "withdrawal of consent at any time, for the future (article 7(3)): by the link in a"
        " message, or by answering STOP"
    ),
    _("a complaint to a supervisory authority (article 77)"),
)


def controller_from_settings() -> dict[str, str]:
    """Who runs this installation, and whom to ask; from the environment."""
    variables = {
        "name": "CONTROLLER_NAME",
        "contact": "CONTROLLER_CONTACT",
        "data_protection_officer": "DATA_PROTECTION_OFFICER",
        "hosting": "HOSTING_PROVIDER",
    }
    return {what: _setting_or_not_set(name) for what, name in variables.items()}


def recipient_texts() -> list[str]:
    """Who gets personal data, and how long those keep it that are not asked by us."""
    found = [
        gettext(
            "Mitto AG, Zug, Switzerland: number, text and sender of each message, and replies; as"
            " processor (article 28), and as controller for what the law on telecommunications"
            " makes it keep. It keeps them: %(period)s"
        )
        % {"period": _setting_or_not_set("MITTO_RETENTION")},
        gettext(
            "the telephone carrier of the number, by way of Mitto: number, text and sender, as"
            " controller by the law of its country"
        ),
        gettext("the store whose customer the person is, as controller: all that is held for it"),
        gettext("the host of the servers, as processor: all; %(host)s")
        % {"host": controller_from_settings()["hosting"]},
    ]
    if host := urlsplit(settings.EMAIL_URL).hostname:
        found.append(
            gettext("the mail server %(host)s: addresses of operators, links for their passwords")
            % {"host": host}
        )
    if host := urlsplit(settings.ALERT_WEBHOOK_URL).hostname:
        found.append(
            gettext("the webhook at %(host)s: alerts, which name stores and no customers")
            % {"host": host}
        )
    return found


def transfer_texts() -> list[str]:
    """Where personal data goes outside the European Economic Area, and on which ground."""
    return [
        gettext("Switzerland (Mitto): adequacy decision 2000/518/EC"),
        gettext(
            "the country of a telephone number, where its carrier delivers the message: of a number"
            " outside the EEA without an adequacy decision, a transfer that the store must have a"
            " ground for. Article 49(1)(b) is one for service messages that a contract needs, and"
            " article 49(1)(a) for marketing if the consent names the country; both only now and"
            " then"
        ),
        gettext("stated by who runs this installation: %(transfers)s")
        % {"transfers": _setting_or_not_set("THIRD_COUNTRY_TRANSFERS")},
    ]


def _setting_or_not_set(name: str) -> str:
    return getattr(settings, name) or gettext("not stated: set %(setting)s") % {"setting": name}


def retention_period_texts_by_setting() -> dict[str, str]:
    """The periods that are settings, as they are set."""
    return {
        "PII_RETENTION_DAYS": (
            ngettext(
                "%(count)s day; a store's own may be shorter",
                "%(count)s days; a store's own may be shorter",
                settings.PII_RETENTION_DAYS,
            )
            % {"count": format_count(settings.PII_RETENTION_DAYS)}
        ),
        "PII_INACTIVE_DAYS": (
            ngettext(
                "%(count)s day without a message or a change",
                "%(count)s days without a message or a change",
                settings.PII_INACTIVE_DAYS,
            )
            % {"count": format_count(settings.PII_INACTIVE_DAYS)}
            if settings.PII_INACTIVE_DAYS
            else gettext("off: contacts are kept until they opt out or are erased")
        ),
        "PII_RETENTION_ACTION": (
            gettext("anonymise")
            if settings.PII_RETENTION_ACTION == "anonymise"
            else gettext("delete")
        ),
        "IMPORT_FILE_RETENTION_HOURS": gettext("%(hours)s h")
        % {"hours": settings.IMPORT_FILE_RETENTION_HOURS},
        "EXPORT_FILE_RETENTION_HOURS": gettext("%(hours)s h")
        % {"hours": settings.EXPORT_FILE_RETENTION_HOURS},
        "AUDIT_RETENTION_DAYS": ngettext(
            "%(count)s day", "%(count)s days", settings.AUDIT_RETENTION_DAYS
        )
        % {"count": format_count(settings.AUDIT_RETENTION_DAYS)},
    }


def describe_declared_tables() -> list[dict[str, Any]]:
    """Every table with personal data: its columns, with what is declared of them."""
    return [
        {
            "table": apps.get_model(declaration.model)._meta.db_table,
            "columns": list(declaration.fields),
            "purpose": str(declaration.purpose),
            "period": str(declaration.period),
            "legal_ground": str(declaration.legal_ground.label),
            "categories": str(declaration.categories),
            "subjects": str(declaration.subjects.label),
            "source": str(declaration.source),
            "found": str(declaration.found_by.how),
            "erasure": str(declaration.on_erasure.label),
        }
        for declaration in registry.personal_data
    ]


def describe_places_outside_tables() -> list[dict[str, str]]:
    """Every place outside the tables, with what is declared of it."""
    return [
        {
            "place": f"{place.kind.label}: {place.name}",
            "pattern": _shown_pattern(place.kind, place.pattern),
            "purpose": str(place.purpose),
            "period": str(place.period),
            "legal_ground": str(place.legal_ground.label),
            "categories": str(place.categories),
            "subjects": str(place.subjects.label),
            "erasure": str(place.on_erasure),
        }
        for place in registry.personal_places
    ]


def _shown_pattern(kind: PlaceKind, pattern: str) -> str:
    return (
        gettext("temporary folder/%(pattern)s") % {"pattern": pattern}
        if kind == PlaceKind.FILE
        else pattern
    )


def describe_kept_after_erasure() -> list[str]:
    """What is left of a customer after an erasure, why, and for how long."""
    kept = [
        gettext("%(table)s (%(columns)s): %(purpose)s; %(legal_ground)s; %(period)s")
        % {
            "table": apps.get_model(one.model)._meta.db_table,
            "columns": ", ".join(one.fields),
            "purpose": one.purpose,
            "legal_ground": one.legal_ground.label,
            "period": one.period,
        }
        for one in registry.personal_data
        if one.on_erasure == OnErasure.KEEP and one.subjects == Subjects.CUSTOMERS
    ]
    return [
        *kept,
        gettext(
            "all rows of a contact under a legal hold, which is then restricted: %(legal_ground)s;"
            " until an operator lifts the hold"
        )
        % {"legal_ground": LegalGround.LEGAL_CLAIMS.label},
        gettext("the messages of a campaign without number and text, as figures behind the ledger"),
        gettext(
            "the audit entry of the erasure with the keyed hash of the number, by which the erasure"
            " is made again after a restore: %(legal_ground)s; %(period)s"
        )
        % {"legal_ground": LegalGround.LEGAL_DUTY.label, "period": FOR_AUDIT_DAYS},
    ]


def describe_columns_without_personal_data() -> list[dict[str, Any]]:
    """The columns that are declared to hold no personal data, and why."""
    return [
        {
            "table": apps.get_model(one.model)._meta.db_table,
            "columns": list(one.fields),
            "why": str(one.why),
        }
        for one in registry.no_personal_data
    ]


def describe_stores_as_controllers() -> list[str]:
    """The stores for which the data of customers is processed (article 30(2)(a))."""
    stores = User.objects.filter(is_staff=False).order_by("pk")
    return [
        gettext("%(store)s (%(email)s), left on %(date)s")
        % {"store": store, "email": store.email, "date": date_format(store.left_at)}
        if store.left_at
        else f"{store} ({store.email})"
        for store in stores.iterator()
    ]


def record_of_processing() -> dict[str, Any]:
    """The whole record, as JSON."""
    return {
        "controller": controller_from_settings(),
        "controllers_processed_for": describe_stores_as_controllers(),
        "role": gettext(
            "controller for the accounts of store owners and operators; processor (article 28) for"
            " the stores, each of which is the controller for its own customers"
        ),
        "recipients": recipient_texts(),
        "transfers": transfer_texts(),
        "security_measures": [str(measure) for measure in SECURITY_MEASURES],
        "rights": [str(right) for right in RIGHTS],
        "periods": retention_period_texts_by_setting(),
        "tables": describe_declared_tables(),
        "places": describe_places_outside_tables(),
        "kept_after_an_erasure": describe_kept_after_erasure(),
        "columns_without_personal_data": describe_columns_without_personal_data(),
    }
