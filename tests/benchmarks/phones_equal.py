"""Whether `to_e164_or_none` reads numbers as the library does, and how much sooner.

python -m tests.benchmarks.phones_equal --count 1000000
"""

from __future__ import annotations

import argparse
import cProfile
import functools
import itertools
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed

import phonenumbers
from rich.console import Console
from rich.progress import track
from rich.table import Table

from contacts import phones
from tests.support.phones import differing, random_number

CHUNK = 5_000
PROCESSES = 2
COUNTRIES = ["GR", "DE", "GB", "IT", "FR", "US"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="random numbers to compare")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    console = Console()
    console.print(_speed())
    sizes = [CHUNK] * (options.count // CHUNK) + [options.count % CHUNK]
    with ProcessPoolExecutor(PROCESSES) as pool:
        parts = [
            pool.submit(_compare, f"{options.seed}:{part}", size) for part, size in enumerate(sizes)
        ]
        done = track(as_completed(parts), "Comparing", total=len(parts), console=console)
        different = list(itertools.chain.from_iterable(part.result() for part in done))
    for line in different[:50]:
        console.print(line, markup=False, highlight=False)
    console.print(f"{options.count:,} random numbers compared, {len(different):,} differ")
    return 1 if different else 0


def _compare(seed: str, size: int) -> list[str]:
    draw = random.Random(seed)
    return differing(random_number(draw) for _ in range(size))


def _speed() -> Table:
    draw = random.Random(1)
    mixed = [_mobile(draw, region) for region in COUNTRIES * 3_000]
    greek = [_mobile(draw, "GR")[3:] for _ in range(18_000)]
    files = {
        f"+ form, {', '.join(COUNTRIES)}": mixed,
        "GR national, spaces": [f"{n[:3]} {n[3:6]} {n[6:]}" for n in greek],
        "00 form, same numbers": ["00" + number[1:] for number in mixed],
    }
    table = Table("18,000 valid numbers")
    for heading in ("a second", "by library", "times", "library not asked"):
        table.add_column(heading, justify="right")
    for what, numbers in files.items():
        ours, library = (
            _rate(phones.to_e164_or_none, numbers),
            _rate(phones._e164_by_library_or_none, numbers),
        )
        share = 1 - _asked_of_library(numbers) / len(numbers)
        table.add_row(
            what, f"{ours:,.0f}", f"{library:,.0f}", f"{ours / library:.0f}", f"{share:.1%}"
        )
    return table


def _mobile(draw: random.Random, region: str) -> str:
    """The library's example with its last five digits at random."""
    return f"{_example(region)[:-5]}{draw.randrange(100_000):05}"


@functools.cache
def _example(region: str) -> str:
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _rate(read: Callable[[str, str], str | None], numbers: list[str]) -> float:
    """Numbers per second of processor time, in the best of five rounds."""
    seconds = []
    for _ in range(5):
        began = time.process_time()
        for number in numbers:
            read(number, "GR")
        seconds.append(time.process_time() - began)
    return len(numbers) / min(seconds)


def _asked_of_library(numbers: list[str]) -> int:
    with cProfile.Profile() as profile:
        for number in numbers:
            phones.to_e164_or_none(number, "GR")
    code = phones._e164_by_library_or_none.__code__
    return sum(entry.callcount for entry in profile.getstats() if entry.code is code)


if __name__ == "__main__":
    sys.exit(main())
