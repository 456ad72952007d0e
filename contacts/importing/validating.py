"""Validating a row of a customer list: a contact to write, or the reason why it is rejected.

A row is rejected if it has no certain number, if its cells are shifted, or if its birthday alone
is no date of birth: then the row may be shifted or damaged, too. Any other cell that cannot be used
is left out and listed, and so are birthdays that a column often writes so (rules.md#import).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from functools import partial
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common.fields import compose_to_nfc
from contacts.importing.area_codes import (
    NeedOfAreaCodes,
    area_code_column_by_phone_position,
    area_code_digits_or_empty,
    needs_by_phone_position,
)
from contacts.importing.cells import (
    KnownCells,
    UnusableCell,
    looks_like_date_with_year,
    looks_like_email,
    looks_like_phone,
)
from contacts.importing.consent_cells import (
    Consent,
    ConsentCell,
    ConsentColumn,
    channels_if_cell_lists_only_channels,
)
from contacts.importing.dates import (
    YearlessDate,
    has_short_years_first,
    has_spreadsheet_serial_dates,
    parse_birthday_or_raise_unusable,
)
from contacts.importing.genders import GenderColumn
from contacts.importing.headings import (
    MEANINGS_OF_CONSENT,
    Channel,
    Meaning,
    heading_is_of_other_channel_or_purpose,
    heading_is_of_second_surname,
    heading_is_unknown_or_names_notes,
    label_positions_by_phone_position,
    rank_of_phone_label_lowest_is_best,
    read_heading,
)
from contacts.importing.names import (
    clean_name_or_empty,
    fill_missing_name_part,
    has_only_particles,
    is_placeholder_for_no_value,
    reason_if_number_or_email,
    short_titles_of_column,
    writes_family_first,
    writes_family_in_capitals,
    writes_two_surnames,
)
from contacts.importing.phone_cells import ParsedPhone, PhoneReader, detect_phone_convention
from contacts.importing.phone_readings import PhoneConvention
from contacts.importing.refusing_cells import (
    cell_of_several_words_mentions_messages,
    cell_refuses_messages,
    cell_refuses_messages_without_naming_opt_out,
    cell_refuses_more_than_its_channel,
    name_refuses_contact,
    note_may_refuse_messages,
    phone_remark_refuses_messages,
    without_remark_refusing_contact,
)
from contacts.models import DateOrder
from contacts.phones import PhoneKind, phone_kind

CONSENT_FIELDS_OF_ANSWERS = ("sms_consent", "sms_opt_out", "other_consent")
MAX_EMAIL_LENGTH = 320
MAX_REASON_LENGTH = 200
MIN_PHONE_DIGITS = 5  # a number without its area code
MAX_KNOWN_TEXTS = 1000
# So many birthdays that are no dates, and such a share of a column, are its way of writing them.
MIN_UNREAD_BIRTHDAYS = 3
MIN_UNREAD_SHARE = 0.2
MAX_KNOWN_BIRTHDAYS = 1 << 15  # the days of 89 years

_SIMPLE_EMAIL = re.compile(
    r"[A-Za-z0-9_+%-]+(?:\.[A-Za-z0-9_+%-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z]{2,63}"
)
_NAMED_EMAIL = re.compile(r"[^<>@]*<([^<>\s]+)>")


class DroppedCell(NamedTuple):
    """A cell that was left out of a row: its heading and text, and `kept without …: why`."""

    column: str
    value: str
    reason: str


@dataclass(slots=True)
class ContactRow:
    """A row that is written.

    `consent` is what its own columns say, and `said_at` when, if they tell. `dropped` has the cells
    that were left out.
    """

    phone: str
    email: str
    first_name: str
    last_name: str
    gender: str | None
    birthday: date | None
    consent: Consent = Consent.SILENT
    said_at: datetime | None = None
    phone_kind: PhoneKind = PhoneKind.MOBILE
    dropped: tuple[DroppedCell, ...] = ()

    @property
    def filled_bits(self) -> int:
        """One bit for each of the fields email, first and last name, gender and birthday."""
        return (
            (1 if self.email else 0)
            | (2 if self.first_name else 0)
            | (4 if self.last_name else 0)
            | (8 if self.gender else 0)
            | (16 if self.birthday else 0)
        )

    def with_blanks_filled_and_stricter_consent_of(self, later: ContactRow) -> ContactRow:
        """The row with its blanks filled from a later row of its number; a no of either wins."""
        said = max(self, later, key=lambda row: row.consent)
        return replace(
            self,
            email=self.email or later.email,
            first_name=self.first_name or later.first_name,
            last_name=self.last_name or later.last_name,
            gender=self.gender or later.gender,
            birthday=self.birthday or later.birthday,
            consent=said.consent,
            said_at=said.said_at,
        )

    def without_fields(self, field_bits: int) -> ContactRow:
        """The row without the fields whose bits are set; see `filled_bits`."""
        return replace(
            self,
            email="" if field_bits & 1 else self.email,
            first_name="" if field_bits & 2 else self.first_name,
            last_name="" if field_bits & 4 else self.last_name,
            gender=None if field_bits & 8 else self.gender,
            birthday=None if field_bits & 16 else self.birthday,
        )


class Rejection(NamedTuple):
    """Why a row is rejected: the heading and text of the cell, and a reason for a person."""

    column: str
    value: str
    reason: str


def build_row_validator(
    headings: Sequence[str],
    mapping: Mapping[str, Sequence[int]],
    date_order: str,
    region: str,
    *,
    sample: Sequence[Sequence[str]] = (),
    zone: tzinfo = UTC,
) -> Callable[[list[str]], ContactRow | Rejection]:
    """A function that turns one row's cells into a contact or a rejection.

    Args:
        headings: one for each column.
        mapping: positions of columns by field; of several the first that is filled counts.
        date_order: the order of the file's birthdays, a DateOrder.
        region: two-letter country of national phone numbers in rows without a country.
        sample: cells of the file's first rows; they decide how a column is to be read where a cell
            alone does not tell. The same sample decides the same.
        zone: the store's time zone, of times without one.
    """
    return _RowValidator(headings, mapping, date_order, region, sample, zone).validate


class Refusal(NamedTuple):
    """The number of a person who gives no consent, whether it is a no or only no yes, and when."""

    phone: str
    consent: Consent
    said_at: datetime | None


def build_reader_of_refusals_and_withheld_consents(
    headings: Sequence[str],
    mapping: Mapping[str, Sequence[int]],
    date_order: str,
    region: str,
    *,
    sample: Sequence[Sequence[str]] = (),
    zone: tzinfo = UTC,
) -> Callable[[list[str]], list[Refusal]]:
    """A function that says who gives no consent in a row; for arguments see `build_row_validator`.

    A row that is rejected for another cell than its number counts, too.
    """
    return _RowValidator(
        headings, mapping, date_order, region, sample, zone
    ).refusals_and_withheld_consents_of_row


def build_reader_of_consent(
    headings: Sequence[str],
    mapping: Mapping[str, Sequence[int]],
    date_order: str,
    region: str,
    *,
    sample: Sequence[Sequence[str]] = (),
    zone: tzinfo = UTC,
) -> Callable[[list[str]], ConsentCell]:
    """A function that says what a row says of consent; for arguments see `build_row_validator`."""
    return _RowValidator(headings, mapping, date_order, region, sample, zone).consent_of_row


# Columns of consent that nobody mapped were set aside because another one says more.
_MEANINGS_WITHOUT_REFUSALS = MEANINGS_OF_CONSENT - {Meaning.CONSENT, Meaning.OPT_OUT} | {
    Meaning.EMAIL,
    Meaning.REJECTION,
}


class _RowValidator:
    """Validates rows; it runs for every row of a file, so usual cells take few calls."""

    def __init__(
        self,
        headings: Sequence[str],
        mapping: Mapping[str, Sequence[int]],
        date_order: str,
        region: str,
        sample: Sequence[Sequence[str]],
        zone: tzinfo,
    ) -> None:
        self.headings, self.width = headings, len(headings)
        self.date_order, self.today = date_order, date.today()

        def columns(field: str) -> Sequence[int]:
            return mapping.get(field, ())

        def cells_of(at: int) -> list[str]:
            return [row[at] for row in sample if at < len(row) and row[at].strip()]

        self.country_at, self.email_at = columns("country"), columns("email")
        self.first_at, self.last_at = columns("first_name"), columns("last_name")
        area_codes = area_code_column_by_phone_position(
            headings, mapping["phone"], columns("area_code")
        )
        needs = needs_by_phone_position(
            area_codes, sample, list(map(self._first_filled_country_cell_or_empty, sample)), region
        )
        self.area_code_at = {at: area_codes[at].position for at in needs}
        self.phone_readers = [
            (at, PhoneReader(region, self._detect_convention_of_column(at, sample, region, needs)))
            for at in mapping["phone"]
        ]
        self.phone_labels = label_positions_by_phone_position(headings, mapping["phone"])
        self.full_names = [
            (at, _build_name_splitter(headings[at], cells_of(at), region))
            for at in columns("full_name")
        ]
        self.has_second_surname = any(
            heading_is_of_second_surname(headings[at]) for at in self.last_at
        )
        self.names_at = [
            at for field in ("first_name", "last_name", "full_name") for at in columns(field)
        ]
        self.genders = [(at, GenderColumn(headings[at], cells_of(at))) for at in columns("gender")]
        self.birthdays = [
            (at, self._build_caching_birthday_parser(cells_of(at))) for at in columns("birthday")
        ]
        self.unread_birthdays_at = {
            at
            for at, birthday_of in self.birthdays
            if _are_birthdays_often_unreadable(birthday_of, cells_of(at))
        }
        consents_at = [at for field in CONSENT_FIELDS_OF_ANSWERS for at in columns(field)]
        answers = {
            at: _cells_of_rows_with_number(at, sample, mapping["phone"]) for at in consents_at
        }
        self.consents = [
            (
                at,
                ConsentColumn(
                    answers[at],
                    other_answers=[cell for other in consents_at for cell in answers[other]],
                    is_opt_out=field == "sms_opt_out",
                    heading=headings[at],
                    region=region,
                    date_order=date_order,
                    zone=zone,
                    needs_answer=(
                        field == "other_consent"
                        and not columns("sms_consent")
                        and read_heading(headings[at]).channel == Channel.PRIVACY
                    ),
                ),
                field == "other_consent",
            )
            for field in CONSENT_FIELDS_OF_ANSWERS
            for at in columns(field)
        ]
        self.notes = [
            (
                at,
                KnownCells(
                    partial(
                        _read_note_as_opt_out_doubt_or_nothing,
                        *_build_agreeing_and_refusing_note_readers(zone),
                    ),
                    MAX_KNOWN_TEXTS,
                ),
            )
            for at in columns("notes")
        ]
        mapped = {at for positions in mapping.values() for at in positions}
        # A plan looks at the first rows; a no may stand in any row below them.
        self.unused_texts = [
            (
                at,
                KnownCells(
                    cell_refuses_more_than_its_channel
                    if read_heading(heading).meaning in (Meaning.CONSENT, Meaning.OPT_OUT)
                    or (columns("sms_consent") and heading_is_of_other_channel_or_purpose(heading))
                    else cell_refuses_messages,
                    MAX_KNOWN_TEXTS,
                ),
            )
            for at, heading in enumerate(headings)
            if at not in mapped and read_heading(heading).meaning not in _MEANINGS_WITHOUT_REFUSALS
        ]
        # Notes that speak of messages and do not refuse them are asked about where the first rows
        # have one. Below them nobody is asked, so they withhold consent.
        self.unclear_texts = [
            (at, KnownCells(cell_of_several_words_mentions_messages, MAX_KNOWN_TEXTS))
            for at, _ in self.unused_texts
            if heading_is_unknown_or_names_notes(headings[at])
            and not any(map(cell_of_several_words_mentions_messages, cells_of(at)))
        ]
        self.uniform_columns = [
            *_columns_with_matchers_of_uniform_cells(sample, self.width),
            *((at, column.is_understood_or_empty) for at, column, _ in self.consents),
        ]

    def _detect_convention_of_column(
        self,
        position: int,
        sample: Sequence[Sequence[str]],
        region: str,
        needs: Mapping[int, NeedOfAreaCodes],
    ) -> PhoneConvention:
        if position in needs:
            return PhoneConvention.UNKNOWN if needs[position].complete else PhoneConvention.LOCAL
        rows = [row for row in sample if position < len(row)]
        return detect_phone_convention(
            ((row[position], self._first_filled_country_cell_or_empty(row)) for row in rows), region
        )

    def _first_filled_country_cell_or_empty(self, cells: Sequence[str]) -> str:
        for at in self.country_at:
            if at < len(cells) and (text := cells[at].strip()):
                return text
        return ""

    def _area_code_of_phone_or_empty(self, phone_at: int, cells: Sequence[str]) -> str:
        at = self.area_code_at.get(phone_at)
        return area_code_digits_or_empty(cells[at]) if at is not None else ""

    def validate(self, cells: list[str]) -> ContactRow | Rejection:
        """The row's contact, or why it is rejected."""
        if len(cells) < self.width:
            cells = cells + [""] * (self.width - len(cells))
        if shift := self._reject_if_cells_are_shifted(cells):
            return shift
        dropped: list[DroppedCell] = []
        unread_birthdays: list[DroppedCell] = []
        number = self._read_best_number_dropping_others_or_reject(cells, dropped)
        if isinstance(number, Rejection):
            return number
        birthday = None
        for at, birthday_of in self.birthdays:
            text = cells[at]
            if not text or birthday is not None:
                continue
            try:
                birthday = birthday_of[text]
            except UnusableCell as problem:
                if not isinstance(problem, YearlessDate) and at not in self.unread_birthdays_at:
                    return self._build_rejection(at, cells, problem)
                unread_birthdays.append(
                    self._build_dropped_cell(gettext("birthday"), at, cells, problem)
                )
        if birthday is None:
            dropped += unread_birthdays
        first, last = (
            compose_to_nfc(name) for name in self._first_and_last_name_or_drop_cells(cells, dropped)
        )
        email = self._email_or_drop_cell(cells, dropped) if self.email_at else ""
        gender = self._gender_or_drop_cell(cells, dropped) if self.genders else None
        said = self._combine_consent_cells_and_list_unclear_ones(cells, dropped)
        consent = said.consent
        if number.kind == PhoneKind.LANDLINE and consent < Consent.WITHHELD:
            consent = Consent.WITHHELD
            at = self.phone_readers[0][0]
            dropped.append(
                DroppedCell(
                    self.headings[at],
                    number.phone,
                    gettext("kept without consent: a landline cannot receive SMS"),
                )
            )
        return ContactRow(
            number.phone,
            email,
            first,
            last,
            gender,
            birthday,
            consent,
            said.at,
            number.kind,
            tuple(dropped),
        )

    def consent_of_row(self, cells: list[str]) -> ConsentCell:
        """What the cells of a row say of consent, whosever it is."""
        cells = cells + [""] * (self.width - len(cells))
        return self._combine_consent_cells_and_list_unclear_ones(cells, [])

    def refusals_and_withheld_consents_of_row(self, cells: list[str]) -> list[Refusal]:
        """Who gives no consent in the row; nobody if it is not certain who.

        A remark that refuses messages is kept for all numbers that its cell may hold.
        """
        cells = cells + [""] * (self.width - len(cells))
        if self._reject_if_cells_are_shifted(cells):
            return []
        said = self._combine_consent_cells_and_list_unclear_ones(cells, [])
        if said.consent < Consent.WITHHELD:
            return []
        number = self._read_best_number_dropping_others_or_reject(cells, [])
        if isinstance(number, Rejection):
            country = self._first_filled_country_cell_or_empty(cells)
            phones = [
                phone
                for at, reader in self.phone_readers
                for phone in self._possible_numbers_if_remark_refuses(
                    reader, cells[at], country, self._area_code_of_phone_or_empty(at, cells)
                )
            ]
        else:
            phones = [number.phone]
        return [Refusal(phone, said.consent, said.at) for phone in phones]

    def _reject_if_cells_are_shifted(self, cells: list[str]) -> Rejection | None:
        """Why the row's cells stand in wrong columns, as after a separator without quotes."""
        if len(cells) > self.width and any(cell.strip() for cell in cells[self.width :]):
            return Rejection(
                "",
                "",
                gettext(
                    "the row has %(count)s cells, the heading %(width)s: put quotation marks around"
                    " a cell that holds the separator"
                )
                % {"count": len(cells), "width": self.width},
            )
        for at, fits in self.uniform_columns:
            text = cells[at]
            # `Papa, Anna` without quotes gives a cell that begins with a blank.
            if text[:1] == " " and not fits(text) and not is_placeholder_for_no_value(text):
                problem = gettext(
                    "unlike the other cells of the column: put quotation marks around the cell "
                    "before it if the two are one"
                )
                return self._build_rejection(at, cells, UnusableCell(problem))
        return None

    def _read_best_number_dropping_others_or_reject(
        self, cells: list[str], dropped: list[DroppedCell]
    ) -> ParsedPhone | Rejection:
        """The row's number, a mobile if it has one; else why it has none."""
        country = self._first_filled_country_cell_or_empty(cells) if self.country_at else ""
        found: ParsedPhone | None = None
        problems: list[tuple[int, UnusableCell]] = []
        readers = self.phone_readers
        if self.phone_labels and len(readers) > 1:
            readers = sorted(
                readers,
                key=lambda column: self._phone_rank_by_label_0_without_label(column[0], cells),
            )
        for at, reader in readers:
            text = cells[at].strip()
            if not text or (len(self.phone_readers) > 1 and is_placeholder_for_no_value(text)):
                continue
            area_code = self._area_code_of_phone_or_empty(at, cells) if self.area_code_at else ""
            try:
                number = reader.parse_or_raise_unusable(text, country, area_code)
            except UnusableCell as problem:
                numbers = self._possible_numbers_if_remark_refuses(reader, text, country, area_code)
                if len(numbers) != 1:
                    problems.append((at, problem))
                    continue
                number = ParsedPhone(numbers[0], phone_kind(numbers[0]))
            if number.kind == PhoneKind.MOBILE:
                found = number
                break
            found = found or number
        if found is None:
            if problems:
                return self._build_rejection(problems[0][0], cells, problems[0][1])
            at = self.phone_readers[0][0]
            return self._build_rejection(
                at, cells, UnusableCell(gettext("the phone number is missing"))
            )
        for at, why in problems:
            dropped.append(
                self._build_dropped_cell(
                    gettext("the number of %(column)s") % {"column": self.headings[at]},
                    at,
                    cells,
                    why,
                )
            )
        return found

    def _phone_rank_by_label_0_without_label(self, phone_at: int, cells: list[str]) -> int:
        """The rank of the number in a phone column by the label beside it, such as `Mobile`."""
        label_at = self.phone_labels.get(phone_at)
        return rank_of_phone_label_lowest_is_best(cells[label_at]) if label_at is not None else 0

    def _possible_numbers_if_remark_refuses(
        self, reader: PhoneReader, text: str, country: str, area_code: str
    ) -> list[str]:
        """All numbers that a cell may hold whose remark refuses messages; such a no is kept."""
        if not phone_remark_refuses_messages(text):
            return []
        return reader.find_all_possible_numbers(text, country, area_code)

    def _build_caching_birthday_parser(self, sample: Sequence[str]) -> KnownCells[date | None]:
        reads_serials = has_spreadsheet_serial_dates(sample, self.today)
        is_year_first = has_short_years_first(sample)

        def read(text: str) -> date | None:
            if is_placeholder_for_no_value(text):
                return None
            return parse_birthday_or_raise_unusable(
                text,
                self.date_order,
                self.today,
                reads_serials=reads_serials,
                is_year_first=is_year_first,
            )

        return KnownCells(read, MAX_KNOWN_BIRTHDAYS)

    def _first_and_last_name_or_drop_cells(
        self, cells: list[str], dropped: list[DroppedCell]
    ) -> tuple[str, str]:
        if len(self.first_at) == 1 == len(self.last_at) and not self.full_names:
            first, last = cells[self.first_at[0]], cells[self.last_at[0]]
            if first.isalpha() and last.isalpha():  # most are, and take few calls
                return clean_name_or_empty(first), clean_name_or_empty(last)
        first = last = ""
        for at in self.first_at:
            first = first or self._name_or_drop_cell(at, cells, dropped)
        for at in self.last_at:
            if self.has_second_surname or (last and has_only_particles(last)):
                last = f"{last} {self._name_or_drop_cell(at, cells, dropped)}".strip()
            else:
                last = last or self._name_or_drop_cell(at, cells, dropped)
        if self.full_names and not (first and last):
            for at, split_name in self.full_names:
                if not (first and last) and (name := self._name_or_drop_cell(at, cells, dropped)):
                    first, last = split_name(name, first, last)
        return first, last

    def _name_or_drop_cell(self, at: int, cells: list[str], dropped: list[DroppedCell]) -> str:
        """The name in a cell; empty if it holds none, or something else instead."""
        name = clean_name_or_empty(cells[at])
        if " " in name:
            name = without_remark_refusing_contact(name)
        if name and not name.isalpha() and (problem := reason_if_number_or_email(name)):
            dropped.append(
                self._build_dropped_cell(gettext("name"), at, cells, UnusableCell(problem))
            )
            return ""
        return name

    def _email_or_drop_cell(self, cells: list[str], dropped: list[DroppedCell]) -> str:
        problems = []
        for at in self.email_at:
            text = cells[at].strip()
            if not text:
                continue
            if len(text) <= MAX_EMAIL_LENGTH and _SIMPLE_EMAIL.fullmatch(text):
                return text
            if is_placeholder_for_no_value(text):
                continue
            try:
                return _parse_unusual_email_or_raise_unusable(text)
            except UnusableCell as problem:
                problems.append(
                    self._build_dropped_cell(gettext("e-mail address"), at, cells, problem)
                )
        dropped += problems
        return ""

    def _gender_or_drop_cell(self, cells: list[str], dropped: list[DroppedCell]) -> str | None:
        problems = []
        for at, column in self.genders:
            text = cells[at]
            if gender := column.genders.get(text):
                return gender
            if not text or is_placeholder_for_no_value(text):
                continue
            try:
                if gender := column.parse_or_raise_unusable(text):
                    return gender
            except UnusableCell as problem:
                problems.append(self._build_dropped_cell(gettext("gender"), at, cells, problem))
        dropped += problems
        return None

    def _combine_consent_cells_and_list_unclear_ones(
        self, cells: list[str], dropped: list[DroppedCell]
    ) -> ConsentCell:
        """What all cells together say: a no wins, then doubt, then a yes."""
        if self._has_refusing_remark(cells):
            return ConsentCell(Consent.OPTED_OUT)
        said = _NOTHING_SAID
        for at, column, is_of_other_messages in self.consents:
            cell = column.read(cells[at])
            if is_of_other_messages and cell.consent == Consent.AGREES:
                continue  # a yes to e-mail says nothing about SMS, a no does
            if cell.problem and cell_refuses_messages_without_naming_opt_out(cells[at]):
                cell = ConsentCell(Consent.OPTED_OUT)
            if cell.problem:
                dropped.append(
                    self._build_dropped_cell(
                        gettext("consent"), at, cells, UnusableCell(cell.problem)
                    )
                )
            if cell.consent > said.consent or (cell.consent == said.consent and said.at is None):
                said = cell
        for note in self._read_notes_and_list_unclear_ones(cells, dropped):
            said = max(said, note, key=lambda cell: cell.consent)
        if said.consent < Consent.OPTED_OUT:
            unused = self._read_unused_texts_and_list_what_counts(cells, said, dropped)
            said = max(said, unused, key=lambda cell: cell.consent)
        return said

    def _read_unused_texts_and_list_what_counts(
        self, cells: list[str], said: ConsentCell, dropped: list[DroppedCell]
    ) -> ConsentCell:
        """What columns say that nobody maps: a refusal, or doubt where the row is not in doubt."""
        for columns, consent, problem in (
            (self.unused_texts, Consent.OPTED_OUT, _REFUSING_CELL),
            (self.unclear_texts, Consent.WITHHELD, _UNCLEAR_NOTE),
        ):
            for at, counts in columns:
                if said.consent < consent and cells[at] and counts[cells[at]]:
                    dropped.append(
                        self._build_dropped_cell(
                            gettext("consent"), at, cells, UnusableCell(problem)
                        )
                    )
                    return ConsentCell(consent)
        return _NOTHING_SAID

    def _has_refusing_remark(self, cells: list[str]) -> bool:
        """Whether somebody wrote a refusal beside a name or a number: `Anna (no SMS)`."""
        # Hardly any name has a word that may say no.
        return any(
            " " in cells[at] and name_refuses_contact(cells[at]) for at in self.names_at
        ) or any(phone_remark_refuses_messages(cells[at]) for at, _ in self.phone_readers)

    def _read_notes_and_list_unclear_ones(
        self, cells: list[str], dropped: list[DroppedCell]
    ) -> Iterator[ConsentCell]:
        """What each note of a row says; one that is not clear is listed."""
        for at, notes in self.notes:
            note = notes[cells[at]]
            if note.problem:
                dropped.append(
                    self._build_dropped_cell(
                        gettext("consent"), at, cells, UnusableCell(note.problem)
                    )
                )
            yield note

    def _build_rejection(self, position: int, cells: list[str], problem: UnusableCell) -> Rejection:
        return Rejection(
            self.headings[position][:200],
            cells[position].strip()[:200],
            str(problem)[:MAX_REASON_LENGTH],
        )

    def _build_dropped_cell(
        self, missing_part: str, position: int, cells: list[str], problem: UnusableCell
    ) -> DroppedCell:
        return DroppedCell(
            self.headings[position][:200],
            cells[position].strip()[:200],
            gettext("kept without %(part)s: %(problem)s")
            % {"part": missing_part, "problem": problem},
        )


def _cells_of_rows_with_number(
    at: int, sample: Sequence[Sequence[str]], phones_at: Sequence[int]
) -> list[str]:
    """The filled cells of a column in rows of people: a row of totals counts ticks, say.

    Where no column has numbers, all rows count.
    """
    return [
        row[at]
        for row in sample
        if at < len(row)
        and row[at].strip()
        and (
            not phones_at
            or any(
                phone_at < len(row) and sum(map(str.isdecimal, row[phone_at])) >= MIN_PHONE_DIGITS
                for phone_at in phones_at
            )
        )
    ]


def _are_birthdays_often_unreadable(
    birthday_of: KnownCells[date | None], cells: Sequence[str]
) -> bool:
    """Whether birthdays of a column are often no dates, so that one is no sign of a damaged row."""
    unread = 0
    for cell in cells:
        try:
            _ = birthday_of[cell]
        except UnusableCell:
            unread += 1
    return unread >= MIN_UNREAD_BIRTHDAYS and unread >= len(cells) * MIN_UNREAD_SHARE


def _build_name_splitter(
    heading: str, cells: Sequence[str], region: str
) -> Callable[[str, str, str], tuple[str, str]]:
    """A function that divides the full names of a column, as its heading and cells write them."""
    return partial(
        fill_missing_name_part,
        family_first=writes_family_first(heading, cells),
        family_in_capitals=writes_family_in_capitals(cells),
        has_two_surnames=writes_two_surnames(cells, region),
        short_titles=short_titles_of_column(cells),
    )


def _columns_with_matchers_of_uniform_cells(
    sample: Sequence[Sequence[str]], width: int
) -> Iterator[tuple[int, Callable[[str], object]]]:
    """Columns of dates, addresses or numbers, each with what tells whether a cell may be one."""
    for at in range(width):
        cells = [row[at] for row in sample if at < len(row) and row[at][:1] not in ("", " ")]
        cells = [cell for cell in cells if not is_placeholder_for_no_value(cell)]
        for is_like_others, sign, min_count in _CELL_TYPES:
            if len(cells) >= min_count and all(map(is_like_others, cells)):
                yield at, sign.search
                break


_DIGIT, _AT = re.compile(r"\d"), re.compile("@")
_CELL_TYPES = (
    (looks_like_date_with_year, _DIGIT, 1),
    (looks_like_email, _AT, 1),
    (looks_like_phone, _DIGIT, 1),
    (re.compile(r"[-+]?\d[\d.,]*").fullmatch, _DIGIT, 5),  # a few notes may all be numbers
)

_NOTHING_SAID = ConsentCell(Consent.SILENT)
_UNCLEAR_NOTE = _("the note may refuse messages, and does not say so clearly")
_REFUSING_CELL = _("it says no to messages")


def _build_agreeing_and_refusing_note_readers(zone: tzinfo) -> tuple[ConsentColumn, ConsentColumn]:
    """Readers of states: of those who agreed, and of those who did not."""
    return (
        ConsentColumn((), is_opt_out=False, date_order=DateOrder.ISO, zone=zone),
        ConsentColumn((), is_opt_out=True, date_order=DateOrder.ISO, zone=zone),
    )


def _read_note_as_opt_out_doubt_or_nothing(
    agreeing: ConsentColumn, refusing: ConsentColumn, text: str
) -> ConsentCell:
    """What a note says: an opt-out if it refuses messages, doubt if it only speaks of them."""
    if cell_refuses_messages(text):
        return ConsentCell(Consent.OPTED_OUT)
    said = agreeing.read(text)
    is_state = not said.problem and refusing.read(text).consent == said.consent
    if said.consent == Consent.OPTED_OUT and is_state:
        return said  # `unsubscribed` means the same in every column, `no` does not
    channels = channels_if_cell_lists_only_channels(text)
    is_unclear = (channels and "sms" not in channels) or (
        # `no` may answer anything, `no milk` answers nothing.
        not said.problem and said.consent >= Consent.WITHHELD and text.strip().isalnum()
    )
    says_yes = not said.problem and said.consent == Consent.AGREES
    if is_unclear or (not says_yes and note_may_refuse_messages(text)):
        return ConsentCell(Consent.WITHHELD, None, str(_UNCLEAR_NOTE))
    return _NOTHING_SAID


def _parse_unusual_email_or_raise_unusable(text: str) -> str:
    """The address of an unusual cell.

    Raises:
        UnusableCell: if it holds none, or several.
    """
    if len(text) > MAX_EMAIL_LENGTH:
        raise UnusableCell(gettext("not a valid e-mail address"))
    text = text.removeprefix("mailto:")
    if match := _NAMED_EMAIL.fullmatch(text):
        text = match[1]
    if text.count("@") > 1:
        raise UnusableCell(gettext("several e-mail addresses: keep one"))
    if not text.isprintable():
        raise UnusableCell(gettext("not a valid e-mail address"))
    try:
        validate_email(text)
    except ValidationError:
        raise UnusableCell(gettext("not a valid e-mail address")) from None
    return text
