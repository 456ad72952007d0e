"""`manage.py credit_package`: add or change a package of credits that is sold."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from astronote.common import audit
from messaging.management.commands.billing import cents_of
from messaging.models import Package


class Command(BaseCommand):
    help = "Add a package of credits, or change what is given of one. Payments stay as they were."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--credits", type=int)
        parser.add_argument("--price", help="in EUR, such as 49 or 49.50")
        parser.add_argument("--price-usd", help="in USD; empty: it is not sold in USD")
        parser.add_argument("--provider-price-eur", help="the provider's ID of the price in EUR")
        parser.add_argument("--provider-price-usd", help="the provider's ID of the price in USD")
        parser.add_argument("--sold", choices=["yes", "no"])
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    @transaction.atomic
    def handle(self, *, name: str, **options: Any) -> None:
        package = Package.objects.select_for_update().filter(name=name).first()
        package = package or Package(name=name)
        price_usd = options["price_usd"]
        given = {
            "credits": options["credits"],
            "price_cents": cents_of(options["price"]) if options["price"] else None,
            "provider_price_id_eur": options["provider_price_eur"],
            "provider_price_id_usd": options["provider_price_usd"],
            "is_active": options["sold"] == "yes" if options["sold"] else None,
        }
        changes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
        if price_usd is not None:
            changes["price_cents_usd"] = cents_of(price_usd) if price_usd else None
        for field, value in changes.items():
            setattr(package, field, value)
        try:
            package.full_clean()
        except ValidationError as problem:
            words = [f"{field}: {' '.join(said)}" for field, said in problem.message_dict.items()]
            raise CommandError("; ".join(words)) from None
        package.save()
        audit.write_entry("package set", package, by="command line", **changes)
        answer = {
            "package": package.name,
            "credits": package.credits,
            "price_cents": package.price_cents,
            "price_cents_usd": package.price_cents_usd,
            "is_sold": package.is_active,
        }
        lines = "\n".join(f"{key}: {value}" for key, value in answer.items())
        self.stdout.write(json.dumps(answer) if options["json"] else lines)
