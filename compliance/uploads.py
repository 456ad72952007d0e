"""A person in uploaded files, read as an import reads them: to hand out, to erase, to search.

The file of an import that has ended is of no use any more, so an erasure deletes it. One that is
still needed is stored anew without the person (`contacts/importing/rewriting.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common.sql import database_now
from compliance.held_rows import RecordReader
from compliance.person import Person
from compliance.traces import MASK
from contacts.importing import files, rewriting
from contacts.importing.area_codes import area_code_digits_or_empty
from contacts.importing.import_refused import ImportRefused
from contacts.importing.phone_cells import MIN_LOCAL_DIGITS
from contacts.importing.reading import FileReader
from contacts.models import ContactImport, ImportFileChunk, ImportStatus
from contacts.phones import phone_region_of_store_or_default

UNREADABLE = _(
    "the file could not be written anew without a person who had to be erased from it, so it was "
    "deleted: upload it again without that person"
)
_NO_DIGIT = re.compile(r"\D+")


class RowEditor:
    """Takes a person out of the rows of one import's file; an `EditRow`.

    A row of the person keeps one cell that says so, and no other, so that it is counted and listed
    with the rejected rows. In a row of somebody else the number is replaced.
    """

    def __init__(self, person: Person, contact_import: ContactImport) -> None:
        self.traces = person.traces
        self.tail = person.phone[-8:]
        self.reader = RecordReader(person, phone_region_of_store_or_default(contact_import.owner))
        self.mapping: dict[str, list[int]] | None = contact_import.mapping
        self.phone_at: list[int] = (self.mapping or {}).get("phone", [])

    def __call__(self, cells: list[str]) -> list[str]:
        """The cells that stay; the same list if nothing is to be changed."""
        if not self._could_name_person(cells):
            return cells
        if self.is_own(cells):
            at = next(
                (at for at, cell in enumerate(cells) if self.reader.names_person_anywhere([cell])),
                0,
            )
            return ["" if other != at else files.ERASED_ROW for other in range(len(cells))]
        masked = [self.traces.mask_person_in(cell, MASK, number_only=True) for cell in cells]
        return cells if masked == cells else masked

    def is_own(self, cells: list[str]) -> bool:
        """Whether a row of the file is one of the person."""
        if not self._could_name_person(cells):
            return False
        tell = [cells[at] for at in self.phone_at if at < len(cells)] if self.phone_at else None
        return self.reader.is_own(cells, tell) or self.reader.is_own(
            [], self._numbers_behind_area_codes(cells)
        )

    def _numbers_behind_area_codes(self, cells: list[str]) -> list[str]:
        """The numbers whose area codes have a column of their own, or may have one.

        Before the file is planned, that may be any column beside another one.
        """
        if self.mapping is None:
            neighbours = list(pairwise(range(len(cells))))
            pairs = [*neighbours, *((right, left) for left, right in neighbours)]
        else:
            pairs = list(product(self.mapping.get("area_code", ()), self.phone_at))
        return [
            area_code + cells[at]
            for area_code_at, at in pairs
            if max(area_code_at, at) < len(cells)
            and (area_code := area_code_digits_or_empty(cells[area_code_at]))
        ]

    def _could_name_person(self, cells: list[str]) -> bool:
        """A quick look that leaves few rows to be read closely."""
        text = " ".join(cells)
        digits = _NO_DIGIT.sub("", text)
        digits = digits if digits.isascii() else _digits_to_ascii(digits)
        if self.tail in digits:
            return True
        if self.tail[-MIN_LOCAL_DIGITS:] in digits and any(
            self.tail in _NO_DIGIT.sub("", number)
            for number in self._numbers_behind_area_codes(cells)
        ):
            return True
        return self.traces.has_email_or_full_name(text)


def _digits_to_ascii(digits: str) -> str:
    return "".join(str(int(digit)) for digit in digits)


def imports_with_files_at_persons_stores(person: Person) -> QuerySet[ContactImport]:
    """The imports at the stores that are asked about whose files are stored."""
    chunks = ImportFileChunk.objects.filter(contact_import=OuterRef("pk"))
    imports = ContactImport.objects.filter(
        Exists(chunks), person.stores_asked_and_not_held_q("owner")
    )
    return imports.select_related("owner").order_by("pk")


def uploads_with_rows_of_person_or_unreadable(person: Person) -> Iterator[dict[str, Any]]:
    """The files in which the person is, each with the person's rows by heading."""
    for contact_import in imports_with_files_at_persons_stores(person):
        editor = RowEditor(person, contact_import)
        found: dict[str, Any] = {
            "import": contact_import.pk,
            "store": str(contact_import.owner),
            "file_name": contact_import.file_name,
            "uploaded_at": contact_import.created_at,
            "rows": [],
        }
        try:
            with files.temporary_local_copy_or_refuse(contact_import.pk) as path:
                layout = rewriting.stored_or_detected_layout_or_refuse(contact_import, path)
                for line, cells in FileReader(path, layout):
                    if editor.is_own(cells):
                        headed = dict(zip(layout.headings, cells, strict=False))
                        found["rows"].append({"line": line, **headed})
        except ImportRefused as error:
            found["problem"] = gettext("the file cannot be read: %(error)s") % {"error": error}
        if found["rows"] or "problem" in found:
            yield found


def lock_open_imports_at_stores_of_person(person: Person) -> None:
    """Lock the imports that have not ended, so that none of them writes a row meanwhile."""
    open_imports = ContactImport.objects.filter(
        person.stores_asked_and_not_held_q("owner"), finished_at=None
    )
    list(open_imports.select_for_update().order_by("pk").values_list("pk"))


def delete_finished_uploads_and_rewrite_open_ones(person: Person) -> dict[str, int]:
    """Delete files that are not needed any more, and take the person out of the others.

    Called in the transaction that called `lock_open_imports_at_stores_of_person`.

    Returns:
        How many files were deleted, rewritten, and deleted because they cannot be read; the imports
        of the last are cancelled.
    """
    counts = {"files_deleted": 0, "files_rewritten": 0, "imports_cancelled": 0}
    for contact_import in imports_with_files_at_persons_stores(person):
        if contact_import.finished_at:
            counts["files_deleted"] += 1
            ImportFileChunk.objects.filter(contact_import=contact_import).delete()
            continue
        editor = RowEditor(person, contact_import)
        try:
            is_rewritten = rewriting.rewrite_file_if_person_named_or_refuse(
                contact_import, editor, _matcher_of_persons_number(person)
            )
        except ImportRefused:
            counts["imports_cancelled"] += 1
            ImportFileChunk.objects.filter(contact_import=contact_import).delete()
            ContactImport.objects.filter(pk=contact_import.pk).update(
                status=ImportStatus.CANCELLED, error=UNREADABLE, finished_at=database_now()
            )
            continue
        counts["files_rewritten"] += is_rewritten
    _replace_headings_naming_person(person)
    return counts


def _replace_headings_naming_person(person: Person) -> None:
    """Replace headings that are a row of the person, which a file without headings has."""
    layouts = ContactImport.objects.annotate(text=Cast(F("layout"), TextField()))
    named = layouts.filter(
        person.stores_asked_and_not_held_q("owner"), text__regex=person.traces.sql_pattern
    )
    for contact_import in named.select_related("owner"):
        layout = contact_import.layout or {}
        editor = RowEditor(person, contact_import)
        edited = rewriting.headings_or_generic_names_if_edited(layout.get("headings", []), editor)
        ContactImport.objects.filter(pk=contact_import.pk).update(
            layout=layout | {"headings": list(edited)}
        )


def _matcher_of_persons_number(person: Person) -> Any:
    # A name or an address alone may be that of somebody else with a row of their own.
    return lambda text: bool(person.traces.spans_naming_person(text, number_only=True))


def describe_uploads_naming_person_or_unreadable(person: Person) -> Iterator[str]:
    """The stored files in which the person still is, or of which nobody knows."""
    for contact_import in imports_with_files_at_persons_stores(person):
        editor = RowEditor(person, contact_import)
        try:
            if rewriting.is_person_named_in_file_or_refuse(
                contact_import, editor, _matcher_of_persons_number(person)
            ):
                yield gettext("the file of import %(id)s") % {"id": contact_import.pk}
        except ImportRefused:
            yield gettext("the file of import %(id)s, which cannot be read") % {
                "id": contact_import.pk
            }
