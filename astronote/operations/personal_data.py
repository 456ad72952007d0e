"""The words in which apps declare the personal data that they hold.

The record of processing, access and erasure are made from these declarations, which each app
registers in its `declarations.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Protocol

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

# Periods of personal data, as the record of processing prints them.
UNTIL_CONTACT_RETENTION = _("until the contact's retention")
FOR_RETENTION_DAYS = "PII_RETENTION_DAYS"
FOR_AUDIT_DAYS = "AUDIT_RETENTION_DAYS"
AS_LONG_AS_ITS_ROW = _("as long as the row that it is part of")
AS_LONG_AS_THE_ACCOUNT = _("as long as the account")

# Why columns hold no personal data.
SETTINGS_OF_STORE = _("settings and states of a store")
STATES_OF_WORK = _("states, times and numbers of the program's own work")
FIGURES = _("figures of many people together, or of money")


class LegalGround(models.TextChoices):
    """Why data may be processed (GDPR, article 6)."""

    CONSENT = "consent", _("consent, art. 6(1)(a)")
    ACCOUNT_CONTRACT = (
        "account_contract",
        _("contract with the store or the operator, art. 6(1)(b)"),
    )
    CUSTOMER_CONTRACT = (
        "customer_contract",
        _("contract of the store with its customer, art. 6(1)(b)"),
    )
    CONSENT_OR_CUSTOMER_CONTRACT = (
        "consent_or_customer_contract",
        _(
            "marketing: consent, art. 6(1)(a); service messages: contract of the store with its"
            " customer, art. 6(1)(b)"
        ),
    )
    LEGAL_DUTY = (
        "legal_duty",
        _("legal duty to prove consent and to respect objections, art. 6(1)(c), 7(1), 21"),
    )
    BOOKKEEPING_DUTY = "bookkeeping_duty", _("legal duty to keep invoices, art. 6(1)(c), 17(3)(b)")
    LEGAL_CLAIMS = (
        "legal_claims",
        _("establishing, exercising or defending legal claims, art. 6(1)(f), 17(3)(e)"),
    )
    LEGITIMATE_INTEREST = (
        "legitimate_interest",
        _("legitimate interest in this purpose, art. 6(1)(f)"),
    )


class Subjects(models.TextChoices):
    """Whose data it is."""

    CUSTOMERS = "customers", _("customers of the stores")
    ACCOUNTS = "accounts", _("store owners and operators")
    BOTH = "both", _("store owners and operators, and customers whom a text names")


class OnErasure(models.TextChoices):
    """What an erasure does with a row that is a person's, or that names a person."""

    DELETE = "delete", _("the row is deleted")
    EMPTY = "empty", _("the columns are emptied, the row stays as a figure")
    MASK = "mask", _("what names the person is replaced")
    KEEP = "keep", _("kept")


class PersonKey(Protocol):
    """By what the rows of a person are found."""

    @property
    def phone(self) -> str:
        """The number in E.164."""

    @property
    def contact_ids(self) -> Sequence[int]:
        """The contacts with the number."""

    def stores_asked_and_not_held_q(self, lookup: str) -> Q:
        """The rows of the stores that are asked about, by the lookup of their store."""


@dataclass(frozen=True)
class FoundBy:
    """How the rows of a person are found.

    Rows that only mention a person in a text are found by the text in any case.

    Args:
        how: for the record of processing.
        condition: the rows that are the person's; None if only texts tell.
        contact: the lookup of the contact that a row belongs to; empty if it belongs to none.
        is_record: a row describes one person by number, so that a name in it is that person's, and
            not one that is mentioned.
    """

    how: str | StrPromise
    condition: Callable[[PersonKey], Q] | None = None
    contact: str = ""
    is_record: bool = False


def found_by_contact_id(lookup: str) -> FoundBy:
    """Rows that belong to a contact, by this lookup."""
    return FoundBy(
        _("by the contact"), lambda person: Q(**{f"{lookup}__in": person.contact_ids}), lookup
    )


BY_TEXT = FoundBy(_("by number, e-mail address or full name in the text, at any depth"))


@dataclass(frozen=True)
class PersonalData:
    """Fields of one model that hold personal data, or may hold it.

    The record of processing (GDPR, article 30), access and erasure are made from these. `store` is
    the lookup of the row's store, empty if it belongs to none; `shown_with` has lookups of other
    rows' columns without which a person would not understand the row. `kept_after_store` says why
    the columns stay when their store has left; empty: they are erased with the store.
    """

    model: str
    fields: tuple[str, ...]
    purpose: str | StrPromise
    period: str | StrPromise
    _: KW_ONLY
    categories: str | StrPromise
    legal_ground: LegalGround
    source: str | StrPromise
    found_by: FoundBy
    on_erasure: OnErasure
    subjects: Subjects = Subjects.CUSTOMERS
    store: str = "owner"
    shown_with: tuple[str, ...] = ()
    kept_after_store: str | StrPromise = ""

    @property
    def name(self) -> str:
        """The name, unique within its registry."""
        return f"{self.model}: {' '.join(self.fields)}"


class PlaceKind(models.TextChoices):
    """What kind of place outside PostgreSQL personal data may be in."""

    REDIS = "redis", _("Redis")
    FILE = "file", _("files")
    LOG = "log", _("logs")
    COPY = "copy", _("copies")
    COOKIE = "cookie", _("cookies")


@dataclass(frozen=True)
class PersonalPlace:
    """A place outside the tables where personal data is, or may get by an error.

    `pattern` is that of Redis keys, or of files below the folder for temporary files; empty if no
    erasure reaches the place. `on_erasure` says what one does, or why it need not.
    """

    kind: PlaceKind
    name: str | StrPromise
    pattern: str
    purpose: str | StrPromise
    period: str | StrPromise
    categories: str | StrPromise
    legal_ground: LegalGround
    on_erasure: str | StrPromise
    subjects: Subjects = Subjects.CUSTOMERS


@dataclass(frozen=True)
class NoPersonalData:
    """Fields of one model that by themselves say nothing about a person, and why.

    They may belong to a row that is a person's; then they are handed out with it, and say nothing
    once it has lost its person.
    """

    model: str
    fields: tuple[str, ...]
    why: str | StrPromise

    @property
    def name(self) -> str:
        """The name, unique within its registry."""
        return f"{self.model}: {' '.join(self.fields)}"
