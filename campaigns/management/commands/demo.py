"""`manage.py demo`: a store, its contacts and a campaign, with all processes running."""

from __future__ import annotations

import csv
import random
import secrets
import signal
import socket
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import phonenumbers
import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from astronote.common.progress import wait_with_progress_bar
from astronote.models import User
from astronote.processes import supervisor
from astronote.processes.embedded import EmbeddedError, EmbeddedServices
from astronote.queues.catalogue import QUEUES
from campaigns import enqueue
from campaigns.models import FINAL_CAMPAIGN_STATUSES, Campaign, CampaignStatus
from campaigns.reports import campaign_counters_and_report_as_dict
from contacts.importing import lifecycle
from contacts.models import ContactImport, ImportStatus
from messaging import credits

LOGIN = "demo@example.com"
PASSWORD = secrets.token_urlsafe(12)  # of this run
STORE_LOGIN = "store@example.com"
REGIONS = ["GR", "DE", "GB", "IT", "FR"]
NAMES = ["Maria", "Eleni", "Nikos", "Anna", "Peter", "Sofia", "Luca", "Chloé", "Γιώργος", "Jürgen"]
TEXT = "Hello {{first_name}},\n20% off everything this weekend in our shop."
STEP_TIMEOUT_SECONDS = 240
START_TIMEOUT_SECONDS = 60
# One worker for each queue, so that whatever a button enqueues is done, and a second that sends.
WORKER_QUEUES = [*(queue.name for queue in QUEUES), "sms"]
FOLDER = settings.BASE_DIR / ".astronote"
LOG = FOLDER / "demo.log"


class Command(BaseCommand):
    help = "Show everything at work on this machine, with a sandbox in Mitto's place."

    def add_arguments(self, parser):
        parser.add_argument("--once", action="store_true", help="end after the summary")
        parser.add_argument("--contacts", type=int, default=5000)

    def handle(self, *, once, contacts, **options):
        for number in (signal.SIGINT, signal.SIGTERM):  # some shells start it with SIGINT ignored
            signal.signal(number, signal.default_int_handler)
        self.console = Console()
        if not settings.EMBEDDED_POSTGRES:
            raise CommandError("the demo writes invented data: unset DATABASE_URL to run it")
        services = EmbeddedServices(settings.BASE_DIR, redis=settings.EMBEDDED_REDIS)
        try:
            services.start()
            call_command("migrate", verbosity=0)
            self._run_demo_and_check_counts_then_serve_unless_once(once, contacts)
        except EmbeddedError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self.console.print("Stopping.")
        finally:
            services.stop()

    def _run_demo_and_check_counts_then_serve_unless_once(
        self, once: bool, contact_count: int
    ) -> None:
        """Start all processes, run the demo, and keep them running until Ctrl-C unless `once`."""
        web_port, sandbox_port = (
            find_wanted_or_other_free_port(settings.PORT),
            find_wanted_or_other_free_port(),
        )
        site_url, sandbox_url = f"http://127.0.0.1:{web_port}", f"http://127.0.0.1:{sandbox_port}"
        self.console.print(f"Starting at {site_url}")
        processes = supervisor.ProcessGroup(
            log=LOG, MITTO_API_BASE=sandbox_url, PUBLIC_WEB_BASE_URL=site_url
        )
        sandbox_ledger = FOLDER / "demo-ledger.jsonl"
        sandbox_ledger.unlink(missing_ok=True)
        try:
            processes.start("web", supervisor.web_command(web_port, 2))
            processes.start(
                "sandbox",
                supervisor.manage_command(
                    "mitto_sandbox",
                    "--port",
                    str(sandbox_port),
                    "--ledger",
                    str(sandbox_ledger),
                    "--latency-ms",
                    "100",
                    "--undelivered-share",
                    "0.03",
                ),
            )
            for number, queue in enumerate(WORKER_QUEUES):
                processes.start(f"{queue}-{number}", supervisor.manage_command("rqworker", queue))
            processes.start("rqscheduler", supervisor.manage_command("rqscheduler"))
            _wait_until_url_answers_or_command_error(f"{site_url}/admin/login/")
            _wait_until_url_answers_or_command_error(f"{sandbox_url}/_sandbox/summary")
            results = _top_up_import_send_and_await_receipts(sandbox_url, contact_count)
            self.console.print(_build_summary_table(results))
            failed_checks = _failed_check_names(results)
            if failed_checks:
                raise CommandError("the counts are not right: " + "; ".join(failed_checks))
            if once:
                return
            self.console.print(
                f"Admin: [bold]{site_url}/admin/[/]  login {LOGIN}  password {PASSWORD}\n"
                "Ctrl-C stops."
            )
            while True:
                time.sleep(1)
                processes.restart_dead_and_return_names()
        finally:
            processes.stop()
            for operator in User.objects.filter(email=LOGIN):
                operator.set_unusable_password()
                operator.save(update_fields=["password"])


class DemoResults(NamedTuple):
    """What import and campaign came to, in our database and in the sandbox."""

    rows_written: int
    bad_rows: int
    job: ContactImport
    campaign: Campaign
    summary: dict[str, Any]
    sandbox_summary: dict[str, int]
    credits_spent: int
    credits_held: int
    seconds: float


def _top_up_import_send_and_await_receipts(sandbox_url: str, contact_count: int) -> DemoResults:
    """Import invented contacts, send them a campaign and wait for all receipts."""
    began = time.monotonic()
    store = _set_operator_password_and_get_or_create_demo_store()
    balance_before = credits.top_up(
        store.pk, 2 * contact_count, reason="demo top-up", key=f"demo:{time.time_ns()}"
    ).balance
    path = FOLDER / "demo-customers.csv"
    bad_rows = _write_csv_and_count_bad_rows(path, contact_count)
    name = f"Demo {time.strftime('%Y-%m-%d %H:%M:%S')}"
    job = lifecycle.create_import_and_enqueue_or_refuse(
        store.pk, path, name, consent_source="the demo says so"
    )
    _wait_with_progress_bar_or_command_error(
        "Import", contact_count, lambda: _refresh_and_get_import_progress_or_command_error(job)
    )
    job.refresh_from_db()
    campaign = Campaign.objects.create(
        owner=store, created_by=store, name=name, message_text=TEXT, list=job.list
    )
    campaign = enqueue.enqueue_campaign(campaign.pk)
    _wait_with_progress_bar_or_command_error(
        "Sending", campaign.total, lambda: _refresh_and_get_sending_progress(campaign)
    )
    _wait_with_progress_bar_or_command_error(
        "Receipts", campaign.total, lambda: _refresh_and_get_receipt_progress(campaign)
    )
    campaign.refresh_from_db()
    wallet = credits.get_or_create_wallet(store.pk)
    return DemoResults(
        rows_written=contact_count,
        bad_rows=bad_rows,
        job=job,
        campaign=campaign,
        summary=campaign_counters_and_report_as_dict(campaign),
        sandbox_summary=requests.get(f"{sandbox_url}/_sandbox/summary", timeout=30).json(),
        credits_spent=balance_before - wallet.balance,
        credits_held=wallet.reserved_balance,
        seconds=time.monotonic() - began,
    )


def _build_summary_table(results: DemoResults) -> Table:
    job, campaign, summary = results.job, results.campaign, results.summary
    table = Table(title=f"Campaign {campaign.pk}: {campaign.status}")
    table.add_column("")
    table.add_column("", justify="right")
    figures = {
        "rows read": job.processed,
        "– created": job.created,
        "– updated or unchanged": job.updated + job.unchanged,
        "– rejected": job.rejected,
        **{name: summary[name] for name in ("total", "sent", "delivered", "failed", "skipped")},
        "unknown": summary["unknown"],
        "credits charged": summary["credits"],
        "accepted by Mitto": results.sandbox_summary["accepted"],
        "accepted twice": results.sandbox_summary["duplicates"],
        "seconds": round(results.seconds, 1),
    }
    for label, value in figures.items():
        table.add_row(label, str(value))
    return table


def _failed_check_names(results: DemoResults) -> list[str]:
    """The names of the checks that the results do not pass."""
    job, campaign, sandbox = results.job, results.campaign, results.sandbox_summary
    valid_rows = results.rows_written - results.bad_rows
    charged = results.summary["credits"]
    checks = {
        "rows read": job.processed == results.rows_written,
        "rows rejected": job.rejected == results.bad_rows,
        "campaign completed": campaign.status == CampaignStatus.COMPLETED,
        "every message sent": sandbox["accepted"] == campaign.total == valid_rows,
        "no message twice": sandbox["duplicates"] == 0,
        "every receipt": campaign.delivered + campaign.failed == campaign.total,
        "some undelivered": campaign.failed > 0,
        "credits": results.credits_spent == charged >= campaign.total,
        "nothing held": results.credits_held == 0,
    }
    return [name for name, passed in checks.items() if not passed]


def _wait_with_progress_bar_or_command_error(
    label: str, total: int, get_progress: Callable[[], tuple[int, bool]]
) -> None:
    try:
        wait_with_progress_bar(label, total, get_progress, timeout_seconds=STEP_TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise CommandError(f"{error}; see {LOG}") from None


def _refresh_and_get_import_progress_or_command_error(job: ContactImport) -> tuple[int, bool]:
    job.refresh_from_db()
    if job.status == ImportStatus.FAILED:
        raise CommandError(f"the import failed: {job.error}")
    return job.processed, job.status == ImportStatus.COMPLETED


def _refresh_and_get_sending_progress(campaign: Campaign) -> tuple[int, bool]:
    campaign.refresh_from_db()
    return campaign.processed, campaign.status in FINAL_CAMPAIGN_STATUSES


def _refresh_and_get_receipt_progress(campaign: Campaign) -> tuple[int, bool]:
    campaign.refresh_from_db()
    final = campaign.delivered + campaign.failed
    return final, final >= campaign.total


def _set_operator_password_and_get_or_create_demo_store() -> User:
    """The store of the demo; creates it and the operator if they do not exist."""
    operator = User.objects.filter(email=LOGIN).first() or User.objects.create_superuser(LOGIN)
    operator.set_password(PASSWORD)
    operator.save(update_fields=["password"])
    store = User.objects.filter(email=STORE_LOGIN).first()
    return store or User.objects.create_user(
        STORE_LOGIN,
        company="Blue Door",
        sender_name="BlueDoor",
        timezone="Europe/Athens",
        phone_region="GR",
        language="en",
    )


def _write_csv_and_count_bad_rows(path: Path, row_count: int) -> int:
    """Write invented contacts of several countries to a CSV file.

    Returns:
        How many rows have a number that is not valid.
    """
    rng = random.Random(7)
    bad_numbers = set(range(50, row_count, 100)[: max(1, row_count // 100)])
    examples = [_example_mobile_number_or_command_error(region) for region in REGIONS]
    used_phones: set[str] = set()
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["First name", "Last name", "Mobile", "Email", "Birthday", "Gender"])
        for number in range(row_count):
            phone = (
                "12"
                if number in bad_numbers
                else _generate_phone_and_add_to_used(rng, examples, used_phones)
            )
            birthday = date(1950, 1, 1) + timedelta(days=rng.randrange(20000))
            name = rng.choice(NAMES)
            gender = rng.choice(["male", "female", ""])
            email = f"c{number}@example.com"
            writer.writerow([name, f"No{number}", phone, email, birthday, gender])
    return len(bad_numbers)


class ExampleNumber(NamedTuple):
    """A valid mobile number of a country."""

    country_code: int
    national_number: str


def _example_mobile_number_or_command_error(region: str) -> ExampleNumber:
    mobile = phonenumbers.PhoneNumberType.MOBILE
    example = phonenumbers.example_number_for_type(region, mobile)
    if example is None:
        raise CommandError(f"no mobile number of {region} is known")
    return ExampleNumber(example.country_code or 0, str(example.national_number))


def _generate_phone_and_add_to_used(
    rng: random.Random, examples: list[ExampleNumber], used: set[str]
) -> str:
    """An invented mobile number that is not used yet; adds it to the used ones."""
    while True:
        country_code, national_number = rng.choice(examples)
        phone = f"+{country_code}{national_number[:-5]}{rng.randrange(100_000):05}"
        if phone not in used and phonenumbers.is_valid_number(phonenumbers.parse(phone)):
            used.add(phone)
            return phone


def find_wanted_or_other_free_port(wanted: int = 0) -> int:
    """The wanted port of this machine, or another one if a program listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_url_answers_or_command_error(url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise CommandError(f"{url} does not answer; see {LOG}")
