"""`manage.py store_report`: a store's messages, clicks and credits by day."""

from datetime import date, timedelta

from django.core.management.base import BaseCommand

from campaigns.analytics import days_csv, of_store
from campaigns.audience import local_today
from contacts.stores import find_store


class Command(BaseCommand):
    help = "Print what happened at a store on each of its days, as CSV."

    def add_arguments(self, parser):
        parser.add_argument("store", help="e-mail address or id")
        parser.add_argument("--first", type=date.fromisoformat, help="30 days before the last")
        parser.add_argument("--last", type=date.fromisoformat, help="today")

    def handle(self, *, store, first, last, **options):
        owner = find_store(store)
        last = last or local_today(owner)
        first = first or last - timedelta(days=29)
        self.stdout.write(days_csv(of_store(owner, first, last)), ending="")
