"""A person in the files of exports: to hand out, to erase, to search.

A file is a copy of rows that are handed out and erased by themselves. So an erasure deletes a file
that names the person, instead of writing it anew.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.db.models import Func, QuerySet, TextField
from django.utils.translation import gettext

from campaigns import exports
from campaigns.models import ExportFileChunk, ExportRun
from compliance.person import Person


class _Text(Func):
    """Bytes as the text that they are in UTF-8."""

    function = "convert_from"
    template = "%(function)s(%(expressions)s, 'UTF8')"
    output_field = TextField()


def exports_at_persons_stores(person: Person) -> QuerySet[ExportRun]:
    """The exports of the stores that are asked about."""
    return ExportRun.objects.filter(person.stores_asked_and_not_held_q("owner"))


def erase_exported_files(person: Person) -> int:
    """Delete the files that name the person; return how many.

    Called as the last change of the transaction that erases the person.
    """
    naming = ExportRun.objects.filter(pk__in=_chunks_naming_person(person).values("export_run"))
    return exports.withdraw_files(naming, possible=exports_at_persons_stores(person))


def exported_files_with_lines_of_person(person: Person) -> Iterator[dict[str, Any]]:
    """The files in which the person is, each with the person's lines."""
    lines: dict[int, list[list[str]]] = {}
    for chunk in _chunks_naming_person(person).order_by("export_run", "number").iterator(4):
        # A chunk has whole lines.
        text = io.StringIO(bytes(chunk.data).decode(), newline="")
        named = [cells for cells in csv.reader(text) if person.traces.are_in(cells)]
        lines.setdefault(chunk.export_run_id, []).extend(named)
    for run in ExportRun.objects.select_related("owner").filter(pk__in=lines).order_by("pk"):
        yield {
            "export": run.pk,
            "store": str(run.owner),
            "content": run.content,
            "made_at": run.completed_at,
            "lines": lines[run.pk],
        }


def describe_exported_files_naming_person(person: Person) -> Iterator[str]:
    """The files in which the person still is."""
    named = _chunks_naming_person(person).order_by("export_run").values_list("export_run")
    for (run_id,) in named.distinct():
        yield gettext("the file of export %(id)s") % {"id": run_id}


def _chunks_naming_person(person: Person) -> QuerySet[ExportFileChunk]:
    chunks = ExportFileChunk.objects.filter(person.stores_asked_and_not_held_q("export_run__owner"))
    return chunks.annotate(text=_Text("data")).filter(text__regex=person.traces.sql_pattern)
