"""Mutated files: refused with a sentence, or every row becomes a contact, a duplicate or a reason.

FUZZ_EXAMPLES=200000 python -m pytest tests/test_import_fuzz.py -n 0
"""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.importing import lifecycle, planning, reading, writing
from contacts.importing.import_refused import ImportRefused
from contacts.importing.validating import build_row_validator

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 300))
SEEDS = [
    path.read_bytes()
    for path in sorted((Path(__file__).parent.parent / "data" / "imports").iterdir())
]
PIECES = [
    b"",
    b"\0",
    b"\r",
    b"\n",
    b"\r\n",
    b'"',
    b'""',
    b"'",
    b",",
    b";",
    b"\t",
    b"|",
    b"\\",
    b"\\N",
    b"\\.",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xb6",
    b"\x80",
    b"\xed\xa0\x80",
    b"\xe2\x80\xa8",
    b"=1+1",
    b"+",
    b"00",
    b"1e9",
    b"3.0690E+11",
    b"31/12/1990",
    b"12/31/1990",
    b"0000-00-00",
    b"9999-99-99",
    b"sep=;\n",
    b"phone",
    b"@",
    b"a" * 400,
    "٣".encode(),
    "Ά".encode(),
    b"-1",
]


@st.composite
def mutated(draw) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.sampled_from([0, 0, 1, 1, 2, 5, 30, 200]))
        data[start:end] = draw(st.sampled_from(PIECES) | st.binary(max_size=6))
    return bytes(data)


class Accepts:
    """Whether PostgreSQL takes the lines, asked for many files at once."""

    def __init__(self) -> None:
        self.contacts, self.rejected, self.files = [], [], 0

    def add(self, chunk: lifecycle.ValidatedChunk) -> None:
        self.contacts.append(chunk.staged.lines)
        self.rejected.append(chunk.listed_lines)
        self.files += 1
        if self.files % 200 == 0:
            self.ask()

    def ask(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(writing.CREATE_STAGING_TABLE)
            cursor.execute("TRUNCATE staging")
            with cursor.copy("COPY staging FROM STDIN") as copy:
                copy.write(b"".join(self.contacts))
            cursor.execute("SELECT count(*) FROM staging")
            assert cursor.fetchone()[0] == b"".join(self.contacts).count(b"\n")
            cursor.execute(
                "CREATE TEMPORARY TABLE refused (LIKE contacts_rejectedrow) ON COMMIT DROP"
            )
            cursor.execute("ALTER TABLE refused DROP COLUMN id")
            with cursor.copy(
                writing.COPY_REJECTED_ROWS.replace("contacts_rejectedrow", "refused")
            ) as copy:
                copy.write(b"".join(self.rejected))
            cursor.execute("DROP TABLE refused")
        self.contacts, self.rejected = [], []


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "customers"


@pytest.mark.slow
@pytest.mark.django_db
def test_no_row_of_a_mutated_file_is_unaccounted_for(place):
    accepts = Accepts()
    owner = SimpleNamespace(pk=0, phone_region="GR", timezone="UTC")

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(mutated())
    def check(data: bytes) -> None:
        place.write_bytes(data)
        try:
            planned = planning.plan_import_or_refuse(place, owner)
            if planned.refusal:
                return
            order = planned.date_order or "iso"
            judge = build_row_validator(planned.layout.headings, planned.mapping, order, "GR")
            read = [line for line, _ in reading.FileReader(place, planned.layout)]
            reader = reading.FileReader(place, planned.layout)
            chunks = list(
                lifecycle._iter_all_chunks_one_ending_at_checkpoint(reader, judge, 1, checkpoint=0)
            )
        except ImportRefused as refused:
            assert str(refused)
            return
        assert sum(chunk.row_count for chunk in chunks) == len(read) == len(set(read))
        for chunk in chunks:
            contacts = chunk.staged.lines.count(b"\n")
            listed = chunk.listed_lines.count(b"\n")
            assert contacts == len(chunk.staged.phones) == len(set(chunk.staged.phones))
            assert listed == chunk.rejected_count + chunk.kept_incomplete_count <= chunk.row_count
            assert chunk.new_count + chunk.rejected_count <= chunk.row_count
            accepts.add(chunk)

    check()
    accepts.ask()
