"""Who says no on the sheets of a workbook that are not imported (rules.md#import).

A no counts for a person of the imported sheet wherever it stands in the workbook.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from django.utils.translation import gettext

from astronote.common.counts import format_count
from contacts.importing import mapping, reading
from contacts.importing.cells import looks_like_email
from contacts.importing.consent_cells import Consent, ConsentCell
from contacts.importing.import_refused import ImportRefused
from contacts.importing.number_columns import NumberColumns
from contacts.importing.reading import FileReader, Layout
from contacts.importing.refusing_cells import title_names_former_people, title_names_opt_outs
from contacts.importing.validating import ContactRow, Rejection, build_reader_of_consent
from contacts.models import DateOrder

SAMPLE_ROWS = 10_000
NUMBER_SAMPLE_ROWS = 1000
ROWS_BETWEEN_LOOKS_AT_CLOCK = 1000
MAX_OTHER_SHEETS = 50
# They are held in memory while the list is imported.
MAX_PEOPLE_WHO_MAY_SAY_NO = 100_000
LINES_NAMED = 10

ValidateRow = Callable[[list[str]], ContactRow | Rejection]


@dataclass
class OtherSheets:
    """What the other sheets of a workbook say of people, and notes for the person who imports.

    `by_phone` and `by_email` have who says no or is in doubt; an e-mail address stands for a person
    whose row has no number.
    """

    by_phone: dict[str, ConsentCell] = field(default_factory=dict)
    by_email: dict[str, ConsentCell] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def opted_out_phones(self) -> list[str]:
        """The numbers of people who say no, in E.164."""
        return [phone for phone, said in self.by_phone.items() if said.consent == Consent.OPTED_OUT]

    def overrule_consent_of(self, validate_row: ValidateRow) -> ValidateRow:
        """The function, whose rows say no where the other sheets do."""
        if not self.by_phone and not self.by_email:
            return validate_row

        def validate(cells: list[str]) -> ContactRow | Rejection:
            row = validate_row(cells)
            if isinstance(row, Rejection):
                return row
            for said in (self.by_phone.get(row.phone), self.by_email.get(row.email.lower())):
                if said and said.consent > row.consent:
                    row = replace(row, consent=said.consent, said_at=said.at)
            return row

        return validate


def read_other_sheets_or_refuse(
    path: Path,
    layout: Layout,
    fields: Mapping[str, Sequence[int]],
    region: str,
    zone: tzinfo,
    *,
    max_seconds: float | None = None,
) -> OtherSheets:
    """Read who says no on the sheets of a workbook that are not imported, hidden ones too.

    Everybody says no on a sheet whose name or title names opt-outs, but those of whom a column says
    otherwise by which others say no. People who have left, and those of whom nobody can tell what
    a column says of them, give no consent.

    Args:
        path: the file; one that is no workbook has no other sheets.
        layout: of the sheets that are imported.
        fields: positions of their columns by field. Beside a consent to SMS, a no to other messages
            on another sheet does not count.
        region: two-letter country of national phone numbers.
        zone: the store's time zone.
        max_seconds: after so many no further rows are read, as while a person waits; None to read
            all, as an import must.

    Raises:
        ImportRefused: if somebody says no of whom a sheet has neither a number nor an e-mail
            address, or if there are too many sheets, or people on them who may say no.
    """
    others = OtherSheets()
    if layout.kind != "xlsx":
        return others
    visible, hidden = reading.read_names_of_visible_and_hidden_filled_sheets_or_refuse(path)
    names = [name for name in (*visible, *hidden) if name not in layout.sheets]
    if len(names) > MAX_OTHER_SHEETS:
        raise ImportRefused(
            gettext(
                "the workbook has %(count)s other sheets, and somebody may say no on each of them:"
                " save the list in a workbook of its own"
            )
            % {"count": format_count(len(names))}
        )
    deadline = None if max_seconds is None else time.monotonic() + max_seconds
    ignores_other_consent = bool(fields.get("sms_consent"))
    for name in names:
        sheet = reading.layout_of_sheet_or_refuse(path, name, layout.largest_bytes)
        reader = _SheetReader(path, sheet, region, zone, ignores_other_consent)
        said = reader.read_or_refuse(deadline)
        note = (
            gettext("hidden sheet %(sheet)s: not imported")
            if name in hidden
            else gettext("sheet %(sheet)s: not imported")
        ) % {"sheet": name}
        others.notes.append("; ".join([note, *said.notes]))
        for known, new in ((others.by_phone, said.by_phone), (others.by_email, said.by_email)):
            for key, cell in new.items():
                if key not in known or known[key].consent < cell.consent:
                    known[key] = cell
        _refuse_if_too_many(len(others.by_phone) + len(others.by_email), name)
    return others


def _refuse_if_too_many(people: int, sheet: str) -> None:
    if people > MAX_PEOPLE_WHO_MAY_SAY_NO:
        raise ImportRefused(
            gettext(
                "more than %(count)s people on sheets that are not imported say no to messages, or"
                " may (sheet %(sheet)s): import their numbers as suppressions, and remove these"
                " sheets from the workbook"
            )
            % {"count": format_count(MAX_PEOPLE_WHO_MAY_SAY_NO), "sheet": sheet}
        )


class _PersonOfSheet(NamedTuple):
    """A row of a sheet: who it is, what its columns say of consent, and the titles above it."""

    line: int
    phones: list[str]
    emails: list[str]
    said: ConsentCell
    title: Consent
    has_answer: bool


class _SheetReader:
    """Reads who says no on one sheet."""

    def __init__(
        self,
        path: Path,
        layout: Layout,
        region: str,
        zone: tzinfo,
        ignores_other_consent: bool,
    ) -> None:
        self.layout, self.name = layout, layout.sheets[0]
        self.rows_counted = 0  # if there was no time for all
        self.rows = FileReader(path, layout)
        sample = list(islice(self.rows, SAMPLE_ROWS))
        cells = [row for _, row in sample]
        self.numbers = NumberColumns(layout, sample[:NUMBER_SAMPLE_ROWS], region)
        guess = mapping.guess_columns_and_questions(layout.headings, cells, region)
        fields = dict(guess.fields) | {
            "phone": self.numbers.positions,
            "notes": [*guess.fields.get("notes", ()), *guess.notes_in_doubt],
        }
        if ignores_other_consent:
            fields.pop("other_consent", None)
        self.consent_of = build_reader_of_consent(
            layout.headings, fields, DateOrder.ISO, region, sample=cells, zone=zone
        )
        self.consents_at = [at for each in mapping.CONSENT_FIELDS for at in fields.get(each, ())]
        self.answers_at = [*fields.get("sms_consent", ()), *fields.get("sms_opt_out", ())]
        self.doubts_at = guess.consent_in_doubt
        # A sheet of something else, such as a legend of codes, is about nobody.
        self.is_of_people = bool(
            self.numbers.positions
            or any(guess.fields.get(each) for each in ("email", "first_name", "full_name"))
        )

    def read_or_refuse(self, deadline: float | None) -> OtherSheets:
        """Who says no or is in doubt, with what a person is told about it."""
        people = self._people_who_say_no_or_are_in_doubt(deadline)
        refusing = [each for each in people if each.said.consent == Consent.OPTED_OUT]
        if nameless := [each.line for each in refusing if not (each.phones or each.emails)]:
            raise ImportRefused(
                gettext(
                    "people on sheet %(sheet)s say no to messages, and some of its rows have"
                    " neither a phone number nor an e-mail address (%(lines)s): add them; or take"
                    " these people out of the list and remove their rows"
                )
                % {
                    "sheet": self.name,
                    "lines": ", ".join(map(format_count, nameless[:LINES_NAMED])),
                }
            )
        found = OtherSheets(notes=self._notes(people, refusing))
        for each in people:
            known, keys = (
                (found.by_phone, each.phones) if each.phones else (found.by_email, each.emails)
            )
            for key in keys:
                if key not in known or known[key].consent < each.said.consent:
                    known[key] = each.said
        return found

    def _notes(
        self, people: Sequence[_PersonOfSheet], refusing: Sequence[_PersonOfSheet]
    ) -> list[str]:
        notes = []
        if self.rows_counted:
            notes.append(
                gettext("counted so far, in its first %(count)s rows; the import reads all")
                % {"count": format_count(self.rows_counted)}
            )
        if refusing:
            notes.append(
                gettext("people on it who say no and are opted out: %(count)s")
                % {"count": format_count(len(refusing))}
            )
        if by_email := sum(not each.phones for each in refusing):
            notes.append(
                gettext(
                    "of them without a number, and found by their e-mail address in the list:"
                    " %(count)s"
                )
                % {"count": format_count(by_email)}
            )
        if in_doubt := len(people) - len(refusing):
            columns = ", ".join(self.layout.headings[at] for at in self.doubts_at)
            notes.append(
                gettext(
                    "people on it who get no consent, because nobody can tell whether they say no:"
                    " %(count)s (%(where)s); import this sheet by itself to say what it holds, or"
                    " remove it from the workbook"
                )
                % {"count": format_count(in_doubt), "where": columns or self.name}
            )
        return notes

    def _people_who_say_no_or_are_in_doubt(self, deadline: float | None) -> list[_PersonOfSheet]:
        titles = [
            self.name,
            *(text for _, text in self.layout.titles),
            *(self.layout.headings[at] for at in self.numbers.positions),  # `No SMS to:`
        ]
        title = max(map(_consent_by_title, titles))
        if not self.is_of_people and title == Consent.SILENT:
            return []
        people = []
        rows = self._numbered_rows_with_numbers_in_headings()
        for count, (line, cells) in enumerate(rows, 1):
            if (
                deadline is not None
                and not count % ROWS_BETWEEN_LOOKS_AT_CLOCK
                and time.monotonic() > deadline
            ):
                self.rows_counted = count
                break
            said = self._said_in_row(cells)
            texts = [cell.strip() for cell in cells if cell.strip()]
            if max(said.consent, title) <= Consent.AGREES and len(texts) > 1:
                continue
            phones = self.numbers.find_all_possible_numbers_of_row(cells)
            emails = [text.lower() for text in texts if looks_like_email(text)]
            if len(texts) == 1 and not (phones or emails) and _consent_by_title(texts[0]) > title:
                title = _consent_by_title(texts[0])
                continue
            if max(said.consent, title) > Consent.AGREES:
                has_answer = _is_any_filled(cells, self.answers_at)
                people.append(_PersonOfSheet(line, phones, emails, said, title, has_answer))
                _refuse_if_too_many(len(people), self.name)
        tells_apart = any(person.said.consent == Consent.OPTED_OUT for person in people)
        return [
            person
            if person.said.consent >= person.title
            else person._replace(said=ConsentCell(person.title))
            for person in people
            if person.said.consent > Consent.AGREES or not (tells_apart and person.has_answer)
        ]

    def _said_in_row(self, cells: list[str]) -> ConsentCell:
        """What the columns of consent say; those that nobody understands put a person in doubt."""
        said = self.consent_of(cells)
        if said.consent == Consent.WITHHELD and not _is_any_filled(cells, self.consents_at):
            said = ConsentCell(Consent.SILENT)  # a blank is no no
        if said.consent < Consent.WITHHELD and _is_any_filled(cells, self.doubts_at):
            said = ConsentCell(Consent.WITHHELD)
        return said

    def _numbered_rows_with_numbers_in_headings(self) -> Iterator[tuple[int, list[str]]]:
        headings = list(self.layout.headings)
        if self.numbers.find_all_possible_numbers_of_row(headings):
            yield self.layout.skip, headings
        yield from self.rows


def _is_any_filled(cells: Sequence[str], positions: Sequence[int]) -> bool:
    return any(at < len(cells) and cells[at].strip() for at in positions)


def _consent_by_title(text: str) -> Consent:
    """What a name of a sheet or a title says of the people below it."""
    if not any(map(str.isalpha, text)):
        return Consent.SILENT
    if title_names_opt_outs(text):
        return Consent.OPTED_OUT
    return Consent.WITHHELD if title_names_former_people(text) else Consent.SILENT
