"""`manage.py store`: show or change a store's settings."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Field

from astronote.accounts.eligibility import (
    SendingBlocked,
    sender_of_store,
)
from astronote.accounts.lookup import get_store_or_command_error
from astronote.common import audit
from messaging.credits import get_or_create_wallet

SETTINGS = (
    "company",
    "sender_name",
    "timezone",
    "phone_region",
    "language",
    "opt_out_line",
    "privacy_notice_url",
    "retention_days",
    "sends_to_any_number",
    "writes_greek_in_capitals",
    "confirms_opt_outs",
    "weekly_exports",
    "business_profile",
    "subscription_status",
    "billing_hold",
    "billing_hold_reason",
    "is_active",
)


class Command(BaseCommand):
    help = f"Show a store, or change it. Its settings: {', '.join(SETTINGS)}."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("--set", action="append", default=[], metavar="SETTING=VALUE")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *, store: str, **options: Any) -> None:
        owner = get_store_or_command_error(store)
        changes = dict(
            self._parse_setting_change_or_command_error(change) for change in options["set"]
        )
        try:
            for name, value in changes.items():
                field = cast("Field[Any, Any]", owner._meta.get_field(name))
                setattr(owner, name, field.clean(value, owner))
            owner.full_clean(exclude=["password"])
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        if changes:
            owner.save(update_fields=list(changes))
            audit.write_entry(
                "store changed",
                owner,
                by="command line",
                owner_id=owner.pk,
                settings=sorted(changes),
            )
        try:
            may_send = f"as {sender_of_store(owner)}"
        except SendingBlocked as blocked:
            may_send = f"no: {blocked}"
        wallet = get_or_create_wallet(owner.pk)
        answer = {
            "id": owner.pk,
            "email": owner.email,
            "sends": may_send,
            "balance": wallet.balance,
            "available": wallet.available,
            **{name: getattr(owner, name) for name in SETTINGS},
        }
        lines = "\n".join(f"{name}: {value}" for name, value in answer.items())
        self.stdout.write(json.dumps(answer) if options["json"] else lines)

    def _parse_setting_change_or_command_error(self, change: str) -> tuple[str, str | None]:
        name, separator, value = change.partition("=")
        if not separator or name not in SETTINGS:
            raise CommandError(f"{change}: use SETTING=VALUE, with one of {', '.join(SETTINGS)}")
        return name, value or (None if name == "retention_days" else "")
