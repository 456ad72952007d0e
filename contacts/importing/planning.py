"""Planning an import: layout, mapping and a preview of the first rows; no contact is written."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.models import User
from contacts.importing import dates, files, mapping, reading
from contacts.importing.code_legends import without_legend
from contacts.importing.column_legends import divide_rows_and_legends, headings_with_legends
from contacts.importing.consent_cells import Consent
from contacts.importing.custom_cells import (
    PREFIX,
    CustomCells,
    is_custom,
    map_unused_columns,
    without_custom_fields,
)
from contacts.importing.headings import REJECTION_HEADING
from contacts.importing.import_refused import ImportRefused
from contacts.importing.other_sheets import OtherSheets, read_other_sheets_or_refuse
from contacts.importing.reading import Layout
from contacts.importing.refusals import Refusals
from contacts.importing.refusing_cells import title_names_opt_outs_or_former_people
from contacts.importing.validating import (
    ContactRow,
    Refusal,
    Rejection,
    build_reader_of_consent,
    build_reader_of_refusals_and_withheld_consents,
    build_row_validator,
)
from contacts.models import Contact, ContactImport, DateOrder, Gender, ImportStatus
from contacts.phones import PhoneKind, phone_region_of_store_or_default

SAMPLE_ROWS = 10_000
PREVIEW_ROWS = 20
ODD_ROWS_SHOWN = 20
MIN_HEADINGS = 3  # so many cells of a row that are headings show a second table
# Totals are counted while a person waits: a file that takes longer is counted in part.
MAX_COUNTING_SECONDS = 10.0
EXAMPLE_LENGTH = 40
EXAMPLES_SHOWN = 3
# IMPORT_MAX_MB limits the file as it was uploaded. A compressed file or a workbook may unpack to
# this many times as much: more than a customer list needs, and still a bound on a worker's time.
MAX_UNPACKED_FACTOR = 10


CONSENT_TEXTS = {
    Consent.SILENT: "",
    Consent.AGREES: _("yes"),
    Consent.WITHHELD: _("not given"),
    Consent.OPTED_OUT: _("opted out"),
}


class RowResult(models.TextChoices):
    """What an import would do with a row."""

    NEW = "new", _("new")
    KNOWN = "known", _("known")
    DUPLICATE = "duplicate", _("duplicate")
    REJECTED = "rejected", _("rejected")


class RowPreview(NamedTuple):
    """What an import would do with one row.

    `stored` has the values that would be stored, as text by field. A rejected row has the heading
    and the reason; a row that is kept without some of its cells has the reasons.
    """

    line: int
    cells: list[str]
    result: RowResult
    column: str = ""
    reason: str = ""
    stored: dict[str, str] = {}


@dataclass
class ImportTotals:
    """What an import would do with the rows of a file, counted without writing.

    `rejected` and `kept` count rows by reason; `is_complete` is False if counting the whole file
    takes too long.
    """

    rows: int = 0
    agreeing: int = 0
    opted_out: int = 0
    cannot_receive: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    is_complete: bool = True

    @property
    def rejected_rows(self) -> int:
        """How many rows would be rejected; in a template `rejected.total` is a missing reason."""
        return self.rejected.total()


class PlannedColumn(NamedTuple):
    """A column, the field that it holds, empty if none, and its first cells that are filled."""

    position: int
    heading: str
    field: str
    examples: tuple[str, ...]


class ImportPlan(NamedTuple):
    """How a file would be imported; `refusal` says what a person must answer or mend first.

    `mapping` has positions of columns by field. `date_order` is a DateOrder, or "" if unknown.
    `odd_rows` are rows after the first ones that would be rejected or lose a cell.
    """

    layout: Layout
    mapping: dict[str, list[int]]
    date_order: str
    notes: list[str]
    refusal: ImportRefused | None
    preview_rows: list[RowPreview]
    odd_rows: list[RowPreview]
    totals: ImportTotals
    columns: list[PlannedColumn]

    @property
    def unused_filled_columns(self) -> list[PlannedColumn]:
        """The filled columns that the import does not use."""
        return [column for column in self.columns if column.examples and not column.field]


def plan_import_or_refuse(
    path: Path,
    owner: User,
    *,
    has_header: bool | None = None,
    chosen: Mapping[str, Sequence[int]] | None = None,
    date_order: str = "",
    encoding: str = "",
    sheet: str = "",
    file_name: str = "",
    with_preview: bool = True,
) -> ImportPlan:
    """Plan how a file would be read and mapped, with a preview of its first rows and totals.

    What is not chosen is taken from the store's last import of the same headings, or guessed.

    Args:
        path: the file.
        owner: the store.
        has_header: whether a row holds headings; None to decide by the cells.
        chosen: positions of columns by field, instead of a guess; `ignored` has the columns that
            speak of consent and that a person set aside.
        date_order: the order of birthdays, a DateOrder; "" to detect it.
        encoding: of the text; "" to detect it.
        sheet: the name of a workbook's sheet; "" for the only list in it.
        file_name: the file's name, which may say that it is a list of opt-outs.
        with_preview: whether rows are shown and counted, which reads the whole file.

    Raises:
        ImportRefused: if the file as a whole cannot be used.
    """
    region = phone_region_of_store_or_default(owner)
    layout = reading.detect_layout_or_refuse(
        path,
        has_header=has_header,
        encoding=encoding,
        sheet=sheet,
        region=region,
        largest_bytes=max_unpacked_bytes(),
    )
    sample = [
        (line, cells)
        for line, cells in islice(reading.FileReader(path, layout), SAMPLE_ROWS)
        if not files.is_erased_row(cells)
    ]
    sample_cells = [cells for _, cells in sample]
    layout = _with_legends_of_rows(layout, sample_cells)
    notes = list(layout.notes)
    if chosen is None and (last_used := _last_completed_mapping_of_same_headings(owner.pk, layout)):
        chosen = last_used
        notes.append(gettext("mapped as in the last import of these columns"))
    fixed = None if chosen is None else without_custom_fields(chosen)
    guess = mapping.guess_columns_and_questions(layout.headings, sample_cells, region, fixed)
    notes += guess.notes
    fields = guess.fields
    custom_fields = (
        map_unused_columns(owner, layout.headings, fields)
        if chosen is None
        else {name: list(positions) for name, positions in chosen.items() if is_custom(name)}
    )
    questions = list(guess.questions)
    refusal = (
        None
        if questions
        else _refusal_if_titles_name_opt_outs(file_name, layout, fields, sample, region)
        or _refusal_if_row_repeats_moved_headings(layout, sample)
    )
    if not refusal and not date_order:
        try:
            date_order = _detect_birthday_order_or_iso_or_refuse(fields, sample)
        except ImportRefused as error:
            questions += error.questions
            refusal = None if error.questions else error
    if questions and not refusal:
        refusal = ImportRefused(questions)
    others = OtherSheets()
    try:
        others = read_other_sheets_or_refuse(
            path,
            layout,
            fields,
            region,
            ZoneInfo(owner.timezone),
            max_seconds=MAX_COUNTING_SECONDS,
        )
    except ImportRefused as error:
        refusal = refusal or error
    notes += others.notes
    preview_rows: list[RowPreview] = []
    odd_rows: list[RowPreview] = []
    totals = ImportTotals()
    if with_preview and not refusal:
        validate_row = build_row_validator(
            layout.headings,
            fields,
            date_order,
            region,
            sample=sample_cells,
            zone=ZoneInfo(owner.timezone),
        )
        custom = CustomCells.of_mapping(owner, layout.headings, custom_fields)
        validate_row = others.overrule_consent_of(_with_custom_cells(validate_row, custom))
        read_refusals = build_reader_of_refusals_and_withheld_consents(
            layout.headings,
            fields,
            date_order,
            region,
            sample=sample_cells,
            zone=ZoneInfo(owner.timezone),
        )
        uncommon_rows: list[tuple[int, list[str]]] = []
        said_in_rows = _count_rows_until_deadline_and_collect_odd_ones(
            reading.FileReader(path, layout), validate_row, read_refusals, totals, uncommon_rows
        )
        with closing(Refusals(said_in_rows)) as refusals:
            preview_rows = _build_row_previews(
                owner.pk, sample[:PREVIEW_ROWS], validate_row, refusals, custom
            )
            odd_rows = _build_row_previews(owner.pk, uncommon_rows, validate_row, refusals, custom)
    fields |= custom_fields
    return ImportPlan(
        layout,
        fields,
        date_order,
        notes,
        refusal,
        preview_rows,
        odd_rows,
        totals,
        _build_planned_columns(layout.headings, sample_cells, fields),
    )


def _with_legends_of_rows(layout: Layout, rows: Sequence[Sequence[str]]) -> Layout:
    """The layout with the legends that stand among the rows, as below a table, in its headings."""
    table, legends = divide_rows_and_legends(rows)
    if not legends:
        return layout
    return replace(layout, headings=tuple(headings_with_legends(layout.headings, legends, table)))


def _with_custom_cells(
    validate_row: Callable[[list[str]], ContactRow | Rejection], custom: CustomCells
) -> Callable[[list[str]], ContactRow | Rejection]:
    """The function, which also drops cells that are no values of their custom fields."""
    if not custom.columns:
        return validate_row

    def validate(cells: list[str]) -> ContactRow | Rejection:
        row = validate_row(cells)
        if isinstance(row, Rejection):
            return row
        return replace(row, dropped=(*row.dropped, *custom.read(cells)[1]))

    return validate


def plan_import_and_store_plan_or_refuse(
    contact_import: ContactImport, **choices: Any
) -> ImportPlan:
    """Plan an uploaded file and store the plan on the import.

    Args:
        contact_import: the import; its encoding and sheet are kept unless others are chosen.
        choices: keyword arguments of `plan_import_or_refuse`.

    Raises:
        ImportRefused: see `plan_import_or_refuse`; or if the file was stored anew meanwhile.
    """
    for name, value in stored_encoding_and_sheet(contact_import).items():
        choices[name] = choices.get(name) or value
    with files.temporary_local_copy_or_refuse(contact_import.pk) as path:
        plan = plan_import_or_refuse(
            path, contact_import.owner, file_name=contact_import.file_name, **choices
        )
    try:
        store_plan_or_raise_file_changed(contact_import, plan, choices.get("date_order", ""))
    except files.FileChanged:
        raise ImportRefused(
            gettext("the file was changed meanwhile: load this page again")
        ) from None
    return plan


def store_plan_or_raise_file_changed(
    contact_import: ContactImport, plan: ImportPlan, date_order: str
) -> None:
    """Store a plan on its import.

    Raises:
        FileChanged: if the file was stored anew since the import was loaded.
    """
    contact_import.layout, contact_import.mapping = plan.layout.as_json_dict(), plan.mapping
    contact_import.date_order = date_order
    planned = ContactImport.objects.filter(
        pk=contact_import.pk, file_sha256=contact_import.file_sha256
    )
    if not planned.update(
        layout=contact_import.layout, mapping=contact_import.mapping, date_order=date_order
    ):
        raise files.FileChanged


def stored_encoding_and_sheet(contact_import: ContactImport) -> dict[str, str]:
    """The encoding and sheet of the stored layout, as arguments of `plan_import_or_refuse`."""
    layout = contact_import.layout or {}
    sheets = layout.get("sheets", ())
    return {
        "encoding": layout["encoding"] if layout.get("kind") == "csv" else "",
        "sheet": sheets[0] if len(sheets) == 1 else "",
    }


def max_unpacked_bytes() -> int:
    """The most bytes that a file may have, unpacked."""
    return settings.IMPORT_MAX_MB * files.BYTES_PER_MB * MAX_UNPACKED_FACTOR


def _last_completed_mapping_of_same_headings(
    owner_id: int, layout: Layout
) -> dict[str, list[int]] | None:
    """The mapping of the store's last completed import with the same headings, if there are any."""
    if not layout.has_header:
        return None
    headings = list(layout.headings)
    if headings[-1:] == [REJECTION_HEADING]:  # a download of rejected rows
        headings = headings[:-1]
    completed = ContactImport.objects.filter(
        owner=owner_id, status=ImportStatus.COMPLETED, layout__headings=headings
    ).order_by("-pk")
    return completed.values_list("mapping", flat=True).first()


def _refusal_if_titles_name_opt_outs(
    file_name: str,
    layout: Layout,
    fields: Mapping[str, Sequence[int]],
    sample: Sequence[tuple[int, list[str]]],
    region: str,
) -> ImportRefused | None:
    """Why the file, or a part of it, may be a list of opt-outs by what stands outside its columns.

    A column of consent by which somebody says no tells it for each person, so names and titles do
    not count beside one. One in which all say yes contradicts them.
    """
    said = [
        (gettext("line %(line)s") % {"line": line}, cells[0])
        for line, row in sample
        if len(cells := [cell for cell in row if cell.strip()]) == 1
    ]
    titles = [
        *(
            (gettext("the name of sheet %(sheet)s") % {"sheet": name}, name)
            for name in layout.sheets
        ),
        *((gettext("line %(line)s") % {"line": line}, title) for line, title in layout.titles),
    ]
    if layout.headings[-1] != REJECTION_HEADING:  # our own are called `import-7-rejected.csv`
        titles.insert(0, (gettext("the name of the file"), file_name))
    named = list(filter(_names_opt_outs_or_former_people, said))
    if not named and (named := list(filter(_names_opt_outs_or_former_people, titles))):
        # The columns of one of several sheets say nothing of the people of another.
        is_told_by_columns = len(layout.sheets) < 2 and _says_anybody_no_by_columns(
            layout, fields, sample, region
        )
        named = [] if is_told_by_columns else named
    if not named:
        return None
    where, text = named[0]
    return ImportRefused(
        gettext(
            "%(place)s says that these people want no messages: %(text)s; add their numbers to the"
            " suppressed ones, or change it if it does not mean them"
        )
        % {"place": where, "text": repr(without_legend(text)[:60])}
    )


def _names_opt_outs_or_former_people(place_and_text: tuple[str, str]) -> bool:
    text = without_legend(place_and_text[1])
    return any(map(str.isalpha, text)) and title_names_opt_outs_or_former_people(text)


def _says_anybody_no_by_columns(
    layout: Layout,
    fields: Mapping[str, Sequence[int]],
    sample: Sequence[tuple[int, list[str]]],
    region: str,
) -> bool:
    if not (fields.get("sms_consent") or fields.get("sms_opt_out")):
        return False
    rows = [cells for _, cells in sample]
    consent_of = build_reader_of_consent(
        layout.headings, fields, DateOrder.ISO, region, sample=rows
    )
    return any(consent_of(cells).consent == Consent.OPTED_OUT for cells in rows)


def _refusal_if_row_repeats_moved_headings(
    layout: Layout, sample: Sequence[tuple[int, list[str]]]
) -> ImportRefused | None:
    """Why rows below may be read by wrong headings: a row holds the headings in another order."""
    headings = set(layout.headings) if layout.has_header else set()
    for line, row in sample:
        cells = [cell.strip() for cell in row]
        if sum(cell in headings for cell in cells) >= MIN_HEADINGS and any(
            cell in headings and cell != heading
            for cell, heading in zip(cells, layout.headings, strict=False)
        ):
            return ImportRefused(
                gettext(
                    "line %(line)s holds the headings in another order: import the rows below it as"
                    " a file of their own"
                )
                % {"line": line}
            )
    return None


def _detect_birthday_order_or_iso_or_refuse(
    fields: Mapping[str, Sequence[int]], sample: list[tuple[int, list[str]]]
) -> str:
    positions = fields.get("birthday", ())
    return dates.detect_date_order_or_iso_or_refuse(
        cells[position] for _, cells in sample for position in positions if position < len(cells)
    )


def _count_rows_until_deadline_and_collect_odd_ones(
    rows: Iterable[tuple[int, list[str]]],
    validate_row: Callable[[list[str]], ContactRow | Rejection],
    read_refusals: Callable[[list[str]], list[Refusal]],
    totals: ImportTotals,
    odd_rows: list[tuple[int, list[str]]],
) -> Iterator[Refusal]:
    """Count what would become of the rows, collect some odd ones after the first; yield each no."""
    deadline = time.monotonic() + MAX_COUNTING_SECONDS
    for line, cells in rows:
        totals.rows += 1
        row = validate_row(cells)
        if isinstance(row, Rejection):
            totals.rejected[f"{row.column}: {row.reason}" if row.column else row.reason] += 1
            yield from read_refusals(cells)
        else:
            totals.agreeing += row.consent == Consent.AGREES
            totals.opted_out += row.consent == Consent.OPTED_OUT
            totals.cannot_receive += row.phone_kind != PhoneKind.MOBILE
            totals.kept.update(cell.reason for cell in row.dropped)
            if row.consent > Consent.AGREES:
                yield Refusal(row.phone, row.consent, row.said_at)
        is_odd = isinstance(row, Rejection) or bool(row.dropped)
        if is_odd and totals.rows > PREVIEW_ROWS and len(odd_rows) < ODD_ROWS_SHOWN:
            odd_rows.append((line, cells))
        if not totals.rows % SAMPLE_ROWS and time.monotonic() > deadline:
            totals.is_complete = False
            break


def _build_planned_columns(
    headings: Sequence[str], sample: Sequence[Sequence[str]], fields: Mapping[str, Sequence[int]]
) -> list[PlannedColumn]:
    field_by_position = {at: field for field, positions in fields.items() for at in positions}
    columns = []
    for position, heading in enumerate(headings):
        cells = (row[position].strip() for row in sample if position < len(row))
        examples = islice((cell[:EXAMPLE_LENGTH] for cell in cells if cell), EXAMPLES_SHOWN)
        columns.append(
            PlannedColumn(position, heading, field_by_position.get(position, ""), tuple(examples))
        )
    return columns


def _values_to_store_by_label(
    row: ContactRow, cells: Sequence[str], custom: CustomCells
) -> dict[str, str]:
    """What would be stored of a row, as text by field, without blanks.

    A custom field is named as in a mapping, since its label may be that of another field.
    """
    values = {
        gettext("phone"): row.phone,
        gettext("first name"): row.first_name,
        gettext("last name"): row.last_name,
        gettext("e-mail"): row.email,
        gettext("birthday"): row.birthday.isoformat() if row.birthday else "",
        gettext("gender"): str(Gender(row.gender).label) if row.gender else "",
        gettext("consent"): str(CONSENT_TEXTS[row.consent]),
    }
    values |= {PREFIX + key: str(value) for key, value in custom.read(cells)[0].items()}
    return {name: value for name, value in values.items() if value}


def _build_row_previews(
    owner_id: int,
    rows: list[tuple[int, list[str]]],
    validate_row: Callable[[list[str]], ContactRow | Rejection],
    refusals: Refusals,
    custom: CustomCells,
) -> list[RowPreview]:
    """What would become of the rows; a no of any other row of the same number counts."""
    validated = [(line, cells, validate_row(cells)) for line, cells in rows]
    row_by_phone = {row.phone: row for *_, row in validated if isinstance(row, ContactRow)}
    refusals.overwrite_consent_of(row_by_phone)
    known_phones = set(
        Contact.objects.filter(owner=owner_id, phone__in=row_by_phone).values_list(
            "phone", flat=True
        )
    )
    previews: list[RowPreview] = []
    seen_phones: set[str] = set()
    for line, cells, row in validated:
        if isinstance(row, Rejection):
            previews.append(RowPreview(line, cells, RowResult.REJECTED, row.column, row.reason))
            continue
        if row.phone in seen_phones:
            result = RowResult.DUPLICATE
        else:
            result = RowResult.KNOWN if row.phone in known_phones else RowResult.NEW
        reasons = "; ".join(cell.reason for cell in row.dropped)
        row = replace(row, consent=row_by_phone[row.phone].consent)
        stored = _values_to_store_by_label(row, cells, custom)
        previews.append(RowPreview(line, cells, result, reason=reasons, stored=stored))
        seen_phones.add(row.phone)
    return previews
