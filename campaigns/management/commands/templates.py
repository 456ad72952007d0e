"""`manage.py templates`: a store's templates with their results, and the starter library."""

import json

from django.core.management.base import BaseCommand, CommandError

from astronote.accounts.lookup import (
    get_operator_or_command_error,
    get_store_or_command_error,
)
from astronote.common.counts import counted_in_english
from astronote.common.languages import language_of_store_or_country
from campaigns.template_results import template_results
from messaging.models import MessageTemplate
from messaging.starter_templates import LANGUAGES, copy_library_templates


class Command(BaseCommand):
    help = "List a store's templates with what they came to, or add the starter library."

    def add_arguments(self, parser):
        parser.add_argument("action", choices=["list", "add-library"])
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument(
            "--language",
            choices=[one.value for one in LANGUAGES],
            help="of the library; without it the store's",
        )
        parser.add_argument("--by", help="operator who does it")
        parser.add_argument("--json", action="store_true")

    def handle(self, *, action, store, language, by, **options):
        owner = get_store_or_command_error(store)
        if action == "add-library":
            actor = get_operator_or_command_error(by) if by else "command line"
            try:
                count = copy_library_templates(
                    owner, language or language_of_store_or_country(owner), by=actor
                )
            except ValueError as error:
                raise CommandError(f"{error}: give --language") from None
            added = json.dumps({"added": count}) if options["json"] else f"{count} added"
            self.stdout.write(added)
            return
        answer = [
            {
                "name": template.name,
                "category": template.category,
                "language": template.language,
                "goal": template.goal,
                "text": template.text,
                **template_results(template)._asdict(),
            }
            for template in MessageTemplate.objects.filter(owner=owner).order_by("name")
        ]
        if options["json"]:
            self.stdout.write(json.dumps(answer, ensure_ascii=False))
            return
        for one in answer:
            self.stdout.write(
                f"{one['name']} ({one['language']}):"
                f" {counted_in_english(one['campaigns'], 'campaign')},"
                f" {one['accepted']:,} accepted, {one['people_who_clicked']:,} clicked"
            )
