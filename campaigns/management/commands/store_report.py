"""`manage.py store_report`: a store's messages, clicks and credits by day."""

from datetime import timedelta

from django.core.management.base import BaseCommand

from astronote.accounts.lookup import get_store_or_command_error
from astronote.common import audit
from astronote.common.command_times import day_argument
from campaigns.audience import local_today
from campaigns.reports import store_days_as_csv, store_report


class Command(BaseCommand):
    help = "Print a store's messages, clicks and credits by day, in its time zone, as CSV."

    def add_arguments(self, parser):
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("--first", type=day_argument, help="default: 30 days in all")
        parser.add_argument("--last", type=day_argument, help="default: today")

    def handle(self, *, store, first, last, **options):
        owner = get_store_or_command_error(store)
        last = last or local_today(owner)
        audit.write_entry("report exported", owner, by="command line", owner_id=owner.pk)
        first = first or last - timedelta(days=29)
        self.stdout.write(store_days_as_csv(store_report(owner, first, last)), ending="")
