"""Adding contacts to a list and removing them: by number, by segment, by what a campaign came to.

An import adds its contacts by itself (`contacts/importing/writing.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db import models, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_lazy as _

from astronote.common import audit
from astronote.common.sql import execute
from astronote.models import User
from campaigns.models import Campaign, CampaignMessage, OfferViewEvent
from contacts.importing.cells import UnusableCell
from contacts.importing.phone_cells import parse_phone_to_e164_or_raise_unusable
from contacts.models import Contact, List, ListMembership
from contacts.phones import phone_region_of_store_or_default
from messaging.statuses import MessageStatus


class CampaignResult(models.TextChoices):
    """What a campaign's message to a contact came to."""

    CLICKED = "clicked", _("clicked")
    NOT_CLICKED = "not_clicked", _("got it and did not click")
    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")


def contacts_with_campaign_result(campaign: Campaign, result: str) -> QuerySet[Contact]:
    """The contacts whose message of a campaign came to this so far.

    Args:
        campaign: the campaign.
        result: a CampaignResult.
    """
    messages = CampaignMessage.objects.filter(campaign=campaign, contact=OuterRef("pk"))
    clicked = Exists(OfferViewEvent.objects.filter(campaign_message=OuterRef("pk")))
    match CampaignResult(result):
        case CampaignResult.CLICKED:
            messages = messages.filter(clicked)
        case CampaignResult.NOT_CLICKED:
            accepted = (MessageStatus.SENT, MessageStatus.DELIVERED)
            messages = messages.filter(~clicked, status__in=accepted)
        case CampaignResult.DELIVERED | CampaignResult.FAILED:
            messages = messages.filter(status=result)
    return Contact.objects.filter(Exists(messages), owner=campaign.owner_id)


class WrittenNumbers(NamedTuple):
    """The store's contacts with numbers that a person wrote, and the lines without one.

    `unknown` are numbers that no contact of the store has, `unreadable` are no numbers, or have two
    readings.
    """

    contacts: QuerySet[Contact]
    unknown: list[str]
    unreadable: list[str]


def find_contacts_by_written_numbers(store: User, lines: Iterable[str]) -> WrittenNumbers:
    """Find a store's contacts by numbers as people write them, one a line."""
    region = phone_region_of_store_or_default(store)
    phones, unreadable = [], []
    for line in filter(None, (one.strip() for one in lines)):
        try:
            phones.append(parse_phone_to_e164_or_raise_unusable(line, region))
        except UnusableCell:
            unreadable.append(line)
    contacts = Contact.objects.filter(owner=store, phone__in=phones)
    known = set(contacts.values_list("phone", flat=True))
    return WrittenNumbers(contacts, [one for one in phones if one not in known], unreadable)


def add_members(target: List, contacts: QuerySet[Contact], *, by: Any) -> int:
    """Put contacts of the list's store on it, in one statement; return how many were not on it.

    Restricted contacts and those of other stores are left alone.
    """
    chosen = contacts.filter(owner=target.owner_id, restricted_at=None, phone__isnull=False)
    sql, parameters = chosen.order_by("pk").values("pk").query.sql_with_params()
    with transaction.atomic():
        added = execute(ADD_MEMBERS.format(contacts=sql), [target.pk, *parameters])
        audit.write_entry("members added", target, by=by, members=added)
    return added


ADD_MEMBERS = """
    INSERT INTO contacts_listmembership (list_id, contact_id)
    SELECT %s, id FROM ({contacts}) AS chosen (id) ON CONFLICT DO NOTHING
"""


def remove_contacts_from_list_and_audit(
    target: List, contacts: QuerySet[Contact], *, by: Any
) -> int:
    """Take contacts off a list; return how many were on it. The contacts themselves stay."""
    with transaction.atomic():
        removed, _ = ListMembership.objects.filter(list=target, contact__in=contacts).delete()
        audit.write_entry("members removed", target, by=by, members=removed)
    return removed
