"""Mapping columns of a customer list to fields of a contact, by their headings and cells.

A known heading outranks cells. Cells decide what a heading leaves open, and which column holds the
phone number if no heading says so. Birthdays and consent are taken from cells alone in no file that
has headings (rules.md#import).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple, cast

from django.utils.translation import gettext, ngettext

from astronote.common.counts import format_count
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
from contacts.importing.columns import (
    CONSENT_READER,
    CONTENT_SAMPLE_ROWS,
    MAX_CODE_LENGTH,
    MAX_STATES,
    MIN_VALUE_SHARE,
    OPT_OUT_READER,
    YEAR_IN_CELL,
    Column,
    build_consent_reader,
    columns_with_rank_of_first,
    has_any_answer_and_not_only_yes,
    holds_mostly_answers_in_words,
    is_filled_and_not_placeholder,
    is_word_but_no_answer,
    repeats_few_values,
)
from contacts.importing.consent_cells import Consent, channels_if_cell_lists_only_channels
from contacts.importing.consent_columns import (
    CHANNELS_OF_OTHER_THINGS,
    WILLING,
    answers_only_for_other_channel_or_purpose,
    consent_field_or_word_ask_or_empty,
    has_cross_of_unknown_sense,
    has_unknown_state_with_known_opposite,
    heading_or_cell_names_way_of_contact,
    holds_answers_in_words,
    holds_answers_not_addresses,
    holds_few_short_codes,
    holds_recent_dates_of_few,
    holds_several_one_letter_codes,
    holds_two_values_or_dates_and_blanks,
    is_subscription_state,
    may_answer_for_messages,
    means_same_under_consent_and_opt_out_heading,
    names_channels_but_not_always_sms,
    names_other_way_than_sms,
    refuses_forbids_or_mentions_messages,
    row_indexes_of_negated_values,
    states_mean_same_under_any_heading,
    words_without_ways_of_contact,
)
from contacts.importing.countries import two_letter_country_or_empty
from contacts.importing.genders import GenderColumn
from contacts.importing.heading_words import CONCEPTS_BY_WORD, canonical_heading_words
from contacts.importing.headings import (
    MEANINGS_OF_CONSENT,
    Channel,
    Meaning,
    Whose,
    heading_is_of_second_surname,
    heading_is_unknown_or_names_notes,
    heading_may_deny,
    heading_names_any_messages,
    heading_names_calling_code,
    heading_names_messages_or_marketing,
    heading_names_notes,
    heading_names_only_place_of_phone,
    read_heading,
)
from contacts.importing.import_refused import Question
from contacts.importing.name_columns import (
    MIN_SHARE_OF_NAMES_APART,
    full_names_contain_parts,
    given_name_share,
    has_only_given_names,
    has_several_words,
    heading_names_company,
    holds_no_phones_emails_dates_or_answers,
    is_given_beside_other_name,
    is_name_with_or_without_remark,
    is_short_text_of_letters,
    looks_like_full_name,
    meaning_without_words,
    names_only_another_person,
    non_customer_words_in_heading,
    person_words_in_heading,
    two_numbered_halves_of_names,
    unknown_words_in_heading,
)
from contacts.importing.names import has_only_particles
from contacts.importing.phone_cells import PhoneReader, detect_phone_convention
from contacts.importing.refusing_cells import (
    cell_of_several_words_mentions_messages,
    cell_refuses_messages,
    phone_remark_refuses_messages,
    short_cell_forbids_something,
)
from contacts.models import Gender
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
MIN_NAME_SHARE = 0.8
MIN_PART_OF_NAME_HEADING = 2
# So many times as many usual given names must one of two columns have as the other one.
MIN_NAME_ORDER_MAJORITY = 2
MIN_PHONE_DIGITS = 7
MAX_NOTE_LENGTH = 1000
MIN_UNKNOWN_COUNTRIES = 0.2
MIN_SHARE_OF_COUNTRIES = 0.9  # under a heading that nobody knows
# A column of customer numbers counts up: this share of its steps is small.
SERIAL_STEP = 10
MIN_SERIAL_SHARE = 0.8
# How old the customers of a list without headings are, in years, if a column holds birthdays.
MIN_AGE, MAX_AGE = 12, 110
_REPEATED = re.compile(r" \(\d+\)$")  # `reading` numbers headings that are the same
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
    `notes_in_doubt` are columns of which some cells refuse or mention messages, and
    `consent_in_doubt` others of which nobody can tell whether they speak of consent.
    """

    fields: dict[str, list[int]]
    notes: list[str]
    questions: tuple[Question, ...] = ()
    notes_in_doubt: tuple[int, ...] = ()
    consent_in_doubt: tuple[int, ...] = ()

    @property
    def question(self) -> Question | None:
        """The first question, if there are any."""
        return next(iter(self.questions), None)


def guess_columns_and_questions(
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
            cells = list(filter(is_filled_and_not_placeholder, rows))
            columns.append(
                Column(position, text, read_heading(text), cells[:CONTENT_SAMPLE_ROWS], cells, rows)
            )
    has_headings = any(column.text != f"column {column.position + 1}" for column in columns)
    guess = ColumnGuesser(
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
    in_doubt = [
        question.position
        for question in guess.questions_on_consent
        if question.position is not None and question.position not in guess.notes_in_doubt
    ]
    return (
        ColumnGuess(
            fields,
            notes,
            tuple(guess.questions),
            tuple(guess.notes_in_doubt),
            tuple(in_doubt),
        ),
        next(iter(guess.questions_on_consent), None),
    )


def without_guessed_other_consent_if_consent_is_new(
    chosen: Mapping[str, Sequence[int]], guessed: Mapping[str, Sequence[int]]
) -> dict[str, list[int]]:
    """What a person chose, without columns of other consent that were guessed before it.

    The no of a newsletter counts as one to SMS only while no column is known to ask for SMS.

    Args:
        chosen: positions of columns by field, as chosen or kept.
        guessed: those of the plan in which the choice was made.
    """
    result = {field: list(positions) for field, positions in chosen.items()}
    if set(chosen.get("sms_consent", ())) - set(guessed.get("sms_consent", ())):
        before = set(guessed.get("other_consent", ()))
        result["other_consent"] = [
            position for position in result.get("other_consent", ()) if position not in before
        ]
    return {
        field: positions
        for field, positions in result.items()
        if positions or field != "other_consent"
    }


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
                ngettext(
                    "%(column)s: set aside, though %(count)s of its cells say no to messages or"
                    " speak of them",
                    "%(column)s: set aside, though %(count)s of its cells say no to messages or"
                    " speak of them",
                    count,
                )
                % {"column": headings[position], "count": format_count(count)}
            )
    return notes


class ColumnGuesser:
    """The state of one guess: each method decides about some of the columns."""

    def __init__(
        self,
        columns: Sequence[Column],
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
        self.notes_in_doubt: list[int] = []
        self.used: set[int] = set()
        self.sms_answers: list[Column] = []
        self.unclear_sms: list[Column] = []
        self.email_answers: list[Column] = []
        for column in self._ranked_columns_with_meaning(Meaning.SMS):
            if column.matching_share(looks_like_phone) >= MIN_VALUE_SHARE:
                continue
            if not column.cells and len(set(column.rows)) < 2:
                continue
            is_answered = column.consent_answer_share() >= MIN_VALUE_SHARE
            is_sure = column.heading.is_sure and not heading_may_deny(column.text)
            if is_answered and is_sure and not has_cross_of_unknown_sense(column):
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
        if not self.fields.get("country") and "country" not in chosen:
            self._add_question_on_possible_countries()
        self._add_questions_on_numbers_in_columns_of_consent()
        self._map_consent_columns_or_add_questions()
        self._add_questions_on_refused_data_processing()
        self._add_questions_on_unexplained_consent_details()
        self._ask_about_times_that_may_end_consent()
        self._add_questions_on_states_that_may_be_opt_outs()
        self._map_hidden_opt_outs_or_add_questions()

    def _ranked_columns_with_meaning(self, *meanings: Meaning) -> list[Column]:
        """Columns whose heading has one of these meanings, preferred first."""
        found = [column for column in self.columns if column.meaning in meanings]
        return sorted(found, key=lambda column: (column.heading.rank, column.position))

    def _assign_columns_to_field_and_mark_used(self, field: str, columns: Sequence[Column]) -> None:
        if columns:
            self.fields[field] = [column.position for column in columns]
            self.used |= {column.position for column in columns}

    def _unused_filled_columns(self, *meanings: Meaning) -> list[Column]:
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
                    self.notes.append(
                        gettext("%(column)s: not used as a phone number") % {"column": column.text}
                    )
            phones = [column for column in phones if column.heading.is_sure]
        if any(column.heading.whose == Whose.CUSTOMER and column.cells for column in phones):
            for column in phones:
                if column.heading.whose == Whose.RECEIVER and column.cells:
                    self.notes.append(
                        gettext("%(column)s: not used, it may be of another person")
                        % {"column": column.text}
                    )
            phones = [column for column in phones if column.heading.whose == Whose.CUSTOMER]
        phones = self._phones_of_first_person_adding_notes(phones)
        at_places = self._phones_at_places()
        if phones:
            self._assign_columns_to_field_and_mark_used("phone", [*phones, *at_places])
            return
        self._map_phones_by_cells_or_add_question(at_places)

    def _phones_at_places(self) -> list[Column]:
        """The phones under a word for where they stand, such as `Fixe`; some may be mobiles."""
        return [
            column
            for column in self._unused_filled_columns(Meaning.UNKNOWN, Meaning.OTHER)
            if heading_names_only_place_of_phone(column.text)
            and column.matching_share(_holds_phone) >= MIN_VALUE_SHARE
        ]

    def _holds_no_phones_adding_question_if_answers(self, column: Column) -> bool:
        """Whether a phone column holds none; asks about answers such as those of `No phone`."""
        if not column.cells or column.matching_share(_holds_phone) >= MIN_VALUE_SHARE:
            return False
        if column.meaning == Meaning.SMS:
            return True
        # A cross alone may say that there is a phone.
        is_answered = column.consent_answer_share() >= MIN_VALUE_SHARE and {*column.cells} != {"x"}
        if is_answered and len(set(column.rows)) > 1:
            if self.sms_answers and heading_or_cell_names_way_of_contact(column.text):
                self.notes.append(
                    gettext("%(column)s: not used as consent to SMS") % {"column": column.text}
                )  # `Viber`
                self.used.add(column.position)
            else:
                self._add_question_whether_column_is_consent(column)
        return is_answered

    def _phones_of_first_person_adding_notes(self, phones: list[Column]) -> list[Column]:
        """The phones of one person, where headings name several: `First name 2`, `Mobile 2`."""
        filled = [column for column in phones if column.cells]
        persons = {
            person_words_in_heading(column)
            for column in self.columns
            if column.meaning in (Meaning.FIRST_NAME, Meaning.FULL_NAME) and column.cells
        }
        if not filled or person_words_in_heading(filled[0]) not in persons:
            return phones
        others = persons - {person_words_in_heading(filled[0])}
        for column in filled:
            if person_words_in_heading(column) in others:
                self.notes.append(
                    gettext("%(column)s: not used, it may be of another person")
                    % {"column": column.text}
                )
        return [column for column in phones if person_words_in_heading(column) not in others]

    def _columns_of_person_with_phone(self, columns: list[Column]) -> list[Column]:
        """The columns of the person whose phone is used, where headings name several persons."""
        at = next(iter(self.fields.get("phone", ())), None)
        if at is None or len(set(map(person_words_in_heading, columns))) < 2:
            return columns
        person = next(
            person_words_in_heading(column) for column in self.columns if column.position == at
        )
        return [
            column for column in columns if person_words_in_heading(column) == person
        ] or columns

    def _columns_of_non_customer_with_phone(self, meaning: Meaning) -> list[Column]:
        """Columns of one whose phone is chosen and who is not the customer: `Parent surname`."""
        persons = {
            word for text in self.phone_headings for word in non_customer_words_in_heading(text)
        }
        if not persons:
            return []
        return [
            column
            for column in self.columns
            if persons & set(non_customer_words_in_heading(column.text))
            and (
                meaning_without_words(column.text, persons) == meaning
                or (meaning == Meaning.FULL_NAME and names_only_another_person(column))
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
                    gettext(
                        "the headings of names and phones come twice: put the second list below the"
                        " first, or say which column holds the phone numbers to import"
                    ),
                    "--map phone=COLUMN",
                )
            )

    def _map_phones_by_cells_or_add_question(self, at_places: list[Column]) -> None:
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
                    gettext(
                        "several columns could hold the phone number: %(columns)s; say which does"
                    )
                    % {"columns": names},
                    "--map phone=COLUMN",
                )
            )
        elif guardian := self._only_phone_of_guardians():
            self._assign_columns_to_field_and_mark_used("phone", [guardian])
            self.phone_headings = [guardian.text]
            self.is_of_guardians = True
            self.notes.append(
                gettext("%(column)s: the customer is the one whose number this is")
                % {"column": guardian.text}
            )
        elif at_places and not candidates:
            self._assign_columns_to_field_and_mark_used("phone", at_places)
        elif not candidates:
            names = ", ".join(column.text[:30] for column in self.columns[:10])
            self.questions.append(
                Question(
                    gettext(
                        "no column holds the phone number by its heading or cells: say which does;"
                        " the file has: %(columns)s"
                    )
                    % {"columns": names},
                    "--map phone=COLUMN",
                )
            )
        elif self.has_headings and _counts_up_in_small_steps(candidates[0]):
            self.questions.append(
                Question(
                    gettext(
                        "%(column)s may hold phone numbers or numbers that count up: say so if they"
                        " are phone numbers"
                    )
                    % {"column": candidates[0].text},
                    f"--map phone={candidates[0].position + 1}",
                    candidates[0].position,
                )
            )
        else:
            self._assign_columns_to_field_and_mark_used("phone", [*candidates, *at_places])
            self.notes.append(
                gettext("%(column)s: phone numbers, by its cells") % {"column": candidates[0].text}
            )

    def _mobile_or_signed_share(self, column: Column) -> float:
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
            if not is_filled_and_not_placeholder(cell):
                continue
            area_code = ""
            if area_code_at is not None and area_code_at < len(row):
                area_code = area_code_digits_or_empty(row[area_code_at])
            try:
                kind = reader.parse_or_raise_unusable(cell, country, area_code).kind
            except UnusableCell:
                continue
            count += kind == PhoneKind.MOBILE or cell.startswith("+")
        return count / len(column.all_cells)

    def _only_phone_of_guardians(self) -> Column | None:
        """The only phone column, of a child's parents, in a file that names no customer beside."""
        names = (Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.FULL_NAME, Meaning.NAME)
        if any(column.meaning in names and column.cells for column in self.columns):
            return None
        found = [
            column
            for column in self.columns
            if (persons := non_customer_words_in_heading(column.text))
            and all("guardian" in CONCEPTS_BY_WORD[person] for person in persons)
            and meaning_without_words(column.text, set(persons)) == Meaning.PHONE
            and column.matching_share(_holds_phone) >= MIN_VALUE_SHARE
        ]
        return found[0] if len(found) == 1 else None

    def _map_emails_by_heading_or_only_column(self) -> None:
        named = self._ranked_columns_with_meaning(Meaning.EMAIL)
        self.email_answers = list(filter(holds_answers_not_addresses, named))
        emails = self._columns_of_person_with_phone(
            [column for column in named if column not in self.email_answers]
            or self._columns_of_non_customer_with_phone(Meaning.EMAIL)
        )
        if not emails:
            emails = [
                column
                for column in self._unused_filled_columns(Meaning.UNKNOWN, Meaning.PERSON)
                if column.matching_share(looks_like_email) >= MIN_VALUE_SHARE
                # Customers share no address: `Booked by` has those of the staff.
                and len(set(column.cells)) * 2 > len(column.cells)
            ]
            emails = emails if len(emails) == 1 else []
        self._assign_columns_to_field_and_mark_used("email", emails)

    def _map_name_columns_by_heading_else_cells(self) -> None:  # noqa: C901 - in their order
        first, last, full = (
            columns_with_rank_of_first(
                self._columns_of_person_with_phone(self._ranked_columns_with_meaning(meaning))
            )
            for meaning in (Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.FULL_NAME)
        )
        plain = [
            column
            for column in self._ranked_columns_with_meaning(Meaning.NAME)
            if holds_no_phones_emails_dates_or_answers(column)
        ]
        if not (first or last or full or plain):
            first, last, full, plain = self._names_of_non_customer_with_phone()
        if not plain and not full and bool(first) != bool(last):
            plain = self._column_beside_under_part_of_heading((first or last)[0])
        if not plain and not full and not (first and last):
            plain = [
                column
                for column in self._unused_filled_columns(Meaning.PERSON)
                if column.matching_share(is_short_text_of_letters) >= MIN_VALUE_SHARE
                and not has_any_answer_and_not_only_yes(set(column.all_cells))
            ]
        halves = [] if first or last or full else two_numbered_halves_of_names(plain)
        plain = columns_with_rank_of_first(plain)
        if halves:
            first, last = self._first_and_last_of_halves_or_question(halves)
        elif plain and bool(first) != bool(last):
            # `Name` beside `Vorname` is the other half, unless it repeats the half that is known.
            if full_names_contain_parts(plain[0], (first or last)[0]):
                full = full or plain
            elif first:
                last = plain
            else:
                first = plain
        elif plain and not full:
            full = plain
        elif first and not (last or full) and _are_mostly_full_names(first[0]):
            first, full = [], first  # `Jméno` is the full name, too
        last = self._with_particles_of_names(self._last_name_then_second_surname_columns(last))
        if (
            first
            and not (last or full)
            and first[0].matching_share(looks_like_full_name) >= (MIN_NAME_SHARE)
        ):
            first, full = [], first  # `Jméno` is the full name, too
        if not (first or last or full):
            full = self._first_company_column_of_person_names() or self._full_names_by_cells()
        if not self.has_headings and self.used and not (first or last or full):
            first, last, full = self._names_without_headings()
        self._assign_columns_to_field_and_mark_used("first_name", first)
        self._assign_columns_to_field_and_mark_used("last_name", last)
        if not (first and last):
            self._assign_columns_to_field_and_mark_used("full_name", full)

    def _names_of_non_customer_with_phone(self) -> list[list[Column]]:
        """The first, last, full and plain names of the one whose number the file has."""
        names = (Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.FULL_NAME, Meaning.NAME)
        found = list(map(self._columns_of_non_customer_with_phone, names))
        return found if any(found) else list(map(self._columns_with_unknown_words_of_phone, names))

    def _columns_with_unknown_words_of_phone(self, meaning: Meaning) -> list[Column]:
        """Columns whose unknown words the only phone column has, too: `Kontaktdaten Vorname`."""
        phones = [c for c in self.columns if c.position in self.fields.get("phone", ())]
        if len(phones) != 1 or not (shared := unknown_words_in_heading(phones[0].text)):
            return []
        return [
            column
            for column in self.columns
            if unknown_words_in_heading(column.text) == shared
            and meaning_without_words(column.text, shared) == meaning
        ]

    def _column_beside_under_part_of_heading(self, half: Column) -> list[Column]:
        """The names beside first or last names, under a word that ends theirs: `Ad`, `Soyad`."""
        ending = fold_to_alphanumeric(half.text)
        return [
            column
            for column in self._unused_filled_columns(Meaning.UNKNOWN)
            if abs(column.position - half.position) == 1
            and ending.endswith(fold_to_alphanumeric(column.text))
            and len(column.text) >= MIN_PART_OF_NAME_HEADING
            and column.matching_share(is_short_text_of_letters) >= MIN_NAME_SHARE
        ][:1]

    def _first_and_last_of_halves_or_question(
        self, halves: list[Column]
    ) -> tuple[list[Column], list[Column]]:
        """Which of two columns, as `NAME1` and `NAME2`, has the first names, by usual ones."""
        shares = [given_name_share(column) for column in halves]
        if max(shares) <= MIN_NAME_ORDER_MAJORITY * min(shares):
            one, other = (column.position + 1 for column in halves)
            self.questions.append(
                Question(
                    gettext(
                        "%(column)s and %(other)s may hold the first and the last name: say which"
                        " is which, or that one of them holds the full name"
                    )
                    % {"column": halves[0].text, "other": halves[1].text},
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
    ) -> tuple[list[Column], list[Column], list[Column]]:
        """The columns of first, last and full names of a list without headings."""
        names = [
            column
            for column in self._unused_filled_columns(Meaning.UNKNOWN)
            if column.matching_share(is_name_with_or_without_remark) >= MIN_NAME_SHARE
            and not holds_mostly_answers_in_words(column)
            and (len(set(column.cells)) > 1 or len(column.cells) == 1)
            and not _holds_both_genders_in_words(column)
        ]
        if len(names) == 1 and names[0].matching_share(has_several_words) >= MIN_VALUE_SHARE:
            return [], [], names
        if not any(
            column.matching_share(has_only_given_names) >= MIN_VALUE_SHARE for column in names
        ):
            full = [
                c for c in names if c.matching_share(is_given_beside_other_name) >= MIN_VALUE_SHARE
            ]
            if full:
                return [], [], full[:1]
        if len(names) == 2 and given_name_share(names[1]) > given_name_share(names[0]):
            names.reverse()
        return names[:1], names[1:2], []

    def _last_name_then_second_surname_columns(self, last: list[Column]) -> list[Column]:
        """The columns of the last name, with those of a second family name behind them."""
        firsts = {
            person_words_in_heading(column)
            for column in self.columns
            if column.meaning == Meaning.FIRST_NAME
        }
        seconds = [
            column
            for column in self.columns
            if heading_is_of_second_surname(column.text)
            # `Last name 2` beside `First name 2` is another person's.
            and (not firsts or person_words_in_heading(column) not in firsts - {frozenset()})
        ]
        if not seconds or not any(column not in seconds for column in last):
            return last
        return [column for column in last if column not in seconds][:1] + seconds[:1]

    def _first_company_column_of_person_names(self) -> list[Column]:
        """A column of companies, if no other holds names and its cells are persons' names."""
        return [
            column
            for column in self.columns
            if heading_names_company(column.text)
            and column.matching_share(is_short_text_of_letters) >= MIN_NAME_SHARE
            and given_name_share(column) >= MIN_VALUE_SHARE
        ][:1]

    def _full_names_by_cells(self) -> list[Column]:
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
            and column.matching_share(looks_like_full_name) >= MIN_NAME_SHARE
            and given_name_share(column) >= MIN_VALUE_SHARE
        ]
        if len(found) != 1:
            return []
        self.notes.append(gettext("%(column)s: names, by its cells") % {"column": found[0].text})
        return found

    def _with_particles_of_names(self, last: list[Column]) -> list[Column]:
        """The column of last names, behind one of their small words such as `van der`."""
        particles = [
            column
            for column in self._unused_filled_columns(Meaning.UNKNOWN, Meaning.OTHER)
            if column not in last
            and column.matching_share(has_only_particles) == 1
            # `de` in each row is a language.
            and not (column.meaning == Meaning.OTHER and column.heading.is_sure)
            and not all(column.rows)
        ]
        return [*particles, *last] if len(particles) == 1 == len(last) else last

    def _map_genders_or_first_title_column(self) -> None:
        if self.is_of_guardians:
            return
        genders = columns_with_rank_of_first(self._ranked_columns_with_meaning(Meaning.GENDER))
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
                self.notes.append(
                    gettext("%(column)s: birthdays, by its cells") % {"column": column.text}
                )
        usable = []
        dependants = [column for column in self.columns if column.heading.whose == Whose.DEPENDANT]
        # Beside `Pet name` and without a `Pet birthday`.
        may_be_of_dependant = any(
            column.matching_share(is_word_but_no_answer) >= MIN_VALUE_SHARE for column in dependants
        ) and not any(
            column.matching_share(looks_like_date_with_year) >= MIN_VALUE_SHARE
            for column in dependants
        )
        for column in birthdays:
            if column.cells and column.matching_share(_is_day_and_month_or_bare_day) == 1:
                self.notes.append(
                    gettext("%(column)s: the dates have no year, so they are not used")
                    % {"column": column.text}
                )
                continue
            if column.cells and (may_be_of_dependant or _are_mostly_birthdays_of_children(column)):
                self._add_question_whose_birthdays(column)
            usable.append(column)
        self._assign_columns_to_field_and_mark_used("birthday", usable)

    def _add_question_whose_birthdays(self, column: Column) -> None:
        at = column.position + 1
        self.questions.append(
            Question(
                gettext(
                    "%(column)s may hold the birthdays of customers or of their children or pets:"
                    " say so if they are those of customers, else set the column aside"
                )
                % {"column": column.text},
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
                        gettext(
                            "%(column)s may hold the area codes of the phone numbers, which are not"
                            " valid without them: say so, or set it aside"
                        )
                        % {"column": column.text},
                        f"--map area_code={at} or --ignore {at}",
                        column.position,
                    )
                )
                return

    def _possible_area_code_columns(self) -> list[Column]:
        return [
            column
            for column in self._unused_filled_columns(*_MEANINGS_OF_POSSIBLE_AREA_CODES)
            if column.matching_share(area_code_digits_or_empty) >= MIN_VALUE_SHARE
        ]

    def _named_area_code_columns(self) -> list[Column]:
        """The columns of what is dialled before a number, unless they are those of countries."""
        return [
            column
            for column in self._possible_area_code_columns()
            if column.meaning == Meaning.AREA_CODE or heading_names_calling_code(column.text)
        ]

    def _columns_whose_area_codes_are_needed(
        self, columns: list[Column], phones: Sequence[int], *, needs_most: bool = False
    ) -> list[Column]:
        """Those of the columns without which numbers of a phone column are none."""
        positions = [column.position for column in columns]
        by_phone = area_code_column_by_phone_position(self.headings, phones, positions)
        needed = set()
        for phone, area_code in by_phone.items():
            countries = self._countries_of_rows(without=area_code.position)
            # Of many columns of numbers few rows must do.
            rows = CONTENT_SAMPLE_ROWS if needs_most else len(self.sample)
            needs = needs_by_phone_position(
                {phone: area_code}, self.sample[:rows], countries[:rows], self.region
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

    def _country_columns(self) -> list[Column]:
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

    def _add_question_on_possible_countries(self) -> None:
        """Ask about countries under a word that nobody knows, if numbers are not read without.

        A national number of another country may be a valid one of the store's.
        """
        phones = self.fields.get("phone") or self.chosen.get("phone", ())
        for column in self._unused_filled_columns(Meaning.UNKNOWN, Meaning.OTHER):
            regions = list(map(two_letter_country_or_empty, column.rows))
            if (
                column.heading.is_sure
                or self.region not in regions
                or any(cell.isdecimal() for cell in column.all_cells)
                or column.matching_share(two_letter_country_or_empty) < MIN_SHARE_OF_COUNTRIES
                or not any(
                    region not in ("", self.region)
                    and any(_is_national_number(row[at]) for at in phones if at < len(row))
                    for region, row in zip(regions, self.sample, strict=True)
                )
            ):
                continue
            at = column.position + 1
            self.questions.append(
                Question(
                    gettext(
                        "%(column)s may hold the countries of the phone numbers: say so, or set it"
                        " aside"
                    )
                    % {"column": column.text},
                    f"--map country={at} or --ignore {at}",
                    column.position,
                )
            )
            return

    def _add_questions_on_numbers_in_columns_of_consent(self) -> None:
        """Ask for another file if a column of opt-outs is a list of its own, of other numbers."""
        chosen = {at for field in CONSENT_FIELDS for at in self.chosen.get(field, ())}
        found = [
            at
            for at in range(len(self.headings))
            if (at in chosen or self._is_unused_column_of_consent(at))
            and _holds_numbers_of_other_rows(self.sample, at)
        ]
        for at in found:
            self.used.add(at)
            self.questions.append(
                Question(
                    gettext(
                        "%(column)s holds phone numbers that are not those of their rows: move them"
                        " to a file of their own, suppress them, and set the column aside"
                    )
                    % {"column": self.headings[at]},
                    f"--ignore {at + 1}",
                    at,
                )
            )

    def _is_unused_column_of_consent(self, position: int) -> bool:
        return any(
            column.position == position
            and position not in self.used
            and column.meaning in MEANINGS_OF_CONSENT | {Meaning.UNCLEAR_CONSENT}
            for column in self.columns
        )

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
            heading.channel == Channel.SMS and heading.meaning in (Meaning.CONSENT, Meaning.OPT_OUT)
            for heading in (
                *(column.heading for column in spoken),
                *(read_heading(self.headings[at]) for at in self.chosen.get("sms_opt_out", ())),
            )
        )
        has_marketing = has_sms or any(
            column.meaning in (Meaning.CONSENT, Meaning.OPT_OUT)
            and column.heading.is_sure
            and heading_names_messages_or_marketing(column.text)
            and column.consent_answer_share() >= MIN_VALUE_SHARE
            for column in spoken
        )
        found: dict[str, list[Column]] = {"sms_consent": [*self.sms_answers]}
        for column in spoken:
            field = consent_field_or_word_ask_or_empty(
                column, has_sms_consent_column=has_sms, has_marketing_consent_column=has_marketing
            )
            if field == "other_consent" and column.heading.channel == Channel.PRIVACY:
                self.notes.append(
                    gettext(
                        "%(column)s: a no or a blank gives no consent, a yes alone is none to SMS"
                    )
                    % {"column": column.text}
                )
            if field == "ask":
                self._add_question_whether_column_is_consent(column)
            elif field:
                found.setdefault(field, []).append(column)
            elif column.cells and column.meaning in (Meaning.CONSENT, Meaning.OPT_OUT):
                self.notes.append(
                    gettext("%(column)s: not used as consent to SMS") % {"column": column.text}
                )
        for column in self.unclear_sms:
            self._add_question_whether_column_is_consent(column)
        for column in self.email_answers:
            if has_sms:
                self.notes.append(
                    gettext("%(column)s: not used as consent to SMS") % {"column": column.text}
                )
            else:
                found.setdefault("other_consent", []).append(column)
        if not found["sms_consent"]:
            # A time of consent that some have tells who has given none.
            found["sms_consent"] = [
                column
                for column in spoken
                if column.meaning == Meaning.CONSENT_TIME
                and column.heading.channel not in CHANNELS_OF_OTHER_THINGS
                and column.matching_share(looks_like_date_with_year) >= MIN_VALUE_SHARE
                and not all(map(is_filled_and_not_placeholder, column.rows))
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
            reader = build_consent_reader(column.all_cells, heading=column.text)
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
            is_other = column.heading.channel in CHANNELS_OF_OTHER_THINGS
            if column.meaning == Meaning.OPT_OUT_DETAIL:
                reasons = column.row_indexes_matching(is_filled_and_not_placeholder)
                in_doubt = reasons - self._row_indexes_with_opt_out()
                is_asked = bool(in_doubt) and not (is_other and has_consent)
            else:
                # Who has no source of consent, or an invalid one, may have given none.
                is_asked = not (has_consent or is_other) and (
                    not all(map(is_filled_and_not_placeholder, column.rows))
                    or has_any_answer_and_not_only_yes(set(column.all_cells))
                )
            if is_asked:
                self._add_question_whether_column_is_consent(column)

    def _ask_about_times_that_may_end_consent(self) -> None:
        """Ask about dates or marks of consents, in words not all known, that few have who agreed.

        Who agreed has a time of it; few have one of taking it back.
        """
        for column in self._unused_filled_columns(Meaning.CONSENT_TIME, Meaning.CONSENT):
            if column.heading.is_sure or column.heading.channel in CHANNELS_OF_OTHER_THINGS:
                continue
            dated = column.row_indexes_matching(looks_like_date_with_year)
            if column.meaning == Meaning.CONSENT and len(set(column.all_cells)) == 1:
                dated = column.row_indexes_matching(bool)
            agreeing = self._row_numbers_with_consent()
            if dated - self._row_indexes_with_opt_out() and len(dated & agreeing) * 2 <= len(
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
            for reader in [build_consent_reader(column.all_cells, heading=column.text)]
            for row, cell in enumerate(column.rows)
            if reader.read(cell).consent == Consent.AGREES
        }

    def _status_columns_of_clear_subscription_states(self) -> list[Column]:
        """Columns of states that say who is unsubscribed."""
        return [
            column
            for column in self._ranked_columns_with_meaning(Meaning.STATUS)
            if any(
                cell_refuses_messages(state) or is_subscription_state(state)
                for state in set(column.all_cells)
            )
            and all(map(means_same_under_consent_and_opt_out_heading, set(column.all_cells)))
            and not has_unknown_state_with_known_opposite(column)
        ]

    def _add_questions_on_states_that_may_be_opt_outs(self) -> None:
        """Ask about columns by which somebody may be meant to get no messages."""
        for column in self._unused_filled_columns(Meaning.STATUS, Meaning.PERSON, Meaning.ENDED):
            if len(column.all_cells) > 2 and _counts_up_in_small_steps(column):
                continue  # numbers of customers
            in_doubt = set()
            if column.meaning == Meaning.ENDED:
                in_doubt = column.row_indexes_matching(
                    lambda cell: OPT_OUT_READER.read(cell).consent > Consent.SILENT
                )
            else:
                in_doubt = row_indexes_of_negated_values(column)
                is_of_unknown_thing = (
                    not column.heading.is_sure and holds_two_values_or_dates_and_blanks(column)
                )  # `Status zgody`
                if column.meaning == Meaning.STATUS and (
                    holds_several_one_letter_codes(column) or is_of_unknown_thing
                ):
                    in_doubt |= column.row_indexes_matching(bool)
                if has_any_answer_and_not_only_yes(set(column.all_cells)):
                    in_doubt |= column.row_indexes_matching(
                        lambda cell: (
                            looks_like_date_with_year(cell)
                            or CONSENT_READER.read(cell).consent not in WILLING
                        )
                    )
            if in_doubt - self._row_indexes_with_opt_out():
                self._add_question_whether_column_is_consent(column)

    def _add_question_whether_column_is_consent(self, column: Column) -> None:
        at = column.position + 1
        text = gettext(
            "%(column)s may say who agreed to SMS or who did not: say whether it holds consent to"
            " SMS or opt-outs, or set it aside"
        )
        if holds_few_short_codes(column) and column.consent_answer_share() < 1:
            text = gettext(
                "%(column)s may say who agreed to SMS or who did not: say whether it holds consent"
                " to SMS or opt-outs, or set it aside; if its codes are not read, write into its"
                " heading what they mean: (1 = yes)"
            )
        elif any(map(channels_if_cell_lists_only_channels, set(column.all_cells))):
            text = gettext(
                "%(column)s may say who agreed to SMS or who did not: say whether it holds consent"
                " to SMS or opt-outs, or set it aside; as consent, a way of contact that is not SMS"
                " gives none"
            )
        other = ""
        if column.heading.channel == Channel.PRIVACY:
            text = gettext(
                "%(column)s may say who agreed to SMS or who did not: say whether it holds consent"
                " to SMS or opt-outs, or set it aside; as consent to something else, its no counts"
                " and its yes is none to SMS"
            )
            other = f"--map other_consent={at}, "
        self._add_question_on_consent(
            Question(
                text % {"column": column.text},
                f"--map sms_consent={at}, --map sms_opt_out={at}, {other}or --ignore {at}"
                if other
                else f"--map sms_consent={at}, --map sms_opt_out={at} or --ignore {at}",
                column.position,
            )
        )

    def _add_question_on_cells_refusing_messages(self, column: Column) -> None:
        """Ask about a column of notes, tags or kinds, of which some cells refuse messages."""
        self.notes_in_doubt.append(column.position)
        at = column.position + 1
        count = len(column.row_indexes_matching(refuses_forbids_or_mentions_messages))
        self._add_question_on_consent(
            Question(
                gettext(
                    "%(column)s may say who agreed to SMS or who did not (cells that refuse or"
                    " mention messages: %(count)s): say whether it holds notes, of which each that"
                    " refuses is an opt-out and each that is not clear gives no consent, or consent"
                    " to SMS, or opt-outs, or set it aside"
                )
                % {"column": column.text, "count": format_count(count)},
                f"--map notes={at}, --map sms_consent={at}, --map sms_opt_out={at} or "
                f"--ignore {at}",
                column.position,
            )
        )

    def _add_question_on_consent(self, question: Question) -> None:
        if question.position in [asked.position for asked in self.questions_on_consent]:
            return
        self.questions.append(question)
        self.questions_on_consent.append(question)

    def _row_indexes_with_opt_out(self) -> set[int]:
        """The rows of the sample in which a column of consent says no."""
        readers = {
            "sms_consent": CONSENT_READER,
            "other_consent": CONSENT_READER,
            "sms_opt_out": OPT_OUT_READER,
        }
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
            (
                heading_names_messages_or_marketing(column.text)
                and column.position in self.fields.get("sms_consent", ())
            )
            or (
                # A bar to advertising that is answered for everybody, such as `Werbesperre`.
                column.meaning == Meaning.OPT_OUT
                and column.heading.channel in (Channel.SMS, Channel.ANY)
                and column.position in self.fields.get("sms_opt_out", ())
                and all(column.rows)
            )
            for column in self.columns
        )

    def _answers_as_sms_consent_for_other_channel(self, column: Column) -> bool:
        """Whether only the way of contact tells its heading from that of a consent to SMS.

        `E-posta İzni` beside `SMS İzni`, in whatever language.
        """
        if not (words := words_without_ways_of_contact(column.text)):
            return False
        return names_other_way_than_sms(column.text) and any(
            words_without_ways_of_contact(self.headings[position]) == words
            for position in (
                *self.chosen.get("sms_consent", ()),
                *self.fields.get("sms_consent", ()),
            )
        )

    def _has_notes_on_messages_in_undecided_rows(self, column: Column) -> bool:
        return (
            heading_is_unknown_or_names_notes(column.text)
            and not holds_mostly_answers_in_words(column)
            and bool(
                column.row_indexes_matching(cell_of_several_words_mentions_messages)
                - self._row_indexes_with_opt_out()
            )
        )

    def _may_hold_consent_in_other_words(self, column: Column) -> bool:
        """Whether a column that is not understood tells customers apart as a consent does."""
        is_known = (
            column.meaning != Meaning.UNKNOWN
            and column.heading.is_sure
            and not heading_or_cell_names_way_of_contact(column.text)
        )
        if not is_known and holds_answers_in_words(column):
            return True
        if not self.has_headings and set(column.all_cells) == {"0", "1"}:
            return True
        if (
            column.meaning == Meaning.UNKNOWN
            and holds_two_values_or_dates_and_blanks(column)
            and not self._mapped_status_column_is_filled_in_all_rows()
        ):
            return True
        if not column.heading.is_sure and may_answer_for_messages(column):
            return True
        if not column.heading.is_sure and (
            holds_recent_dates_of_few(column)  # of taking back a consent, say
            or (
                heading_names_any_messages(column.text)
                and holds_two_values_or_dates_and_blanks(column)
            )
        ):
            return True
        return (not column.heading.is_sure and bool(row_indexes_of_negated_values(column))) or (
            not self.fields.get("sms_consent") and names_channels_but_not_always_sms(column)
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
                answers_only_for_other_channel_or_purpose(column)
                or self._answers_as_sms_consent_for_other_channel(column)
            ):
                self.notes.append(
                    gettext("%(column)s: not used as consent to SMS") % {"column": column.text}
                )
                continue
            rows_of_no = column.row_indexes_matching(
                lambda cell: len(cell) <= MAX_NOTE_LENGTH and cell_refuses_messages(cell)
            )
            if repeats_few_values(column):
                forbidding = set(filter(short_cell_forbids_something, set(column.all_cells)))
                rows_of_no |= column.row_indexes_matching(forbidding.__contains__)
            if rows_of_no and rows_of_no - self._row_indexes_with_opt_out():
                if states_mean_same_under_any_heading(column):
                    self.fields.setdefault("sms_opt_out", []).append(column.position)
                    self.notes.append(
                        gettext("%(column)s: opt-outs, by its cells") % {"column": column.text}
                    )
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


def _are_mostly_full_names(column: Column) -> bool:
    return column.matching_share(looks_like_full_name) >= MIN_NAME_SHARE


def _holds_parts_of_country(column: Column, region: str) -> bool:
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


def _holds_phone(cell: str) -> bool:
    """Whether the cell is a phone number, alone or with a remark: `6944000235 (no SMS)`."""
    return looks_like_phone(cell) or (
        sum(map(str.isdecimal, cell)) >= MIN_PHONE_DIGITS and phone_remark_refuses_messages(cell)
    )


def _is_national_number(cell: str) -> bool:
    return looks_like_phone(cell) and not cell.strip().startswith(("+", "00"))


def _holds_numbers_of_other_rows(rows: Sequence[Sequence[str]], position: int) -> bool:
    """Whether the cells of a column are phone numbers, and some are not those of their rows.

    Times as programs count them, in seconds or milliseconds, look like numbers.
    """
    filled = [
        (cell, row)
        for row in rows
        if position < len(row) and is_filled_and_not_placeholder(cell := row[position].strip())
    ]
    numbers = [(cell, row) for cell, row in filled if looks_like_phone(cell)]
    if not numbers or all(_EPOCH.fullmatch(cell) for cell, _ in numbers):
        return False
    return len(numbers) >= MIN_VALUE_SHARE * len(filled) and any(
        not any(
            _digits_of(other).endswith(_digits_of(cell)[-MIN_PHONE_DIGITS:])
            for at, other in enumerate(row)
            if at != position
        )
        for cell, row in numbers
    )


def _digits_of(cell: str) -> str:
    return "".join(filter(str.isdecimal, cell))


_EPOCH = re.compile(r"1\d{9}(?:\d{3})?(?:\.\d+)?")


def _looks_like_phones(cell: str) -> bool:
    """Whether the cell is a phone number, or several with signs between them."""
    return all(map(looks_like_phone, _BETWEEN_PHONES.split(cell)))


_BETWEEN_PHONES = re.compile(r"\s*[;,/|]\s*|\s+[-–]\s+")


def _counts_up_in_small_steps(column: Column) -> bool:
    """Whether the cells are whole numbers that mostly count up by small steps."""
    numbers = [int(cell) for cell in column.cells if cell.isdecimal()]
    if len(numbers) < max(2, len(column.cells) * MIN_VALUE_SHARE):
        return False
    steps = [after - before for before, after in pairwise(numbers)]
    return sum(0 < step <= SERIAL_STEP for step in steps) >= MIN_SERIAL_SHARE * len(steps)


def _gender_share(column: Column) -> float:
    reader = GenderColumn(column.text, column.cells)

    def is_gender(cell: str) -> bool:
        try:
            return reader.parse_or_raise_unusable(cell) is not None
        except UnusableCell:
            return False

    return column.matching_share(is_gender)


def _holds_both_genders_in_words(column: Column) -> bool:
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


def _are_all_birthdays_of_adults(column: Column) -> bool:
    """Whether the years of the dates are those of adults."""
    ages = _ages_from_years_in_cells(column)
    return bool(ages) and all(MIN_AGE <= age <= MAX_AGE for age in ages)


def _are_mostly_birthdays_of_children(column: Column) -> bool:
    """Whether most of the dates are too late for birthdays of customers."""
    ages = _ages_from_years_in_cells(column)
    return sum(0 <= age < MIN_AGE for age in ages) * 2 > len(ages)


def _ages_from_years_in_cells(column: Column) -> list[int]:
    this_year = date.today().year
    return [
        this_year - int(year) for cell in column.cells for year in YEAR_IN_CELL.findall(cell)[:1]
    ]
