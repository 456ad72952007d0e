"""`manage.py off_board`: off-board a store, with a preview; export its data; let it return."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import get_store_or_command_error
from astronote.accounts.models import User
from astronote.common.private_files import open_for_owner_alone
from compliance import off_boarding

BY = "command line"


class Command(BaseCommand):
    help = (
        "Off-board a store: nothing is sent for it any more, what was begun ends, and its data is"
        " erased. Wallet, ledger, opt-outs as hashes and audit trail stay. Says what would happen,"
        " and asks."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument(
            "--erase-in",
            type=int,
            default=off_boarding.DEFAULT_DAYS_UNTIL_ERASURE,
            metavar="DAYS",
            help="days until its data is erased; until then it can return; 0: at once",
        )
        parser.add_argument(
            "--export", type=Path, metavar="FILE", help="only write its data to a zip file"
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would happen")
        parser.add_argument("--return", action="store_true", help="let a store that left return")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, store: str, **options: Any) -> None:
        owner = get_store_or_command_error(store)
        if path := options["export"]:
            with open_for_owner_alone(path, "wb") as file:
                file.writelines(off_boarding.audit_and_iter_export_as_zip(owner, by=BY))
            self.stdout.write(f"{path} written")
        elif options["return"]:
            try:
                off_boarding.take_back_store_or_raise_cannot_return(owner, by=BY)
            except off_boarding.CannotReturn as error:
                raise CommandError(f"the store cannot return: {error}") from None
            self.stdout.write(f"{owner} has returned; what was cancelled stays cancelled")
        else:
            self._show_confirm_and_off_board(owner, **options)

    def _show_confirm_and_off_board(
        self, owner: User, *, erase_in: int, dry_run: bool, yes: bool, **options: Any
    ) -> None:
        if not 0 <= erase_in <= off_boarding.MAX_DAYS_UNTIL_ERASURE:
            raise CommandError(f"--erase-in {erase_in}: expected days from 0 on")
        consequences = off_boarding.count_consequences(owner)
        if options["json"]:
            self.stdout.write(json.dumps(consequences))
        else:
            for what, count in consequences.items():
                self.stdout.write(f"{what}: {count:,}")
        if dry_run:
            return
        question = f"Off-board {owner}? Type its e-mail address: "
        if not yes and input(question).strip().lower() != owner.email:
            raise CommandError("nothing was changed")
        erase_on = off_boarding.utc_day_of_erasure(erase_in)
        off_boarding.off_board_store(owner, erase_on=erase_on, by=BY)
        for table, count in off_boarding.end_open_work_and_erase_data_if_due(owner.pk).items():
            self.stderr.write(f"{table}: {count:,} erased")
        self.stderr.write(f"{owner} has left; its data is erased from {erase_on} on")
