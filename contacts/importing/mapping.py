"""Mapping columns of a customer list to fields of a contact, by their headings and cells.

A known heading outranks cells. Cells decide what a heading leaves open, and which column holds the
phone number if no heading says so. Birthdays and consent are taken from cells alone in no file that
has headings (rules.md#import).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, date
from itertools import combinations, pairwise, takewhile
from typing import NamedTuple, cast

from contacts.importing.area_codes import (
    area_code_column_by_phone_position,
    area_code_digits_or_empty,
    needs_by_phone_position,
)
from contacts.importing.cells import (
    UnusableCell,
    fold_to_alphanumeric,
    looks_like_date_with_year,
    looks_like_day_and_month,
    looks_like_email,
    looks_like_phone,
)
from contacts.importing.consent_cells import (
    Consent,
    ConsentColumn,
    channels_if_cell_lists_only_channels,
)
from contacts.importing.genders import GenderColumn
from contacts.importing.given_names import is_usual_given_name
from contacts.importing.heading_words import CONCEPTS_BY_WORD, canonical_heading_words
from contacts.importing.headings import (
    Channel,
    Heading,
    Meaning,
    Whose,
    heading_is_of_other_channel_or_purpose,
    heading_is_of_second_surname,
    heading_is_unknown_or_names_notes,
    heading_names_calling_code,
    heading_names_messages_or_marketing,
    heading_names_notes,
    heading_names_only_an_approval,
    heading_names_only_place_of_phone,
    read_heading,
)
from contacts.importing.import_refused import Question
from contacts.importing.names import (
    has_only_particles,
    is_placeholder_for_no_value,
    without_titles_before,
)
from contacts.importing.other_languages import MESSAGE_BEGINNINGS
from contacts.importing.phone_cells import (
    PhoneReader,
    detect_phone_convention,
    two_letter_country_or_empty,
)
from contacts.importing.refusing_cells import (
    cell_of_several_words_mentions_messages,
    cell_refuses_messages,
    cell_refuses_more_than_its_channel,
    phone_remark_refuses_messages,
    short_cell_forbids_something,
    without_remark_refusing_contact,
)
from contacts.models import DateOrder, Gender
from contacts.phones import PhoneKind

# The fields of a contact that a column may hold. `other_consent` answers whether messages of
# another kind, such as e-mail, may be sent: its no counts, its yes says nothing about SMS. Of
# `notes` each cell is read by itself: one that refuses messages opts out, one that speaks of them
# gives no consent, and others say nothing.
# `ignored` are columns that a person set aside.
FIELDS = (
    "phone",
    "first_name",
    "last_name",
    "full_name",
    "email",
    "gender",
    "birthday",
    "country",
    "area_code",
    "sms_consent",
    "sms_opt_out",
    "other_consent",
    "notes",
    "ignored",
)
CONSENT_FIELDS = ("sms_consent", "sms_opt_out", "other_consent", "notes")
CONTENT_SAMPLE_ROWS = 200
# The share of a column's cells that must look like values of a field.
MIN_VALUE_SHARE = 0.6
MIN_NAME_SHARE = 0.8
MIN_SHARE_OF_NAMES_APART = 0.9
MIN_PART_OF_NAME_HEADING = 2
# So many times as many usual given names must one of two columns have as the other one.
MIN_NAME_ORDER_MAJORITY = 2
MAX_NAME_LENGTH = 60
MIN_PHONE_DIGITS = 7
MAX_NOTE_LENGTH = 1000
MAX_ANSWER_WORDS = 2
MAX_ANSWERS = 3
MAX_STATES = 12
MAX_CODE_LENGTH = 2
MIN_UNKNOWN_COUNTRIES = 0.2
# What makes the opposite of a word or of a few, as `fold_to_alphanumeric` writes them.
NEGATING_PREFIXES = (
    "no", "not", "non", "un", "in", "dis", "kein", "keine", "keinen", "nicht", "pas", "pasd",
    "sans", "ne", "sin", "senza", "δεν", "μη", "χωρισ", "οχι",
)  # fmt: skip
MIN_NEGATED_LENGTH = 4
# Opposite states often share all but their beginning: `zapisany` and `wypisany`.
MIN_SHARED_ENDING = 6
MAX_DIFFERENT_BEGINNING = 4
# So many rows show that a column has two values and no more; or fewer, if each comes again.
MIN_ROWS_OF_TWO_KINDS = 8
MIN_ROWS_OF_TWO_REPEATED_KINDS = 5
FIRST_YEAR_OF_CONSENTS = 1990
# A column of customer numbers counts up: this share of its steps is small.
SERIAL_STEP = 10
MIN_SERIAL_SHARE = 0.8
# How old the customers of a list without headings are, in years, if a column holds birthdays.
MIN_AGE, MAX_AGE = 12, 110
_REPEATED = re.compile(r" \(\d+\)$")  # `reading` numbers headings that are the same
_LIST_SEPARATOR = re.compile(r"[;,|]")  # `VIP;Spring` does not negate `Spring`
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


_MEANINGS_OF_POSSIBLE_AREA_CODES = (
    Meaning.AREA_CODE,
    Meaning.COUNTRY,
    Meaning.NUMBER,
    Meaning.OTHER,
    Meaning.UNKNOWN,
)


class ColumnGuess(NamedTuple):
    """Positions of columns by field, preferred first, and notes for the person who imports.

    `questions` are what a person must answer first; none of them depends on another's answer.
    """

    fields: dict[str, list[int]]
    notes: list[str]
    questions: tuple[Question, ...] = ()

    @property
    def question(self) -> Question | None:
        """The first question, if there are any."""
        return next(iter(self.questions), None)


class _Column(NamedTuple):
    position: int
    text: str
    heading: Heading
    cells: list[str]  # filled ones of the first rows
    all_cells: list[str]  # filled ones of the sample
    rows: list[str]  # one for each row of the sample

    @property
    def meaning(self) -> Meaning:
        return self.heading.meaning

    def matching_share(self, matches: Callable[[str], object]) -> float:
        """Which share of the cells matches, from 0 to 1."""
        return sum(1 for cell in self.cells if matches(cell)) / max(1, len(self.cells))

    def consent_answer_share(self, *, also: Callable[[str], object] = lambda cell: False) -> float:
        """Which share of the cells answers a question or matches; S and N do beside each other."""
        is_opt_out = self.meaning == Meaning.OPT_OUT
        reader = _build_consent_reader(self.cells, heading=self.text, is_opt_out=is_opt_out)
        return self.matching_share(lambda cell: also(cell) or _is_consent_answer(cell, reader))

    def row_indexes_matching(self, matches: Callable[[str], object]) -> set[int]:
        """The rows of the sample whose cell is filled and matches."""
        return {at for at, cell in enumerate(self.rows) if cell and matches(cell)}


def guess_columns_and_first_question(
    headings: Sequence[str],
    sample: Sequence[Sequence[str]],
    region: str,
    chosen: Mapping[str, Sequence[int]] | None = None,
) -> ColumnGuess:
    """Guess which columns hold the fields of a contact, and ask what cannot be guessed.

    A question about consent that would not be asked if the one before were answered is left for
    later.

    Args:
        headings: one for each column.
        sample: cells of the first rows.
        region: two-letter country of national phone numbers.
        chosen: positions of columns by field that a person chose; nothing is guessed or asked
            about these columns and fields. `ignored` are columns that were set aside.
    """
    chosen = chosen or {}
    guess, first_on_consent = _guess_and_first_question_on_consent(headings, sample, region, chosen)
    if first_on_consent is None or guess.questions[-1] is first_on_consent:
        return guess
    position = cast(int, first_on_consent.position)
    answered = {**chosen, "sms_consent": [*chosen.get("sms_consent", ()), position]}
    later, _ = _guess_and_first_question_on_consent(headings, sample, region, answered)
    independent = {question.position for question in later.questions}
    return guess._replace(
        questions=tuple(
            question
            for question in guess.questions
            if question is first_on_consent or question.position in independent
        )
    )


def _guess_and_first_question_on_consent(
    headings: Sequence[str],
    sample: Sequence[Sequence[str]],
    region: str,
    chosen: Mapping[str, Sequence[int]],
) -> tuple[ColumnGuess, Question | None]:
    """A guess with all its questions, and the first of them that is about consent."""
    chosen_positions = {position for positions in chosen.values() for position in positions}
    columns = []
    for position, text in enumerate(headings):
        if position not in chosen_positions:
            rows = [row[position].strip() if len(row) > position else "" for row in sample]
            cells = list(filter(_is_filled_and_not_placeholder, rows))
            columns.append(
                _Column(
                    position, text, read_heading(text), cells[:CONTENT_SAMPLE_ROWS], cells, rows
                )
            )
    has_headings = any(column.text != f"column {column.position + 1}" for column in columns)
    guess = _ColumnGuesser(
        columns,
        region,
        headings=headings,
        sample=sample,
        has_headings=has_headings,
        chosen=chosen,
        phone_headings=[headings[position] for position in chosen.get("phone", ())],
    )
    fields = guess.fields | {name: list(positions) for name, positions in chosen.items()}
    for name in CONSENT_FIELDS:
        # A person who names one column of consent has not set the others aside.
        fields[name] = [*chosen.get(name, ()), *guess.fields.get(name, ())]
    fields = {name: positions for name, positions in fields.items() if positions}
    notes = [
        *guess.notes,
        *_notes_on_ignored_refusals(headings, sample, chosen.get("ignored", ())),
    ]
    first_on_consent = next(iter(guess.questions_on_consent), None)
    return ColumnGuess(fields, notes, tuple(guess.questions)), first_on_consent


def _notes_on_ignored_refusals(
    headings: Sequence[str], sample: Sequence[Sequence[str]], ignored: Sequence[int]
) -> list[str]:
    """What a person must know who sets aside columns whose cells refuse or mention messages."""
    notes = []
    for position in ignored:
        cells = [row[position][:MAX_NOTE_LENGTH] for row in sample if position < len(row)]
        count = sum(
            cell_refuses_messages(cell) or cell_of_several_words_mentions_messages(cell)
            for cell in cells
        )
        if count:
            notes.append(
                f"{headings[position]}: set aside, though {count:,} of its cells say no to "
                "messages or speak of them"
            )
    return notes


class _ColumnGuesser:
    """The state of one guess: each method decides about some of the columns."""

    def __init__(
        self,
        columns: Sequence[_Column],
        region: str,
        *,
        headings: Sequence[str],
        sample: Sequence[Sequence[str]],
        has_headings: bool,
        chosen: Mapping[str, Sequence[int]],
        phone_headings: Sequence[str],
    ) -> None:
        self.columns, self.region, self.has_headings = columns, region, has_headings
        self.headings, self.sample, self.chosen = headings, sample, chosen
        self.has_chosen_consent = bool(chosen.get("sms_consent"))
        self.phone_headings = phone_headings
        self.is_of_guardians = False  # the customer is the parent of whom the file has birthdays
        self.fields: dict[str, list[int]] = {}
        self.notes: list[str] = []
        self.questions: list[Question] = []
        self.questions_on_consent: list[Question] = []
        self.used: set[int] = set()
        self.sms_answers: list[_Column] = []
        self.unclear_sms: list[_Column] = []
        self.email_answers: list[_Column] = []
        for column in self._ranked_columns_with_meaning(Meaning.SMS):
            if column.matching_share(looks_like_phone) >= MIN_VALUE_SHARE:
                continue
            if not column.cells and len(set(column.rows)) < 2:
                continue
            is_answered = column.consent_answer_share() >= MIN_VALUE_SHARE
            if is_answered and column.heading.is_sure and not _has_cross_of_unknown_sense(column):
                self.sms_answers.append(column)
            else:
                # `SMS off` may ask for a no, and unknown answers and marks may be one.
                self.unclear_sms.append(column)
        if "phone" not in chosen:
            self._map_phones_or_add_question()
            self._add_question_if_name_and_phone_headings_repeat()
        self._map_emails_by_heading_or_only_column()
        self._map_name_columns_by_heading_else_cells()
        self._map_genders_or_first_title_column()
        self._map_birthdays_and_add_questions()
        if "area_code" not in chosen:
            self._map_area_codes_or_add_questions()
        self._map_first_country_column()
        self._map_consent_columns_or_add_questions()
        self._add_questions_on_refused_data_processing()
        self._add_questions_on_unexplained_consent_details()
        self._ask_about_times_that_may_end_consent()
        self._add_questions_on_states_that_may_be_opt_outs()
        self._map_hidden_opt_outs_or_add_questions()

    def _ranked_columns_with_meaning(self, *meanings: Meaning) -> list[_Column]:
        """Columns whose heading has one of these meanings, preferred first."""
        found = [column for column in self.columns if column.meaning in meanings]
        return sorted(found, key=lambda column: (column.heading.rank, column.position))

    def _assign_columns_to_field_and_mark_used(
        self, field: str, columns: Sequence[_Column]
    ) -> None:
        if columns:
            self.fields[field] = [column.position for column in columns]
            self.used |= {column.position for column in columns}

    def _unused_filled_columns(self, *meanings: Meaning) -> list[_Column]:
        return [
            column
            for column in self.columns
            if column.position not in self.used and column.meaning in meanings and column.cells
        ]

    def _map_phones_or_add_question(self) -> None:
        phones = [
            column
            for column in self._ranked_columns_with_meaning(Meaning.PHONE, Meaning.SMS)
            if column not in (*self.sms_answers, *self.unclear_sms)
            and not self._holds_no_phones_adding_question_if_answers(column)
        ]
        if any(column.heading.is_sure for column in phones):
            for column in phones:
                if not column.heading.is_sure:
                    self.notes.append(f"{column.text}: not used as a phone number")
            phones = [column for column in phones if column.heading.is_sure]
        if any(column.heading.whose == Whose.CUSTOMER and column.cells for column in phones):
            for column in phones:
                if column.heading.whose == Whose.RECEIVER and column.cells:
                    self.notes.append(f"{column.text}: not used, it may be of another person")
            phones = [column for column in phones if column.heading.whose == Whose.CUSTOMER]
        phones = self._phones_of_first_person_adding_notes(phones)
        at_places = self._phones_at_places()
        if phones:
            self._assign_columns_to_field_and_mark_used("phone", [*phones, *at_places])
            return
        self._map_phones_by_cells_or_add_question(at_places)

    def _phones_at_places(self) -> list[_Column]:
        """The phones under a word for where they stand, such as `Fixe`; some may be mobiles."""
        return [
            column
            for column in self._unused_filled_columns(Meaning.UNKNOWN, Meaning.OTHER)
            if heading_names_only_place_of_phone(column.text)
            and column.matching_share(_holds_phone) >= MIN_VALUE_SHARE
        ]

    def _holds_no_phones_adding_question_if_answers(self, column: _Column) -> bool:
        """Whether a phone column holds none; asks about answers such as those of `No phone`."""
        if not column.cells or column.matching_share(_holds_phone) >= MIN_VALUE_SHARE:
            return False
        if column.meaning == Meaning.SMS:
            return True
        # A cross alone may say that there is a phone.
        is_answered = column.consent_answer_share() >= MIN_VALUE_SHARE and {*column.cells} != {"x"}
        if is_answered and len(set(column.rows)) > 1:
            if self.sms_answers and _heading_or_cell_names_way_of_contact(column.text):
                self.notes.append(f"{column.text}: not used as consent to SMS")  # `Viber`
                self.used.add(column.position)
            else:
                self._add_question_whether_column_is_consent(column)
        return is_answered

    def _phones_of_first_person_adding_notes(self, phones: list[_Column]) -> list[_Column]:
        """The phones of one person, where headings name several: `First name 2`, `Mobile 2`."""
        filled = [column for column in phones if column.cells]
        persons = {
            _person_words_in_heading(column)
            for column in self.columns
            if column.meaning in (Meaning.FIRST_NAME, Meaning.FULL_NAME) and column.cells
        }
        if not filled or _person_words_in_heading(filled[0]) not in persons:
            return phones
        others = persons - {_person_words_in_heading(filled[0])}
        for column in filled:
            if _person_words_in_heading(column) in others:
                self.notes.append(f"{column.text}: not used, it may be of another person")
        return [column for column in phones if _person_words_in_heading(column) not in others]

    def _columns_of_person_with_phone(self, columns: list[_Column]) -> list[_Column]:
        """The columns of the person whose phone is used, where headings name several persons."""
        at = next(iter(self.fields.get("phone", ())), None)
        if at is None or len(set(map(_person_words_in_heading, columns))) < 2:
            return columns
        person = next(
            _person_words_in_heading(column) for column in self.columns if column.position == at
        )
        return [
            column for column in columns if _person_words_in_heading(column) == person
        ] or columns

    def _columns_of_non_customer_with_phone(self, meaning: Meaning) -> list[_Column]:
        """Columns of one whose phone is chosen and who is not the customer: `Parent surname`."""
        persons = {
            word for text in self.phone_headings for word in _non_customer_words_in_heading(text)
        }
        if not persons:
            return []
        return [
            column
            for column in self.columns
            if persons & set(_non_customer_words_in_heading(column.text))
            and (
                _meaning_without_words(column.text, persons) == meaning
                or (meaning == Meaning.FULL_NAME and _names_only_another_person(column))
            )
        ]

    def _add_question_if_name_and_phone_headings_repeat(self) -> None:
        """Ask about a second list beside the first: the headings of names and phones come twice."""
        again = [
            column for column in self.columns if _REPEATED.search(column.text) and column.cells
        ]
        names = (Meaning.NAME, Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.FULL_NAME)
        if any(column.meaning in names for column in again) and any(
            column.meaning == Meaning.PHONE for column in again
        ):
            self.questions.append(
                Question(
                    "the headings of names and phones come twice: put the second list below the "
                    "first, or say which column holds the phone numbers to import",
                    "--map phone=COLUMN",
                )
            )

    def _map_phones_by_cells_or_add_question(self, at_places: list[_Column]) -> None:
        """The only column whose cells are phone numbers, if its heading allows it.

        Args:
            at_places: columns that hold phones by their headings, where no other does.
        """
        candidates = [
            column
            for column in self._unused_filled_columns(
                Meaning.UNKNOWN, Meaning.PERSON, Meaning.NUMBER
            )
            if column not in at_places
            and column.matching_share(_looks_like_phones) >= MIN_VALUE_SHARE
            and self._mobile_or_signed_share(column) >= MIN_VALUE_SHARE
        ]
        if len(candidates) > 1:
            names = ", ".join(column.text[:30] for column in candidates)
            self.questions.append(
                Question(
                    f"several columns could hold the phone number: {names}; say which does",
                    "--map phone=COLUMN",
                )
            )
        elif guardian := self._only_phone_of_guardians():
            self._assign_columns_to_field_and_mark_used("phone", [guardian])
            self.phone_headings = [guardian.text]
            self.is_of_guardians = True
            self.notes.append(f"{guardian.text}: the customer is the one whose number this is")
        elif at_places and not candidates:
            self._assign_columns_to_field_and_mark_used("phone", at_places)
        elif not candidates:
            names = ", ".join(column.text[:30] for column in self.columns[:10])
            self.questions.append(
                Question(
                    "no column holds the phone number by its heading or cells: say which does; "
                    f"the file has: {names}",
                    "--map phone=COLUMN",
                )
            )
        elif self.has_headings and _counts_up_in_small_steps(candidates[0]):
            self.questions.append(
                Question(
                    f"{candidates[0].text} may hold phone numbers or numbers that count up: say so "
                    "if they are phone numbers",
                    f"--map phone={candidates[0].position + 1}",
                    candidates[0].position,
                )
            )
        else:
            self._assign_columns_to_field_and_mark_used("phone", [*candidates, *at_places])
            self.notes.append(f"{candidates[0].text}: phone numbers, by its cells")

    def _mobile_or_signed_share(self, column: _Column) -> float:
        """Which share of the cells are valid numbers, mobile ones or written with a sign.

        Country and area code may have columns of their own.
        """
        named = self._named_area_code_columns()
        has_area_codes = self._columns_whose_area_codes_are_needed(named, [column.position])
        area_code_at = has_area_codes[0].position if has_area_codes else None
        countries = self._countries_of_rows(without=area_code_at)
        pairs = list(zip(column.rows, countries, strict=True))
        reader = PhoneReader(self.region, detect_phone_convention(pairs, self.region))
        count = 0
        for row, (cell, country) in zip(self.sample, pairs, strict=True):
            if not _is_filled_and_not_placeholder(cell):
                continue
            has_area_code = area_code_at is not None and area_code_at < len(row)
            area_code = area_code_digits_or_empty(row[area_code_at]) if has_area_code else ""
            try:
                kind = reader.parse_or_raise_unusable(cell, country, area_code).kind
            except UnusableCell:
                continue
            count += kind == PhoneKind.MOBILE or cell.startswith("+")
        return count / len(column.all_cells)

    def _only_phone_of_guardians(self) -> _Column | None:
        """The only phone column, of a child's parents, in a file that names no customer beside."""
        names = (Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.FULL_NAME, Meaning.NAME)
        if any(column.meaning in names and column.cells for column in self.columns):
            return None
        found = [
            column
            for column in self.columns
            if (persons := _non_customer_words_in_heading(column.text))
            and all("guardian" in CONCEPTS_BY_WORD[person] for person in persons)
            and _meaning_without_words(column.text, set(persons)) == Meaning.PHONE
            and column.matching_share(_holds_phone) >= MIN_VALUE_SHARE
        ]
        return found[0] if len(found) == 1 else None

    def _map_emails_by_heading_or_only_column(self) -> None:
        named = self._ranked_columns_with_meaning(Meaning.EMAIL)
        self.email_answers = list(filter(_holds_answers_not_addresses, named))
        emails = self._columns_of_person_with_phone(
            [column for column in named if column not in self.email_answers]
            or self._columns_of_non_customer_with_phone(Meaning.EMAIL)
        )
        if not emails:
            emails = [
                column
                for column in self._unused_filled_columns(Meaning.UNKNOWN, Meaning.PERSON)
                if column.matching_share(looks_like_email) >= MIN_VALUE_SHARE
            ]
            emails = emails if len(emails) == 1 else []
        self._assign_columns_to_field_and_mark_used("email", emails)

    def _map_name_columns_by_heading_else_cells(self) -> None:
        first, last, full = (
            _columns_with_rank_of_first(
                self._columns_of_person_with_phone(self._ranked_columns_with_meaning(meaning))
            )
            for meaning in (Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.FULL_NAME)
        )
        plain = [
            column
            for column in self._ranked_columns_with_meaning(Meaning.NAME)
            if _holds_no_phones_emails_dates_or_answers(column)
        ]
        if not (first or last or full or plain):
            first, last, full, plain = self._names_of_non_customer_with_phone()
        if not plain and not full and bool(first) != bool(last):
            plain = self._column_beside_under_part_of_heading((first or last)[0])
        if not plain and not full and not (first and last):
            plain = [
                column
                for column in self._unused_filled_columns(Meaning.PERSON)
                if column.matching_share(_is_short_text_of_letters) >= MIN_VALUE_SHARE
                and not _has_any_answer_and_not_only_yes(set(column.all_cells))
            ]
        halves = [] if first or last or full else _two_numbered_halves_of_names(plain)
        plain = _columns_with_rank_of_first(plain)
        if halves:
            first, last = self._first_and_last_of_halves_or_question(halves)
        elif plain and bool(first) != bool(last):
            # `Name` beside `Vorname` is the other half, unless it repeats the half that is known.
            if _full_names_contain_parts(plain[0], (first or last)[0]):
                full = full or plain
            elif first:
                last = plain
            else:
                first = plain
        elif plain and not full:
            full = plain
        last = self._with_particles_of_names(self._last_name_then_second_surname_columns(last))
        if not (first or last or full):
            full = self._first_company_column_of_person_names() or self._full_names_by_cells()
        if not self.has_headings and self.used and not (first or last or full):
            first, last, full = self._names_without_headings()
        self._assign_columns_to_field_and_mark_used("first_name", first)
        self._assign_columns_to_field_and_mark_used("last_name", last)
        if not (first and last):
            self._assign_columns_to_field_and_mark_used("full_name", full)

    def _names_of_non_customer_with_phone(self) -> list[list[_Column]]:
        """The first, last, full and plain names of the one whose number the file has."""
        names = (Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.FULL_NAME, Meaning.NAME)
        found = list(map(self._columns_of_non_customer_with_phone, names))
        return found if any(found) else list(map(self._columns_with_unknown_words_of_phone, names))

    def _columns_with_unknown_words_of_phone(self, meaning: Meaning) -> list[_Column]:
        """Columns whose unknown words the only phone column has, too: `Kontaktdaten Vorname`."""
        phones = [c for c in self.columns if c.position in self.fields.get("phone", ())]
        if len(phones) != 1 or not (shared := _unknown_words_in_heading(phones[0].text)):
            return []
        return [
            column
            for column in self.columns
            if _unknown_words_in_heading(column.text) == shared
            and _meaning_without_words(column.text, shared) == meaning
        ]

    def _column_beside_under_part_of_heading(self, half: _Column) -> list[_Column]:
        """The names beside first or last names, under a word that ends theirs: `Ad`, `Soyad`."""
        ending = fold_to_alphanumeric(half.text)
        return [
            column
            for column in self._unused_filled_columns(Meaning.UNKNOWN)
            if abs(column.position - half.position) == 1
            and ending.endswith(fold_to_alphanumeric(column.text))
            and len(column.text) >= MIN_PART_OF_NAME_HEADING
            and column.matching_share(_is_short_text_of_letters) >= MIN_NAME_SHARE
        ][:1]

    def _first_and_last_of_halves_or_question(
        self, halves: list[_Column]
    ) -> tuple[list[_Column], list[_Column]]:
        """Which of two columns, as `NAME1` and `NAME2`, has the first names, by usual ones."""
        shares = [_given_name_share(column) for column in halves]
        if max(shares) <= MIN_NAME_ORDER_MAJORITY * min(shares):
            one, other = (column.position + 1 for column in halves)
            self.questions.append(
                Question(
                    f"{halves[0].text} and {halves[1].text} may hold the first and the last name: "
                    "say which is which, or that one of them holds the full name",
                    f"--map first_name={other} --map last_name={one}, or the other way round, or "
                    f"--map full_name={one}",
                    halves[0].position,
                )
            )
        elif shares[0] < shares[1]:
            return halves[1:], halves[:1]
        return halves[:1], halves[1:]

    def _names_without_headings(
        self,
    ) -> tuple[list[_Column], list[_Column], list[_Column]]:
        """The columns of first, last and full names of a list without headings."""
        names = [
            column
            for column in self._unused_filled_columns(Meaning.UNKNOWN)
            if column.matching_share(_is_name_with_or_without_remark) >= MIN_NAME_SHARE
            and not _holds_mostly_answers_in_words(column)
            and (len(set(column.cells)) > 1 or len(column.cells) == 1)
            and not _holds_both_genders_in_words(column)
        ]
        if len(names) == 1 and names[0].matching_share(_has_several_words) >= MIN_VALUE_SHARE:
            return [], [], names
        if not any(
            column.matching_share(_has_only_given_names) >= MIN_VALUE_SHARE for column in names
        ):
            full = [
                c for c in names if c.matching_share(_is_given_beside_other_name) >= MIN_VALUE_SHARE
            ]
            if full:
                return [], [], full[:1]
        if len(names) == 2 and _given_name_share(names[1]) > _given_name_share(names[0]):
            names.reverse()
        return names[:1], names[1:2], []

    def _last_name_then_second_surname_columns(self, last: list[_Column]) -> list[_Column]:
        """The columns of the last name, with those of a second family name behind them."""
        firsts = {
            _person_words_in_heading(column)
            for column in self.columns
            if column.meaning == Meaning.FIRST_NAME
        }
        seconds = [
            column
            for column in self.columns
            if heading_is_of_second_surname(column.text)
            # `Last name 2` beside `First name 2` is another person's.
            and (not firsts or _person_words_in_heading(column) not in firsts - {frozenset()})
        ]
        if not seconds or not any(column not in seconds for column in last):
            return last
        return [column for column in last if column not in seconds][:1] + seconds[:1]

    def _first_company_column_of_person_names(self) -> list[_Column]:
        """A column of companies, if no other holds names and its cells are persons' names."""
        return [
            column
            for column in self.columns
            if _heading_names_company(column.text)
            and column.matching_share(_is_short_text_of_letters) >= MIN_NAME_SHARE
            and _given_name_share(column) >= MIN_VALUE_SHARE
        ][:1]

    def _full_names_by_cells(self) -> list[_Column]:
        """The only column of full names under a word that nobody knows, `Who`, or `Owner` of a pet.

        Names of others, such as of employees, come again and again.
        """
        if not self.has_headings:
            return []
        has_dependants = any(column.heading.whose == Whose.DEPENDANT for column in self.columns)
        found = [
            column
            for column in self._unused_filled_columns(Meaning.UNKNOWN, Meaning.OTHER)
            if (
                column.meaning == Meaning.UNKNOWN
                or (has_dependants and canonical_heading_words(column.text) == ("owner",))
            )
            and len(set(column.cells)) >= MIN_SHARE_OF_NAMES_APART * len(column.cells)
            and column.matching_share(_looks_like_full_name) >= MIN_NAME_SHARE
            and _given_name_share(column) >= MIN_VALUE_SHARE
        ]
        if len(found) != 1:
            return []
        self.notes.append(f"{found[0].text}: names, by its cells")
        return found

    def _with_particles_of_names(self, last: list[_Column]) -> list[_Column]:
        """The column of last names, behind one of their small words such as `van der`."""
        particles = [
            column
            for column in self._unused_filled_columns(Meaning.UNKNOWN, Meaning.OTHER)
            if column not in last and column.matching_share(has_only_particles) == 1
        ]
        return [*particles, *last] if len(particles) == 1 == len(last) else last

    def _map_genders_or_first_title_column(self) -> None:
        if self.is_of_guardians:
            return
        genders = _columns_with_rank_of_first(self._ranked_columns_with_meaning(Meaning.GENDER))
        if not genders:
            genders = [
                column
                for column in self._ranked_columns_with_meaning(Meaning.TITLE)
                if column.cells and _gender_share(column) >= MIN_VALUE_SHARE
            ][:1]
        if not genders:
            genders = [
                column
                for column in self._unused_filled_columns(Meaning.UNKNOWN)
                if _holds_both_genders_in_words(column)
            ]
            genders = genders if len(genders) == 1 else []
        self._assign_columns_to_field_and_mark_used("gender", genders)

    def _map_birthdays_and_add_questions(self) -> None:
        if self.is_of_guardians:
            return
        named = self._ranked_columns_with_meaning(Meaning.BIRTHDAY)
        of_phone = self._columns_with_unknown_words_of_phone(Meaning.BIRTHDAY)
        birthdays = [column for column in named if column.heading.is_sure or column in of_phone]
        if not any(column.cells for column in birthdays):
            for column in named:
                if not column.heading.is_sure and _are_all_birthdays_of_adults(column):
                    self._add_question_whose_birthdays(column)
        if not self.has_headings:
            birthdays = [
                column
                for column in self._unused_filled_columns(Meaning.UNKNOWN)
                if column.matching_share(looks_like_date_with_year) >= MIN_NAME_SHARE
                and _are_all_birthdays_of_adults(column)
            ]
            birthdays = birthdays if len(birthdays) == 1 else []
            for column in birthdays:
                self.notes.append(f"{column.text}: birthdays, by its cells")
        usable = []
        dependants = [column for column in self.columns if column.heading.whose == Whose.DEPENDANT]
        # Beside `Pet name` and without a `Pet birthday`.
        may_be_of_dependant = any(
            column.matching_share(_is_word_but_no_answer) >= MIN_VALUE_SHARE
            for column in dependants
        ) and not any(
            column.matching_share(looks_like_date_with_year) >= MIN_VALUE_SHARE
            for column in dependants
        )
        for column in birthdays:
            if column.cells and column.matching_share(_is_day_and_month_or_bare_day) == 1:
                self.notes.append(f"{column.text}: the dates have no year, so they are not used")
                continue
            if column.cells and (may_be_of_dependant or _are_mostly_birthdays_of_children(column)):
                self._add_question_whose_birthdays(column)
            usable.append(column)
        self._assign_columns_to_field_and_mark_used("birthday", usable)

    def _add_question_whose_birthdays(self, column: _Column) -> None:
        at = column.position + 1
        self.questions.append(
            Question(
                f"{column.text} may hold the birthdays of customers or of their children or pets: "
                "say so if they are those of customers, else set the column aside",
                f"--map birthday={at} or --ignore {at}",
                column.position,
            )
        )

    def _map_area_codes_or_add_questions(self) -> None:
        """The columns of area codes that numbers lack; asks if the heading does not name them."""
        phones = self.chosen.get("phone") or self.fields.get("phone", [])
        named = self._named_area_code_columns()
        in_need = self._columns_whose_area_codes_are_needed(named, phones)
        self._assign_columns_to_field_and_mark_used("area_code", in_need)
        if in_need:
            return
        for column in self._possible_area_code_columns():
            if self._columns_whose_area_codes_are_needed([column], phones, needs_most=True):
                at = column.position + 1
                self.questions.append(
                    Question(
                        f"{column.text} may hold the area codes of the phone numbers, which are "
                        "not valid without them: say so, or set it aside",
                        f"--map area_code={at} or --ignore {at}",
                        column.position,
                    )
                )
                return

    def _possible_area_code_columns(self) -> list[_Column]:
        return [
            column
            for column in self._unused_filled_columns(*_MEANINGS_OF_POSSIBLE_AREA_CODES)
            if column.matching_share(area_code_digits_or_empty) >= MIN_VALUE_SHARE
        ]

    def _named_area_code_columns(self) -> list[_Column]:
        """The columns of what is dialled before a number, unless they are those of countries."""
        return [
            column
            for column in self._possible_area_code_columns()
            if column.meaning == Meaning.AREA_CODE or heading_names_calling_code(column.text)
        ]

    def _columns_whose_area_codes_are_needed(
        self, columns: list[_Column], phones: Sequence[int], *, needs_most: bool = False
    ) -> list[_Column]:
        """Those of the columns without which numbers of a phone column are none."""
        positions = [column.position for column in columns]
        by_phone = area_code_column_by_phone_position(self.headings, phones, positions)
        needed = set()
        for phone, area_code in by_phone.items():
            needs = needs_by_phone_position(
                {phone: area_code},
                self.sample,
                self._countries_of_rows(without=area_code.position),
                self.region,
            )
            if phone in needs and (needs[phone].is_common or not needs_most):
                needed.add(area_code.position)
        return [column for column in columns if column.position in needed]

    def _countries_of_rows(self, *, without: int | None) -> list[str]:
        """The country cell of each row of the sample, of another column than that of area codes."""
        at = next(
            (
                position
                for position in (
                    *self.chosen.get("country", ()),
                    *(column.position for column in self._country_columns()),
                )
                if position != without
            ),
            None,
        )
        if at is None:
            return [""] * len(self.sample)
        return [row[at].strip() if at < len(row) else "" for row in self.sample]

    def _country_columns(self) -> list[_Column]:
        """The columns of countries, filled ones first."""
        countries = [
            column
            for column in self._ranked_columns_with_meaning(Meaning.COUNTRY)
            if column.position not in self.used
            and (
                not column.cells
                or (
                    column.matching_share(two_letter_country_or_empty) >= MIN_VALUE_SHARE
                    and not _holds_parts_of_country(column, self.region)
                )
            )
        ]
        return sorted(countries, key=lambda column: not column.cells)

    def _map_first_country_column(self) -> None:
        self._assign_columns_to_field_and_mark_used("country", self._country_columns()[:1])

    def _map_consent_columns_or_add_questions(self) -> None:
        spoken = self._ranked_columns_with_meaning(
            Meaning.CONSENT,
            Meaning.OPT_OUT,
            Meaning.UNCLEAR_CONSENT,
            Meaning.OPT_OUT_DETAIL,
            Meaning.CONSENT_TIME,
            Meaning.CONSENT_EXPIRY,
            Meaning.CONSENT_DETAIL,
        )
        has_sms = bool(self.has_chosen_consent or self.sms_answers) or any(
            column.heading.channel == Channel.SMS
            and column.meaning in (Meaning.CONSENT, Meaning.OPT_OUT)
            for column in spoken
        )
        has_marketing = has_sms or any(
            column.meaning in (Meaning.CONSENT, Meaning.OPT_OUT)
            and column.heading.is_sure
            and heading_names_messages_or_marketing(column.text)
            and column.consent_answer_share() >= MIN_VALUE_SHARE
            for column in spoken
        )
        found: dict[str, list[_Column]] = {"sms_consent": [*self.sms_answers]}
        for column in spoken:
            field = _consent_field_or_word_ask_or_empty(
                column, has_sms_consent_column=has_sms, has_marketing_consent_column=has_marketing
            )
            if field == "other_consent" and column.heading.channel == Channel.PRIVACY:
                self.notes.append(
                    f"{column.text}: a no or a blank gives no consent, a yes alone is none to SMS"
                )
            if field == "ask":
                self._add_question_whether_column_is_consent(column)
            elif field:
                found.setdefault(field, []).append(column)
            elif column.cells and column.meaning in (Meaning.CONSENT, Meaning.OPT_OUT):
                self.notes.append(f"{column.text}: not used as consent to SMS")
        for column in self.unclear_sms:
            self._add_question_whether_column_is_consent(column)
        for column in self.email_answers:
            if has_sms:
                self.notes.append(f"{column.text}: not used as consent to SMS")
            else:
                found.setdefault("other_consent", []).append(column)
        if not found["sms_consent"]:
            # A time of consent that some have tells who has given none.
            found["sms_consent"] = [
                column
                for column in spoken
                if column.meaning == Meaning.CONSENT_TIME
                and column.heading.channel not in _OF_OTHER_THINGS
                and column.matching_share(looks_like_date_with_year) >= MIN_VALUE_SHARE
                and not all(map(_is_filled_and_not_placeholder, column.rows))
            ]
        found["sms_opt_out"] = [
            *found.get("sms_opt_out", ()),
            *self._status_columns_of_clear_subscription_states(),
        ]
        for field, columns in found.items():
            self._assign_columns_to_field_and_mark_used(
                field, sorted(columns, key=lambda column: column.position)
            )

    def _add_questions_on_refused_data_processing(self) -> None:
        """Ask about a no to the processing of data beside a consent to SMS that is no no."""
        for column in self._unused_filled_columns(Meaning.CONSENT):
            if column.heading.channel != Channel.PRIVACY:
                continue
            reader = _build_consent_reader(column.all_cells, heading=column.text)
            refused = {
                row
                for row, cell in enumerate(column.rows)
                if reader.read(cell).consent == Consent.OPTED_OUT
            }
            if refused - self._row_indexes_with_opt_out():
                self._add_question_whether_column_is_consent(column)

    def _add_questions_on_unexplained_consent_details(self) -> None:
        """Ask about reasons of opt-outs and sources of consent that no other column explains."""
        has_consent = bool(self.fields.get("sms_consent"))
        for column in self._unused_filled_columns(Meaning.OPT_OUT_DETAIL, Meaning.CONSENT_DETAIL):
            is_other = column.heading.channel in _OF_OTHER_THINGS
            if column.meaning == Meaning.OPT_OUT_DETAIL:
                reasons = column.row_indexes_matching(_is_filled_and_not_placeholder)
                in_doubt = reasons - self._row_indexes_with_opt_out()
                is_asked = bool(in_doubt) and not (is_other and has_consent)
            else:
                # Who has no source of consent, or an invalid one, may have given none.
                is_asked = not (has_consent or is_other) and (
                    not all(map(_is_filled_and_not_placeholder, column.rows))
                    or _has_any_answer_and_not_only_yes(set(column.all_cells))
                )
            if is_asked:
                self._add_question_whether_column_is_consent(column)

    def _ask_about_times_that_may_end_consent(self) -> None:
        """Ask about dates beside a consent, in words not all known, that few have who agreed.

        Who agreed has a time of it; few have one of taking it back.
        """
        for column in self._unused_filled_columns(Meaning.CONSENT_TIME):
            if column.heading.is_sure or column.heading.channel in _OF_OTHER_THINGS:
                continue
            dated = column.row_indexes_matching(looks_like_date_with_year)
            agreeing = self._row_numbers_with_consent()
            if dated - self._row_indexes_with_opt_out() and len(dated & agreeing) * 2 < len(
                agreeing
            ):
                self._add_question_whether_column_is_consent(column)

    def _row_numbers_with_consent(self) -> set[int]:
        """The rows of the sample in which a column of consent says yes; all if one was chosen."""
        if self.has_chosen_consent:
            return {row for column in self.columns for row in range(len(column.rows))}
        return {
            row
            for column in self.columns
            if column.position in self.fields.get("sms_consent", ())
            for reader in [_build_consent_reader(column.all_cells, heading=column.text)]
            for row, cell in enumerate(column.rows)
            if reader.read(cell).consent == Consent.AGREES
        }

    def _status_columns_of_clear_subscription_states(self) -> list[_Column]:
        """Columns of states that say who is unsubscribed."""
        return [
            column
            for column in self._ranked_columns_with_meaning(Meaning.STATUS)
            if any(
                cell_refuses_messages(state) or _is_subscription_state(state)
                for state in set(column.all_cells)
            )
            and all(map(_means_same_under_consent_and_opt_out_heading, set(column.all_cells)))
            and not _has_unknown_state_with_known_opposite(column)
        ]

    def _add_questions_on_states_that_may_be_opt_outs(self) -> None:
        """Ask about columns by which somebody may be meant to get no messages."""
        for column in self._unused_filled_columns(Meaning.STATUS, Meaning.PERSON, Meaning.ENDED):
            in_doubt = set()
            if column.meaning == Meaning.ENDED:
                in_doubt = column.row_indexes_matching(
                    lambda cell: _NEGATIVE.read(cell).consent > Consent.SILENT
                )
            else:
                in_doubt = _row_indexes_of_negated_values(column)
                is_of_unknown_thing = (
                    not column.heading.is_sure and _holds_two_values_or_dates_and_blanks(column)
                )  # `Status zgody`
                if column.meaning == Meaning.STATUS and (
                    _holds_several_one_letter_codes(column) or is_of_unknown_thing
                ):
                    in_doubt |= column.row_indexes_matching(bool)
                if _has_any_answer_and_not_only_yes(set(column.all_cells)):
                    in_doubt |= column.row_indexes_matching(
                        lambda cell: (
                            looks_like_date_with_year(cell)
                            or _POSITIVE.read(cell).consent not in _WILLING
                        )
                    )
            if in_doubt - self._row_indexes_with_opt_out():
                self._add_question_whether_column_is_consent(column)

    def _add_question_whether_column_is_consent(self, column: _Column) -> None:
        at = column.position + 1
        hint = ""
        if _holds_few_short_codes(column) and column.consent_answer_share() < 1:
            hint = "; if its codes are not read, write into its heading what they mean: (1 = yes)"
        self._add_question_on_consent(
            Question(
                f"{column.text} may say who agreed to SMS or who did not: say whether it holds "
                f"consent to SMS or opt-outs, or set it aside{hint}",
                f"--map sms_consent={at}, --map sms_opt_out={at} or --ignore {at}",
                column.position,
            )
        )

    def _add_question_on_cells_refusing_messages(self, column: _Column) -> None:
        """Ask about a column of notes, tags or kinds, of which some cells refuse messages."""
        at = column.position + 1
        count = len(column.row_indexes_matching(_refuses_forbids_or_mentions_messages))
        self._add_question_on_consent(
            Question(
                f"{column.text} may say who agreed to SMS or who did not (cells that refuse or "
                f"mention messages: {count:,}): say whether it holds notes, of which each that "
                "refuses is an opt-out and each that is not clear gives no consent, or consent to "
                "SMS, or opt-outs, or set it aside",
                f"--map notes={at}, --map sms_consent={at}, --map sms_opt_out={at} or "
                f"--ignore {at}",
                column.position,
            )
        )

    def _add_question_on_consent(self, question: Question) -> None:
        self.questions.append(question)
        self.questions_on_consent.append(question)

    def _row_indexes_with_opt_out(self) -> set[int]:
        """The rows of the sample in which a column of consent says no."""
        readers = {"sms_consent": _POSITIVE, "other_consent": _POSITIVE, "sms_opt_out": _NEGATIVE}
        return {
            row
            for field, reader in readers.items()
            for column in self.columns
            if column.position in self.fields.get(field, ())
            for row, cell in enumerate(column.rows)
            if reader.read(cell).consent == Consent.OPTED_OUT
        }

    def _mapped_status_column_is_filled_in_all_rows(self) -> bool:
        """Whether a column says in each row whether somebody is subscribed."""
        return any(
            column.meaning == Meaning.STATUS
            and column.position in self.fields.get("sms_opt_out", ())
            and all(column.rows)
            for column in self.columns
        )

    def _has_consent_to_sms_or_marketing(self) -> bool:
        """Whether a column says who agreed to either, by its heading or as a person chose."""
        return bool(self.has_chosen_consent or self.sms_answers) or any(
            heading_names_messages_or_marketing(column.text)
            and column.position in self.fields.get("sms_consent", ())
            for column in self.columns
        )

    def _answers_as_sms_consent_for_other_channel(self, column: _Column) -> bool:
        """Whether only the way of contact tells its heading from that of a consent to SMS.

        `E-posta İzni` beside `SMS İzni`, in whatever language.
        """
        if not (words := _words_without_ways_of_contact(column.text)):
            return False
        return _names_other_way_than_sms(column.text) and any(
            _words_without_ways_of_contact(self.headings[position]) == words
            for position in (
                *self.chosen.get("sms_consent", ()),
                *self.fields.get("sms_consent", ()),
            )
        )

    def _has_notes_on_messages_in_undecided_rows(self, column: _Column) -> bool:
        return (
            heading_is_unknown_or_names_notes(column.text)
            and not _holds_mostly_answers_in_words(column)
            and bool(
                column.row_indexes_matching(cell_of_several_words_mentions_messages)
                - self._row_indexes_with_opt_out()
            )
        )

    def _may_hold_consent_in_other_words(self, column: _Column) -> bool:
        """Whether a column that is not understood tells customers apart as a consent does."""
        is_known = (
            column.meaning != Meaning.UNKNOWN
            and column.heading.is_sure
            and not _heading_or_cell_names_way_of_contact(column.text)
        )
        if not is_known and _holds_answers_in_words(column):
            return True
        if (
            column.meaning == Meaning.UNKNOWN
            and _holds_two_values_or_dates_and_blanks(column)
            and not self._mapped_status_column_is_filled_in_all_rows()
        ):
            return True
        if not column.heading.is_sure and _may_answer_for_messages(column):
            return True
        if not column.heading.is_sure and _holds_recent_dates_of_few(column):
            return True  # of taking back a consent, say
        return (not column.heading.is_sure and bool(_row_indexes_of_negated_values(column))) or (
            not self.fields.get("sms_consent") and _names_channels_but_not_always_sms(column)
        )

    def _map_hidden_opt_outs_or_add_questions(self) -> None:
        """Ask about columns that nobody would take for consent and whose cells hold a no."""
        for column in self.columns:
            is_decided = column.position in self.used or column in self.email_answers
            if is_decided or column.meaning in (
                Meaning.CONSENT,
                Meaning.OPT_OUT,
                Meaning.CONSENT_DETAIL,
                Meaning.OPT_OUT_DETAIL,
                Meaning.CONSENT_TIME,
                Meaning.CONSENT_EXPIRY,
                Meaning.STATUS,
                Meaning.ENDED,
                Meaning.UNCLEAR_CONSENT,
                Meaning.REJECTION,
            ):
                continue
            if self._has_consent_to_sms_or_marketing() and (
                _is_surely_of_other_channel_or_purpose(column)
                or self._answers_as_sms_consent_for_other_channel(column)
            ):
                self.notes.append(f"{column.text}: not used as consent to SMS")
                continue
            rows_of_no = column.row_indexes_matching(
                lambda cell: len(cell) <= MAX_NOTE_LENGTH and cell_refuses_messages(cell)
            )
            if _repeats_few_values(column):
                forbidding = set(filter(short_cell_forbids_something, set(column.all_cells)))
                rows_of_no |= column.row_indexes_matching(forbidding.__contains__)
            if rows_of_no and rows_of_no - self._row_indexes_with_opt_out():
                if _states_mean_same_under_any_heading(column):
                    self.fields.setdefault("sms_opt_out", []).append(column.position)
                    self.notes.append(f"{column.text}: opt-outs, by its cells")
                elif column.consent_answer_share() < MIN_VALUE_SHARE or heading_names_notes(
                    column.text
                ):
                    self._add_question_on_cells_refusing_messages(column)
                else:
                    self._add_question_whether_column_is_consent(column)
            elif self._has_notes_on_messages_in_undecided_rows(column):
                self._add_question_on_cells_refusing_messages(column)
            elif self._may_hold_consent_in_other_words(column):
                self._add_question_whether_column_is_consent(column)


def _refuses_forbids_or_mentions_messages(cell: str) -> bool:
    return (
        cell_refuses_messages(cell)
        or cell_of_several_words_mentions_messages(cell)
        or short_cell_forbids_something(cell)
    )


def _repeats_few_values(column: _Column) -> bool:
    """Whether the cells are a few values again and again: kinds of customers, not notes."""
    values = set(column.all_cells)
    return len(values) <= MAX_STATES and len(values) * 2 <= len(column.all_cells)


def _two_numbered_halves_of_names(plain: Sequence[_Column]) -> list[_Column]:
    """Two columns such as `NAME1` and `NAME2` that hold one half of each name, by their cells.

    Where the first holds full names or companies, the second adds something else to some.
    """
    filled = [column for column in plain if column.cells]
    if len(filled) != 2:
        return []
    words = [canonical_heading_words(column.text) for column in filled]
    numbers = [[word for word in heading if word.isdigit()] for heading in words]
    without_numbers = [[word for word in heading if not word.isdigit()] for heading in words]
    if without_numbers[0] != without_numbers[1] or numbers not in ([["1"], ["2"]], [[], ["2"]]):
        return []
    both = [(one, two) for one, two in zip(filled[0].rows, filled[1].rows, strict=True) if one]
    in_pairs = sum(
        bool(two) and all(map(_is_short_text_of_letters, (one, two))) for one, two in both
    )
    are_halves = (
        in_pairs >= MIN_NAME_SHARE * len(both)
        and filled[0].matching_share(_has_several_words) < MIN_VALUE_SHARE
    )
    return filled if are_halves else []


def _has_several_words(cell: str) -> bool:
    return len(cell.split()) > 1


def _person_words_in_heading(column: _Column) -> frozenset[str]:
    """The words of a heading that say whose a column is: its number, `buyer`, `attendee`."""
    return frozenset(
        word
        for word in canonical_heading_words(column.text)
        if word.isdigit() or "person" in CONCEPTS_BY_WORD.get(word, ())
    )


def _non_customer_words_in_heading(heading: str) -> list[str]:
    """The words of a heading for persons who are not customers, such as `parent`."""
    return [
        word
        for word in canonical_heading_words(heading)
        if "other_person" in CONCEPTS_BY_WORD.get(word, ())
    ]


def _names_only_another_person(column: _Column) -> bool:
    """Whether a column such as `Parent/guardian` holds names."""
    words = canonical_heading_words(column.text)
    return (
        len(words) == len(_non_customer_words_in_heading(column.text))
        and column.matching_share(_is_short_text_of_letters) >= MIN_VALUE_SHARE
    )


def _unknown_words_in_heading(heading: str) -> frozenset[str]:
    return frozenset(
        word
        for word in canonical_heading_words(heading)
        if not word.isdigit() and word not in CONCEPTS_BY_WORD
    )


def _meaning_without_words(heading: str, words: Set[str]) -> Meaning:
    kept = [word for word in canonical_heading_words(heading) if word not in words]
    return read_heading(" ".join(kept)).meaning


def _is_filled_and_not_placeholder(cell: str) -> bool:
    """Whether the cell is neither empty nor says that there is nothing, such as `N/A`."""
    return bool(cell) and not (
        is_placeholder_for_no_value(cell) and _POSITIVE.read(cell).consent == Consent.SILENT
    )


def _holds_mostly_answers_in_words(column: _Column) -> bool:
    """Whether the cells answer an unknown question: yes, no, a tick; no numbers, no sentences."""
    reader = _build_consent_reader(column.cells)

    def is_short_answer(cell: str) -> bool:
        is_short = len(cell.split()) <= MAX_ANSWER_WORDS and not cell.isdigit()
        if channels_if_cell_lists_only_channels(cell):
            return False
        return is_short and _is_consent_answer(cell, reader)

    return bool(column.cells) and column.matching_share(is_short_answer) >= MIN_VALUE_SHARE


def _holds_answers_in_words(column: _Column) -> bool:
    return _holds_mostly_answers_in_words(column) or _holds_few_values_and_an_answer(column)


def _holds_few_values_and_an_answer(column: _Column) -> bool:
    """Whether the cells are a few short values, one of them a known answer: `ja`, `nee`."""
    values = set(column.all_cells)
    return (
        len(values) <= MAX_ANSWERS
        and all(len(value.split()) <= MAX_ANSWER_WORDS for value in values)
        and any(
            not value.isdigit() and len(value) > 1 and _is_consent_answer(value) for value in values
        )
    )


def _holds_parts_of_country(column: _Column, region: str) -> bool:
    """Whether codes are those of states, of which many are a country's too: `CA`, `DE`, `FL`.

    Then some are no country's, and the store's own country, where most customers are, is missing.
    """
    named = set(map(two_letter_country_or_empty, column.all_cells))
    unknown = column.matching_share(lambda cell: not two_letter_country_or_empty(cell))
    return (
        region not in named
        and unknown >= MIN_UNKNOWN_COUNTRIES
        and all(len(cell) <= MAX_CODE_LENGTH and cell.isalpha() for cell in column.all_cells)
    )


# A yes under these is no yes to SMS.
_OF_OTHER_THINGS = (Channel.OTHER, Channel.PRIVACY)
WAYS_OF_CONTACT = frozenset({"sms", "whatsapp", "email", "newsletter", "call", "post"})


def _words_without_ways_of_contact(heading: str) -> frozenset[str]:
    return frozenset(
        word
        for word in canonical_heading_words(heading)
        if not CONCEPTS_BY_WORD.get(word, set()) & (WAYS_OF_CONTACT | {"glue"})
    )


def _names_other_way_than_sms(heading: str) -> bool:
    concepts = {c for w in canonical_heading_words(heading) for c in CONCEPTS_BY_WORD.get(w, ())}
    return bool(concepts & (WAYS_OF_CONTACT - {"sms"})) and "sms" not in concepts


def _heading_or_cell_names_way_of_contact(heading: str) -> bool:
    """Whether a heading names a way of contact: `Gutschein-SMS`, `Direct mail`, `Kontaktkanal`."""
    concepts = {
        concept
        for word in canonical_heading_words(heading)
        for concept in CONCEPTS_BY_WORD.get(word, ())
    }
    is_kind_of_contact = "contact" in concepts and not concepts.isdisjoint({"detail", "label"})
    return is_kind_of_contact or not WAYS_OF_CONTACT.isdisjoint(concepts)


def _is_surely_of_other_channel_or_purpose(column: _Column) -> bool:
    """Whether a column answers for calls, letters, e-mail, pictures …, and nothing else."""
    return (
        heading_is_of_other_channel_or_purpose(column.text)
        and column.consent_answer_share() >= MIN_VALUE_SHARE
        and not any(map(cell_refuses_more_than_its_channel, set(column.all_cells)))
    )


def _may_answer_for_messages(column: _Column) -> bool:
    """Whether a heading of another language speaks of messages or consent, above a few states."""
    words = [fold_to_alphanumeric(word) for word in canonical_heading_words(column.text)]
    return (
        any(word.startswith(MESSAGE_BEGINNINGS) for word in words)
        and _holds_few_values_with_letters(column)
        and _repeats_few_values(column)
        and _holds_several_values_or_blanks(column)
    )


def _holds_recent_dates_of_few(column: _Column) -> bool:
    """Whether less than half of the rows have a date, and these are not birthdays of adults."""
    return (
        len(column.all_cells) * 2 < len(column.rows)
        and bool(column.cells)
        and column.matching_share(looks_like_date_with_year) == 1
        and not _are_older_than_consents(column)
    )


def _holds_a_date_in_every_row(column: _Column) -> bool:
    return len(column.all_cells) == len(column.rows) and all(
        map(looks_like_date_with_year, column.all_cells)
    )


def _are_older_than_consents(column: _Column) -> bool:
    """Whether most dates are older than messages are: birthdays, not dates of consent."""
    values = set(column.all_cells)
    years = [int(year) for value in values for year in _YEAR.findall(value)[:1]]
    return sum(year < FIRST_YEAR_OF_CONSENTS for year in years) * 2 > len(values)


def _holds_two_values_or_dates_and_blanks(column: _Column) -> bool:
    """Whether the cells tell two kinds of customers apart, and so may tell who said no.

    There are two values again and again, or one that some have, or dates that some have and that
    are no birthdays.
    """
    values = set(column.all_cells)
    has_blanks = len(column.all_cells) < len(column.rows)
    if has_blanks and column.cells and column.matching_share(looks_like_date_with_year) == 1:
        return not _are_older_than_consents(column)
    is_repeated = all(count > 1 for count in Counter(column.all_cells).values())
    return (
        (len(values) + has_blanks == 2 or (len(values) == 2 and is_repeated))
        and len(column.rows)
        >= (MIN_ROWS_OF_TWO_REPEATED_KINDS if is_repeated else MIN_ROWS_OF_TWO_KINDS)
        and (
            values <= {"0", "1"}
            or all(
                _has_letters(value) and len(value.split()) <= MAX_ANSWER_WORDS for value in values
            )
        )
    )


def _is_no_or_withheld_consent(cell: str) -> bool:
    read = _POSITIVE.read(cell)
    return not read.problem and read.consent >= Consent.WITHHELD


def _names_channels_but_not_always_sms(column: _Column) -> bool:
    """Whether the cells name the ways by which customers may be reached: `E-mail & SMS`, `Post`.

    Some may be a no to all of them, such as `nessuno`.
    """
    values = set(column.all_cells)
    named = {value: channels_if_cell_lists_only_channels(value) for value in values}
    return (
        len(values) <= MAX_STATES
        and all(channels or _is_no_or_withheld_consent(value) for value, channels in named.items())
        and any("sms" in channels for channels in named.values())
        and (
            len(column.all_cells) < len(column.rows)
            or any("sms" not in channels for channels in named.values())
        )
    )


def _holds_several_one_letter_codes(column: _Column) -> bool:
    """Whether the cells are codes of one letter, which nobody can tell: `A`, `I`, `S`."""
    values = set(column.all_cells)
    return len(values) > 1 and all(len(value) == 1 and value.isalpha() for value in values)


def _row_indexes_of_negated_values(column: _Column) -> set[int]:
    """The rows whose value negates another of a few: `No autoriza` of `Autoriza`, `ineligible`.

    Of two values such as `zapisany` and `wypisany` nobody can tell which negates the other.
    """
    negated = {
        value
        for pair in _opposite_values(column)
        for value in pair
        if len(value) == max(map(len, pair)) or not pair[0].endswith(pair[1])
    }
    return column.row_indexes_matching(lambda cell: fold_to_alphanumeric(cell) in negated)


def _opposite_values(column: _Column) -> list[tuple[str, str]]:
    """Pairs of a column's few values, folded, of which one negates the other; the longer first."""
    values = {
        fold_to_alphanumeric(cell)
        for cell in set(column.all_cells)
        if len(cell) <= MAX_NAME_LENGTH and not _LIST_SEPARATOR.search(cell)
    }
    if len(values) > MAX_STATES:
        return []
    pairs = combinations(sorted(values, key=len, reverse=True), 2)
    return [
        (longer, shorter)
        for longer, shorter in pairs
        if not longer[-1:].isdecimal() and _are_opposite(longer, shorter)
    ]


def _has_unknown_state_with_known_opposite(column: _Column) -> bool:
    """Whether a state is not understood and its opposite is: `Abonat` beside `Dezabonat`."""
    return any(
        any(_POSITIVE.read(value).problem for value in pair)
        and not all(_POSITIVE.read(value).problem for value in pair)
        for pair in _opposite_values(column)
    )


def _are_opposite(longer: str, shorter: str) -> bool:
    ending = _shared_ending_length(longer, shorter)
    beginning = longer[: len(longer) - ending]
    if ending >= MIN_SHARED_ENDING:
        return len(beginning) <= MAX_DIFFERENT_BEGINNING
    return (
        ending == len(shorter)
        and len(shorter) >= MIN_NEGATED_LENGTH
        and beginning in NEGATING_PREFIXES
    )


def _shared_ending_length(first: str, second: str) -> int:
    pairs = zip(reversed(first), reversed(second), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _is_word_but_no_answer(cell: str) -> bool:
    return _has_letters(cell) and not _is_consent_answer(cell)


def _has_letters(cell: str) -> bool:
    return any(map(str.isalpha, cell))


def _consent_field_or_word_ask_or_empty(  # noqa: C901
    column: _Column, *, has_sms_consent_column: bool, has_marketing_consent_column: bool
) -> str:
    """The field of a column whose heading speaks of consent; `ask` for a person; "" for none."""
    heading, cells = column.heading, column.cells
    if not heading.is_sure and _holds_unique_codes_with_digits(column):
        return ""  # `(Do Not Modify) Contact`
    if heading.meaning == Meaning.CONSENT and _cells_answer_by_channel(column):
        return "sms_consent"  # the cells say it, whatever else the heading says
    is_other = heading.channel in _OF_OTHER_THINGS
    answered = column.consent_answer_share() if cells else 1.0
    if heading.meaning == Meaning.CONSENT_EXPIRY:
        if not cells or (is_other and has_sms_consent_column):
            return ""
        if (
            not heading.is_sure
            or column.matching_share(looks_like_date_with_year) < MIN_VALUE_SHARE
        ):
            return "ask"  # `Consent expired: yes`
        # Beside a consent it takes a yes away, and is none.
        return "other_consent" if is_other or has_sms_consent_column else "sms_consent"
    if heading.meaning == Meaning.CONSENT_TIME and heading.channel == Channel.PRIVACY:
        if has_sms_consent_column or not cells:
            return ""
    elif heading.meaning == Meaning.CONSENT_TIME:
        # A date says when somebody agreed, and nothing about today; answers are a consent.
        if cells and not heading.is_sure and not has_sms_consent_column:
            return "ask"  # such as `SMS consent valid tot`
        if (
            not cells
            or column.matching_share(looks_like_date_with_year)
            or answered < MIN_VALUE_SHARE
        ):
            return ""
    elif heading.meaning == Meaning.CONSENT_DETAIL:
        is_in_doubt = any(map(cell_refuses_messages, set(column.all_cells))) or (
            not heading.is_sure and column.matching_share(looks_like_date_with_year) > 0
        )
        return "ask" if is_in_doubt and not has_sms_consent_column else ""
    elif heading.meaning == Meaning.OPT_OUT_DETAIL:
        return ""
    elif heading.meaning == Meaning.UNCLEAR_CONSENT:
        if heading.channel != Channel.PRIVACY and _states_tell_opt_outs(column):
            return "sms_opt_out"
        if heading_names_only_an_approval(column.text) and _holds_a_date_in_every_row(column):
            return ""  # `Inscription`: when somebody registered
        return "ask" if cells else ""
    if heading.meaning == Meaning.OPT_OUT:
        if is_other and has_sms_consent_column:
            return ""
        if heading.is_sure and _holds_one_mark_and_blanks(column):
            return "sms_opt_out"
        share = column.consent_answer_share(also=looks_like_date_with_year)
        if share >= MIN_VALUE_SHARE or (heading.is_sure and (share or not cells)):
            return "sms_opt_out"
        return "ask" if cells else ""
    if not heading.is_sure:
        if has_sms_consent_column and heading.channel != Channel.SMS:
            return ""
        if has_marketing_consent_column and _names_something_else_than_messages(column):
            return ""
        says_something = answered or column.matching_share(looks_like_date_with_year)
        may_say_something = _holds_few_values_with_letters(column) or (
            _holds_few_short_codes(column) and _holds_several_values_or_blanks(column)
        )
        return "ask" if cells and (says_something or may_say_something) else ""
    if is_other:
        if has_sms_consent_column:
            return ""
        is_state = heading.channel == Channel.OTHER and _states_tell_opt_outs(column)
        return "sms_opt_out" if is_state else "other_consent"
    if cells and (_has_cross_of_unknown_sense(column) or _has_a_no_and_no_known_yes(column)):
        return "ask"
    if cells and not answered and not any(map(cell_refuses_messages, set(column.all_cells))):
        # `Marketing: Facebook`, `Subscription: Gold` are no answers; unless the heading asks, or
        # the cells are codes.
        if column.matching_share(looks_like_date_with_year):
            return "sms_consent"
        if _heading_names_consent(column) or heading.channel == Channel.SMS:
            return "ask"
        tells_apart = _holds_few_short_codes(column) and _holds_several_values_or_blanks(column)
        return "ask" if tells_apart or _holds_two_values_or_dates_and_blanks(column) else ""
    return "sms_consent"


def _names_something_else_than_messages(column: _Column) -> bool:
    """Whether a heading of consent has a word for something that is hardly messages.

    Of a word that nobody knows, no part is one of messages, contact or marketing.
    """
    words = canonical_heading_words(column.text)
    concepts = {concept for word in words for concept in CONCEPTS_BY_WORD.get(word, ())}
    return column.heading.channel == Channel.ANY and not (
        concepts & {"topic", "advertising", "contact", "privacy"}
        or any(stem in word for word in words for stem in _PARTS_OF_MESSAGE_WORDS)
    )


_PARTS_OF_MESSAGE_WORDS = (
    *MESSAGE_BEGINNINGS,
    *(
        word
        for word, concepts in CONCEPTS_BY_WORD.items()
        if len(word) >= MIN_NEGATED_LENGTH
        and concepts & {"topic", "advertising", "contact", "sms", "newsletter"}
    ),
)


def _holds_answers_not_addresses(column: _Column) -> bool:
    """Whether a column of addresses holds answers instead, to `E-mail?` say."""
    reader = _build_consent_reader(column.cells, heading=column.text)
    return (
        (len(set(column.cells)) > 1 or any(len(cell) > 1 for cell in column.cells))
        and not column.matching_share(looks_like_email)
        and column.consent_answer_share() >= MIN_VALUE_SHARE
        and any(reader.read(cell).consent == Consent.AGREES for cell in column.cells)
    )


def _has_cross_of_unknown_sense(column: _Column) -> bool:
    """Whether nobody can tell if a cross is a yes or a no, as beside `no` or a circle."""
    crosses = {"x", "X", "χ", "Χ"} & set(column.all_cells)
    if not crosses:
        return False
    reader = _build_consent_reader(column.all_cells, heading=column.text)
    return any(reader.read(cross).problem for cross in crosses)


def _has_a_no_and_no_known_yes(column: _Column) -> bool:
    """Whether some cells withhold consent, nobody agrees, and the others are not understood."""
    values = set(column.all_cells)
    if len(values) > MAX_STATES or any(map(looks_like_date_with_year, values)):
        return False
    reader = _build_consent_reader(column.all_cells, heading=column.text)
    said = list(map(reader.read, values))
    return (
        any(cell.problem for cell in said)
        and any(cell.consent >= Consent.WITHHELD and not cell.problem for cell in said)
        and all(cell.consent != Consent.AGREES for cell in said)
    )


def _holds_few_short_codes(column: _Column) -> bool:
    """Whether the cells are a few signs or codes, such as `A` and `D`, and no words."""
    values = set(column.all_cells)
    return len(values) <= MAX_ANSWERS and all(len(value) <= MAX_CODE_LENGTH for value in values)


def _holds_several_values_or_blanks(column: _Column) -> bool:
    """Whether the cells tell customers apart: there are several values, or some are blank."""
    return len(set(column.all_cells)) > 1 or len(column.all_cells) < len(column.rows)


def _holds_unique_codes_with_digits(column: _Column) -> bool:
    """Whether each row has a code of its own, with digits, that is neither a phone nor a date."""
    return (
        len(column.rows) > 1
        and len(set(column.rows)) == len(column.rows) == len(column.cells)
        and column.matching_share(
            lambda cell: (
                len(cell.split()) == 1
                and any(map(str.isdecimal, cell))
                and not looks_like_phone(cell)
                and not looks_like_date_with_year(cell)
                and not _is_consent_answer(cell)
            )
        )
        == 1
    )


def _cells_answer_by_channel(column: _Column) -> bool:
    """Whether the cells name ways of contact, or none: `SMS: sí | Email: no`, `EMAIL`, `none`."""
    reader = _build_consent_reader(column.cells)
    values = set(column.all_cells)
    return (
        len(values) <= MAX_STATES
        and all(
            _is_consent_answer(value, reader)
            and (
                _heading_or_cell_names_way_of_contact(value)
                or reader.read(value).consent != Consent.AGREES
            )
            for value in values
        )
        and any(
            "sms" in CONCEPTS_BY_WORD.get(word, ())
            for value in values
            for word in canonical_heading_words(value)
        )
    )


def _holds_one_mark_and_blanks(column: _Column) -> bool:
    """Whether some rows have one and the same mark, such as a cross, and the others nothing."""
    marks = set(column.all_cells)
    return (
        len(marks) == 1
        and len(column.all_cells) < len(column.rows)
        and all(len(mark) == 1 and not mark.isdecimal() for mark in marks)
        and not any(_NEGATIVE.read(mark).consent == Consent.SILENT for mark in marks)
    )


def _heading_names_consent(column: _Column) -> bool:
    return any("optin" in CONCEPTS_BY_WORD.get(w, ()) for w in canonical_heading_words(column.text))


def _holds_few_values_with_letters(column: _Column) -> bool:
    """Whether the cells are a few values in words, not dates, numbers or sentences of their own."""
    values = set(column.all_cells)
    return len(values) <= MAX_STATES and column.matching_share(_has_letters) >= MIN_VALUE_SHARE


def _build_consent_reader(
    cells: Sequence[str] = (), *, heading: str = "", is_opt_out: bool = False
) -> ConsentColumn:
    return ConsentColumn(
        cells, is_opt_out=is_opt_out, heading=heading, date_order=DateOrder.DMY, zone=UTC
    )


def _is_consent_answer(cell: str, reader: ConsentColumn | None = None) -> bool:
    """Whether the cell answers a question of consent: yes, no, subscribed … but no date."""
    return not looks_like_date_with_year(cell) and (reader or _POSITIVE).read(cell).problem == ""


def _states_mean_same_under_any_heading(column: _Column) -> bool:
    """Whether the cells are states such as `unsubscribed`, clear under any heading."""
    cells = set(column.cells)
    return len(cells) <= CONTENT_SAMPLE_ROWS / 2 and all(
        _is_consent_answer(cell) and _means_same_under_consent_and_opt_out_heading(cell)
        for cell in cells
    )


def _states_tell_opt_outs(column: _Column) -> bool:
    """Whether the cells are such states, and one of them is that of an opt-out."""
    return _states_mean_same_under_any_heading(column) and any(
        _NEGATIVE.read(cell).consent == Consent.OPTED_OUT for cell in set(column.cells)
    )


def _means_same_under_consent_and_opt_out_heading(cell: str) -> bool:
    """Whether the cell is a no either to both questions, who agreed and who did not, or to none.

    `Granted` answers the first one only.
    """
    agreed, refused = _POSITIVE.read(cell), _NEGATIVE.read(cell)
    return (agreed.consent == Consent.OPTED_OUT) == (refused.consent == Consent.OPTED_OUT) and bool(
        agreed.problem
    ) == bool(refused.problem)


def _has_any_answer_and_not_only_yes(cells: Set[str]) -> bool:
    """Whether some cell is an answer such as `active`, and not all that are filled say yes."""
    if len(cells) > CONTENT_SAMPLE_ROWS / 2:
        return False
    said = {
        _POSITIVE.read(cell).consent if _is_consent_answer(cell) else None for cell in cells
    } - {Consent.SILENT}
    return bool(said - {None}) and said != {Consent.AGREES}


def _is_subscription_state(cell: str) -> bool:
    """Whether a cell is the state of a subscription, such as `subscribed`."""
    return (
        len(cell) <= MAX_NAME_LENGTH
        and read_heading(cell).meaning in (Meaning.CONSENT, Meaning.OPT_OUT)
        and _POSITIVE.read(cell).problem == ""
    )


_WILLING = (Consent.SILENT, Consent.AGREES)
_POSITIVE, _NEGATIVE = _build_consent_reader(), _build_consent_reader(is_opt_out=True)


def _columns_with_rank_of_first(columns: Sequence[_Column]) -> list[_Column]:
    """Columns of the preferred rank, of which the first that is filled counts in each row."""
    return [column for column in columns if column.heading.rank == columns[0].heading.rank]


def _holds_phone(cell: str) -> bool:
    """Whether the cell is a phone number, alone or with a remark: `6944000235 (no SMS)`."""
    return looks_like_phone(cell) or (
        sum(map(str.isdecimal, cell)) >= MIN_PHONE_DIGITS and phone_remark_refuses_messages(cell)
    )


def _looks_like_phones(cell: str) -> bool:
    """Whether the cell is a phone number, or several with signs between them."""
    return all(map(looks_like_phone, _BETWEEN_PHONES.split(cell)))


_BETWEEN_PHONES = re.compile(r"\s*[;,/|]\s*|\s+[-–]\s+")


def _counts_up_in_small_steps(column: _Column) -> bool:
    """Whether the cells are whole numbers that mostly count up by small steps."""
    numbers = [int(cell) for cell in column.cells if cell.isdecimal()]
    if len(numbers) < max(2, len(column.cells) * MIN_VALUE_SHARE):
        return False
    steps = [after - before for before, after in pairwise(numbers)]
    return sum(0 < step <= SERIAL_STEP for step in steps) >= MIN_SERIAL_SHARE * len(steps)


def _is_short_text_of_letters(cell: str) -> bool:
    plain = cell.translate(_NAME_MARKS)
    return len(cell) <= MAX_NAME_LENGTH and plain.isalpha()


def _is_name_with_or_without_remark(cell: str) -> bool:
    return _is_short_text_of_letters(without_remark_refusing_contact(cell))


def _has_only_given_names(cell: str) -> bool:
    words = without_titles_before(cell.split())
    return bool(words) and all(map(is_usual_given_name, words))


def _is_given_beside_other_name(cell: str) -> bool:
    """Whether the cell begins or ends with a usual given name, and has others: `Anna Berg`."""
    words = without_titles_before(without_remark_refusing_contact(cell).split())
    are_given = list(map(is_usual_given_name, words))
    return len(words) > 1 and (are_given[0] or are_given[-1]) and not all(are_given)


def _looks_like_full_name(cell: str) -> bool:
    """Whether the cell is two names or more, and no `Victoria Street`."""
    words = canonical_heading_words(cell)
    return (
        len(cell.split()) > 1
        and _is_short_text_of_letters(cell)
        and not any("place" in CONCEPTS_BY_WORD.get(word, ()) for word in words[-1:])
    )


_NAME_MARKS = {ord(mark): None for mark in " .,'’-&+"}


def _given_name_share(column: _Column) -> float:
    """Which share of the cells has a usual given name as its first or last word."""
    return column.matching_share(
        lambda cell: any(map(is_usual_given_name, {cell.split()[0], cell.split()[-1]}))
    )


def _heading_names_company(heading: str) -> bool:
    return any("company" in CONCEPTS_BY_WORD.get(w, ()) for w in canonical_heading_words(heading))


def _holds_no_phones_emails_dates_or_answers(column: _Column) -> bool:
    """Whether the cells are not all numbers, addresses or dates."""
    return (
        not column.cells
        or column.matching_share(
            lambda cell: (
                looks_like_phone(cell) or looks_like_email(cell) or looks_like_date_with_year(cell)
            )
        )
        < MIN_VALUE_SHARE
    ) and not _holds_mostly_answers_in_words(column)


def _full_names_contain_parts(full_column: _Column, part_column: _Column) -> bool:
    """Whether the cells of a name column mostly contain those of a first or a last name."""
    pairs = [
        (fold_to_alphanumeric(whole), fold_to_alphanumeric(part))
        for whole, part in zip(full_column.rows, part_column.rows, strict=True)
        if whole and part
    ]
    return (
        bool(pairs)
        and sum(part in whole and part != whole for whole, part in pairs) >= len(pairs) / 2
    )


def _gender_share(column: _Column) -> float:
    reader = GenderColumn(column.text, column.cells)

    def is_gender(cell: str) -> bool:
        try:
            return reader.parse_or_raise_unusable(cell) is not None
        except UnusableCell:
            return False

    return column.matching_share(is_gender)


def _holds_both_genders_in_words(column: _Column) -> bool:
    """Whether all cells are genders or forms of address, of both, and some in more than a letter.

    Single letters may mean anything.
    """
    values = set(column.all_cells)
    if len(values) > MAX_STATES or all(len(value) <= MAX_CODE_LENGTH for value in values):
        return False
    reader = GenderColumn(column.text, values)
    try:
        genders = set(map(reader.parse_or_raise_unusable, values))
    except UnusableCell:
        return False
    return {Gender.MALE.value, Gender.FEMALE.value} <= genders


def _is_day_and_month_or_bare_day(cell: str) -> bool:
    return looks_like_day_and_month(cell) or (len(cell) <= 2 and cell.isdecimal())


def _are_all_birthdays_of_adults(column: _Column) -> bool:
    """Whether the years of the dates are those of adults."""
    ages = _ages_from_years_in_cells(column)
    return bool(ages) and all(MIN_AGE <= age <= MAX_AGE for age in ages)


def _are_mostly_birthdays_of_children(column: _Column) -> bool:
    """Whether most of the dates are too late for birthdays of customers."""
    ages = _ages_from_years_in_cells(column)
    return sum(0 <= age < MIN_AGE for age in ages) * 2 > len(ages)


def _ages_from_years_in_cells(column: _Column) -> list[int]:
    this_year = date.today().year
    return [this_year - int(year) for cell in column.cells for year in _YEAR.findall(cell)[:1]]
