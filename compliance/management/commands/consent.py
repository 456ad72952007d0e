"""`manage.py consent`: record a consent of a contact, ask for it, or record an opt-out."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.eligibility import SendingBlocked
from astronote.accounts.lookup import get_store_or_command_error
from astronote.common.command_times import time_or_day_argument
from astronote.common.counts import counted_in_english
from astronote.common.store_clock import aware_in_zone_if_naive
from compliance import rights
from contacts.consent_records import (
    ConsentChannel,
    ConsentRefused,
    RecordedConsent,
    record_consent,
    record_opt_out_and_audit,
)
from contacts.importing.cells import UnusableCell
from contacts.importing.phone_cells import parse_phone_to_e164_or_raise_unusable
from contacts.models import Contact, MessageType
from contacts.phones import phone_region_of_store_or_default
from messaging import opt_in_requests

BY = "command line"
ALL_MESSAGES = "all"


class Command(BaseCommand):
    help = "Record a person's consent with its proof, ask for it by SMS, or record an opt-out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["record", "ask", "opt-out"])
        parser.add_argument("number", help="of the contact, as people write it in the country")
        parser.add_argument("--store", required=True, help="e-mail address or id of the store")
        parser.add_argument(
            "--messages",
            choices=[*MessageType.values, ALL_MESSAGES],
            default=MessageType.MARKETING.value,
            help="to which messages the person agrees, or which it does not want",
        )
        parser.add_argument("--given", choices=ConsentChannel.values, help="record: how")
        parser.add_argument(
            "--at",
            type=time_or_day_argument,
            help="record: when the person agreed, in the store's time zone",
        )
        parser.add_argument("--place", default="", help="record: the branch, or the number called")
        parser.add_argument(
            "--wording", default="", help="record: what it agreed to, word for word"
        )
        parser.add_argument("--wording-version", default="", help="record: the wording's version")
        parser.add_argument(
            "--document", default="", help="record: the number of the form or of the recording"
        )

    def handle(self, *, action: str, number: str, store: str, **options: Any) -> None:
        contact = _get_contact_or_command_error(number, store)
        if action == "record":
            self._record_consent_or_command_error(contact, **options)
        elif action == "ask":
            self._send_opt_in_request_or_command_error(contact)
        elif options["messages"] == ALL_MESSAGES:
            count = rights.withdraw_all_consent(contact.phone or "", contact.owner_id, by=BY)
            self.stdout.write(f"{counted_in_english(count, 'consent')} withdrawn")
        else:
            changed = record_opt_out_and_audit(contact, MessageType(options["messages"]), by=BY)
            self.stdout.write("recorded" if changed else "the contact had opted out before")

    def _send_opt_in_request_or_command_error(self, contact: Contact) -> None:
        try:
            request = opt_in_requests.get_or_send_opt_in_request(contact, by=BY)
        except SendingBlocked as blocked:
            raise CommandError(str(blocked)) from None
        expires_at = request.expires_at
        self.stdout.write(
            f"asked; the answer counts until {expires_at:%Y-%m-%d %H:%M %Z}"
            if expires_at
            else "is asked after the store's quiet hours"
        )

    def _record_consent_or_command_error(
        self, contact: Contact, *, messages: str, **options: Any
    ) -> None:
        at = options["at"]
        if messages == ALL_MESSAGES or not at or not options["given"]:
            raise CommandError("name --given, --at and one type of --messages")
        consent = RecordedConsent(
            channel=ConsentChannel(options["given"]),
            given_at=aware_in_zone_if_naive(at, contact.owner.timezone),
            place=options["place"],
            wording=options["wording"],
            version=options["wording_version"],
            document=options["document"],
        )
        try:
            record_consent(contact, MessageType(messages), consent, by=BY)
        except ConsentRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write("recorded")


def _get_contact_or_command_error(number: str, store: str) -> Contact:
    owner = get_store_or_command_error(store)
    try:
        phone = parse_phone_to_e164_or_raise_unusable(
            number, phone_region_of_store_or_default(owner)
        )
    except UnusableCell as problem:
        raise CommandError(str(problem)) from None
    contact = Contact.objects.select_related("owner").filter(owner=owner, phone=phone).first()
    if contact is None:
        raise CommandError(f"{owner} has no contact with this number")
    return contact
