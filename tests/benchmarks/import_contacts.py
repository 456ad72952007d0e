"""Rows per second of the import job, beside a bare COPY and a get-and-create per row."""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from tests.benchmarks.result import Result, counted
from tests.support.installation import Installation, peak_mb
from tests.support.waiting import wait_until

SIZES = [100_000, 1_000_000]
NAIVE_ROWS = 2000
HEADINGS = ["Phone", "First name", "Last name", "Email", "Birthday", "Gender"]
NAMES = ["Maria", "Eleni", "Nikos", "Anna", "Peter", "Sofia", "Luca", "Chloé", "Γιώργος", "Jürgen"]


def run(place: Installation, size: int) -> list[Result]:
    from tests.support.factories import make_store

    path = place.root / "customers.csv"
    write_file(path, size)
    store = make_store(phone_region="GR")
    statements = _statements(path, store)
    place.start("contact_import", "rqworker contact_import")
    results = []
    for what, consent in (("new contacts", ""), ("with a consent event each", "a form")):
        bare = _bare(path, store)
        _empty()
        ours, peak = _ours(place, path, store, consent_source=consent)
        again, _ = _ours(place, path, store, consent_source=consent)
        _empty()
        naive = _naive(path, store)
        _empty()
        results.append(
            Result(
                "import",
                what,
                size,
                "rows/s",
                ours=ours,
                bare=bare,
                naive=naive,
                peak_mb=peak,
                also={"again, all unchanged": f"{again:,.0f}"},
            )
        )
    results[0].statements = statements / size * 1000
    return results


def _statements(path: Path, store) -> int:
    """Of an import of new contacts, in this process."""
    from astronote.queues import jobs
    from contacts.importing import lifecycle

    job = lifecycle.create_import_and_enqueue_or_refuse(store.pk, path, consent_source="")
    jobs.get_queue("contact_import").empty()
    done, statements = counted(lambda: lifecycle.run_open_import_unless_running(job.pk))
    assert done.status == "completed", done.error
    _empty()
    return statements


def write_file(path: Path, size: int) -> None:
    """Invented customers, their numbers in no order."""
    draw = random.Random(size)
    step = next(n for n in range(size // 2 + 7, size * 2) if _coprime(n, size))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADINGS)
        for number in range(size):
            born = date(1950, 1, 1) + timedelta(days=draw.randrange(18000))
            phone = f"+3069{number * step % size:08}"
            email = f"c{number}@example.com" if number % 2 else ""
            writer.writerow(
                [
                    phone,
                    draw.choice(NAMES),
                    f"No{number}",
                    email,
                    born,
                    draw.choice(["male", "female", ""]),
                ]
            )


def _coprime(a: int, b: int) -> bool:
    while b:
        a, b = b, a % b
    return a == 1


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        next(reader)
        yield from reader


def _empty() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE contacts_contact, contacts_consentevent, contacts_rejectedrow CASCADE"
        )
        cursor.execute("CHECKPOINT")


def _bare(path: Path, store) -> float:
    """A bare COPY of the same rows into the same table and its indexes."""
    from django.db import connection

    _empty()
    began, count = time.monotonic(), 0
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY contacts_contact (owner_id, phone, first_name, last_name, email, birthday,"
            " gender, is_subscribed) FROM STDIN"
        ) as copy,
    ):
        for phone, first, last, email, born, gender in _rows(path):
            copy.write_row((store.pk, phone, first, last, email, born, gender or None, False))
            count += 1
    return count / (time.monotonic() - began)


def _ours(place: Installation, path: Path, store, **options) -> tuple[float, float]:
    from contacts.importing import lifecycle

    job = lifecycle.create_import_and_enqueue_or_refuse(store.pk, path, **options)

    def ended() -> bool:
        job.refresh_from_db()
        return job.finished_at is not None

    wait_until(ended, seconds=900)
    assert job.status == "completed" and not job.rejected, (job.status, job.error)
    seconds = (job.finished_at - job.started_at).total_seconds()
    return job.processed / seconds, peak_mb(place.group.pids()["contact_import"])


def _naive(path: Path, store) -> float:
    """How most people would write it."""
    import phonenumbers

    from contacts.models import Contact

    began = time.monotonic()
    for count, (phone, first, last, email, born, gender) in enumerate(_rows(path), 1):
        number = phonenumbers.parse(phone, "GR")
        phonenumbers.is_valid_number(number)
        Contact.objects.get_or_create(
            owner=store,
            phone=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
            defaults={
                "first_name": first,
                "last_name": last,
                "email": email,
                "birthday": born,
                "gender": gender or None,
            },
        )
        if count == NAIVE_ROWS:
            break
    return count / (time.monotonic() - began)
