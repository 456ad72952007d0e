"""`manage.py rotate_phone_hash_key`: move suppressions from the old key to the present one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from astronote.common import audit
from astronote.common.counts import counted_in_english
from compliance.known_numbers import iter_known_numbers
from contacts import phone_hash_rotation


class Command(BaseCommand):
    help = (
        "After PHONE_HASH_KEY was changed: hash the suppressions anew whose numbers are still known"
        " and say how many need PHONE_HASH_KEY_OLD on."
    )

    def handle(self, **options: Any) -> None:
        if not settings.PHONE_HASH_KEY_OLD:
            raise CommandError("set the key before as PHONE_HASH_KEY_OLD")
        changed = phone_hash_rotation.rehash_suppressions_and_holds(iter_known_numbers())
        audit.write_entry("suppressions hashed anew", by="command line", count=changed)
        self.stdout.write(
            f"{counted_in_english(changed, 'suppression has', 'suppressions have')}"
            " the hash of the present key now"
        )
        if remaining := phone_hash_rotation.count_hashes_of_other_keys():
            self.stdout.write(
                f"{remaining:,} remain with the hash of an earlier key, because their numbers are "
                "not known any more: keep PHONE_HASH_KEY_OLD"
            )
        else:
            self.stdout.write("none remains: PHONE_HASH_KEY_OLD can be removed")
