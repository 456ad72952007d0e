"""`manage.py demo`: a store, its customers and a campaign, with every process for real."""

from __future__ import annotations

import csv
import random
import signal
import socket
import time
from datetime import date, timedelta
from pathlib import Path

import phonenumbers
import requests
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from astronote import processes
from astronote.embedded import EmbeddedError, EmbeddedServices
from campaigns import enqueue
from campaigns.models import ENDED, Campaign
from campaigns.reporting import report
from contacts.importing import run as importing
from contacts.models import ContactImport, ImportStatus
from contacts.progress import follow
from messaging import credits

LOGIN, PASSWORD = "demo@example.com", "astronote-demo"
REGIONS = ["GR", "DE", "GB", "IT", "FR"]
NAMES = ["Maria", "Eleni", "Nikos", "Anna", "Peter", "Sofia", "Luca", "Chloé", "Γιώργος", "Jürgen"]
TEXT = "Hello {{first_name}},\n20% off everything this weekend in our shop."
LONGEST_SECONDS = 240
WORKERS = ["contact_import", "sms", "sms", "delivery_status_poller", "scheduler", "watchdog"]


class Command(BaseCommand):
    help = "Show everything at work on this machine, with a sandbox in Mitto's place."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="end after the summary")
        parser.add_argument("--contacts", type=int, default=5000)

    def handle(self, *, once, contacts, **options):
        for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell had SIGINT ignored
            signal.signal(number, signal.default_int_handler)
        self.console = Console()
        if not settings.EMBEDDED_POSTGRES:
            raise CommandError("the demo writes invented data: unset DATABASE_URL to run it")
        services = EmbeddedServices(settings.BASE_DIR, redis=settings.EMBEDDED_REDIS)
        try:
            services.start()
            call_command("migrate", verbosity=0)
            self._run(once, contacts)
        except EmbeddedError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self.console.print("Stopping.")
        finally:
            services.stop()

    def _run(self, once: bool, size: int) -> None:
        web_port, sandbox_port = _free_port(), _free_port()
        site, mitto = f"http://127.0.0.1:{web_port}", f"http://127.0.0.1:{sandbox_port}"
        folder = settings.BASE_DIR / ".astronote"
        log = folder / "demo.log"
        group = processes.Processes(log=log, MITTO_API_BASE=mitto, PUBLIC_WEB_BASE_URL=site)
        ledger = folder / "demo-ledger.jsonl"
        ledger.unlink(missing_ok=True)
        try:
            group.start("web", processes.web(web_port, 2))
            group.start(
                "sandbox",
                processes.manage(
                    "mitto_sandbox", "--port", str(sandbox_port), "--ledger", str(ledger),
                    "--latency-ms", "100", "--undelivered-share", "0.03",
                ),
            )  # fmt: skip
            for number, queue in enumerate(WORKERS):
                group.start(f"{queue}-{number}", processes.manage("rqworker", queue))
            group.start("rqscheduler", processes.manage("rqscheduler"))
            _wait_for(f"{site}/admin/login/", log)
            _wait_for(f"{mitto}/_sandbox/summary", log)
            problems = self._show(folder, mitto, size)
            if problems:
                raise CommandError("the counts are not right: " + "; ".join(problems))
            if once:
                return
            self.console.print(
                f"Admin: [bold]{site}/admin/[/]  login {LOGIN}  password {PASSWORD}\nCtrl-C stops."
            )
            while True:
                time.sleep(1)
                group.replace_dead()
        finally:
            group.stop()

    def _show(self, folder: Path, mitto: str, size: int) -> list[str]:
        began = time.monotonic()
        owner = _operator_and_store()
        before = credits.top_up(
            owner.pk, 2 * size, reason="demo top-up", key=f"demo:{time.time_ns()}"
        ).balance
        path = folder / "demo-customers.csv"
        bad = _write_customers(path, size)
        name = f"Demo {time.strftime('%Y-%m-%d %H:%M:%S')}"
        job = importing.store_file(owner.pk, path, name, consent_source="the demo says so")
        self._watch("Import", size, lambda: _import_progress(job))
        job.refresh_from_db()
        campaign = Campaign.objects.create(
            owner=owner, created_by=owner, name=name, message_text=TEXT, list=job.list
        )
        campaign = enqueue.start(campaign.pk)
        self._watch("Sending", campaign.total, lambda: _sending_progress(campaign))
        self._watch("Receipts", campaign.total, lambda: _receipt_progress(campaign))
        campaign.refresh_from_db()
        facts = report(campaign)
        summary = requests.get(f"{mitto}/_sandbox/summary", timeout=30).json()
        wallet = credits.wallet_of(owner.pk)
        table = Table(title=f"Campaign {campaign.pk}: {campaign.status}")
        table.add_column("")
        table.add_column("", justify="right")
        rows = {
            "customers read": job.processed,
            "– created": job.created,
            "– updated or unchanged": job.updated + job.unchanged,
            "– rejected": job.rejected,
            **{name: facts[name] for name in ("total", "sent", "delivered", "failed", "skipped")},
            "unknown": facts["unknown"],
            "credits charged": facts["credits"],
            "accepted by Mitto": summary["accepted"],
            "accepted twice": summary["duplicates"],
            "seconds": round(time.monotonic() - began, 1),
        }
        for label, value in rows.items():
            table.add_row(label, str(value))
        self.console.print(table)
        checks = {
            "rows read": job.processed == size,
            "rows rejected": job.rejected == bad,
            "campaign completed": campaign.status == "completed",
            "every message sent": summary["accepted"] == campaign.total == size - bad,
            "no message twice": summary["duplicates"] == 0,
            "every receipt": campaign.delivered + campaign.failed == campaign.total,
            "some undelivered": campaign.failed > 0,
            "credits": before - wallet.balance == facts["credits"] >= campaign.total,
            "nothing held": wallet.reserved_balance == 0,
        }
        return [label for label, right in checks.items() if not right]

    def _watch(self, label: str, total: int, look) -> None:
        try:
            follow(label, total, look, longest_seconds=LONGEST_SECONDS)
        except TimeoutError as error:
            log = settings.BASE_DIR / ".astronote" / "demo.log"
            raise CommandError(f"{error}; see {log}") from None


def _import_progress(job: ContactImport) -> tuple[int, bool]:
    job.refresh_from_db()
    if job.status == ImportStatus.FAILED:
        raise CommandError(f"the import failed: {job.error}")
    return job.processed, job.status == ImportStatus.COMPLETED


def _sending_progress(campaign: Campaign) -> tuple[int, bool]:
    campaign.refresh_from_db()
    return campaign.processed, campaign.status in ENDED


def _receipt_progress(campaign: Campaign) -> tuple[int, bool]:
    campaign.refresh_from_db()
    final = campaign.delivered + campaign.failed
    return final, final >= campaign.total


def _operator_and_store():
    users = get_user_model().objects
    if not users.filter(email=LOGIN).exists():
        users.create_superuser(LOGIN, PASSWORD)
    store = users.filter(email="store@example.com").first()
    return store or users.create_user(
        "store@example.com",
        company="Blue Door",
        sender_name="BlueDoor",
        timezone="Europe/Athens",
        phone_region="GR",
    )


def _write_customers(path: Path, size: int) -> int:
    """Write invented customers of several countries; return how many rows are bad."""
    draw = random.Random(7)
    bad = max(1, size // 100)
    bases = []
    for region in REGIONS:
        kind = phonenumbers.PhoneNumberType.MOBILE
        example = phonenumbers.example_number_for_type(region, kind)
        bases.append((example.country_code, str(example.national_number)))
    seen: set[str] = set()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["First name", "Last name", "Mobile", "Email", "Birthday", "Gender"])
        for number in range(size):
            phone = "12" if number % 100 == 50 and number // 100 < bad else _phone(
                draw, bases, seen
            )  # fmt: skip
            born = date(1950, 1, 1) + timedelta(days=draw.randrange(20000))
            name = draw.choice(NAMES)
            gender = draw.choice(["male", "female", ""])
            writer.writerow(
                [name, f"No{number}", phone, f"c{number}@example.com", born, gender]
            )  # fmt: skip
    return sum(1 for n in range(size) if n % 100 == 50 and n // 100 < bad)


def _phone(draw: random.Random, bases: list, seen: set[str]) -> str:
    """An invented mobile number that nobody else in the file has."""
    while True:
        country, national = draw.choice(bases)
        digits = national[:-5] + f"{draw.randrange(100_000):05}"
        phone = f"+{country}{digits}"
        if phone not in seen and phonenumbers.is_valid_number(phonenumbers.parse(phone)):
            seen.add(phone)
            return phone


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise CommandError(f"{url} does not answer; see {log}")
