"""The search with which an erasure ends: every table and column, uploads, sessions, Redis, files.

It goes by the tables that there are, not by what is declared, so it also finds what was declared
wrongly or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.apps import apps
from django.db import connection
from django.db.models import CharField, JSONField, Model, Q, TextField
from django.utils.translation import gettext
from redis.exceptions import RedisError

from astronote.common.counts import format_count
from astronote.common.sql import rows
from astronote.operations import registry
from astronote.operations.personal_data import (
    BY_TEXT,
    LegalGround,
    OnErasure,
    PersonalData,
    Subjects,
)
from compliance import elsewhere, exported_files, held_rows, uploads
from compliance.person import Person
from contacts.models import Contact, MarketingHold, Suppression
from contacts.phones import phone_hashes_with_each_key


@dataclass(frozen=True)
class Trace:
    """Something that is left of a person: where, in how many rows, and why if that is right."""

    where: str
    count: int
    reason: str = ""

    def __str__(self) -> str:
        count = format_count(self.count)
        rows_there = f"{self.where} ({count})" if self.count > 1 else self.where
        return f"{rows_there}: {self.reason}" if self.reason else rows_there


def find_traces_left_and_kept_for_a_reason(person: Person) -> list[Trace]:
    """All that names the person at the stores that are asked about, and what is kept for a reason.

    Args:
        person: found before the erasure, so that name and e-mail address are known.
    """
    return [*_iter_all_traces(person), *_traces_kept_for_a_reason(person)]


def _iter_all_traces(person: Person) -> Iterator[Trace]:
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy:
            yield from _trace_of_model_with_row_count(model, person)
    if person.owner_id is None:
        yield from _traces_with_counts_in_columns_without_model(person)
    for where in uploads.describe_uploads_naming_person_or_unreadable(person):
        yield Trace(where, 1)
    for where in exported_files.describe_exported_files_naming_person(person):
        yield Trace(where, 1)
    if sessions := elsewhere.session_keys_naming_person(person.traces):
        yield Trace(gettext("sessions"), len(sessions))
    for path in elsewhere.declared_temporary_files_naming_person(person.traces):
        yield Trace(gettext("the file %(path)s") % {"path": path}, 1)
    try:
        for key in elsewhere.declared_redis_keys_naming_person(person.traces):
            yield Trace(f"Redis: {key}", 1)
    except RedisError as error:
        where = gettext("Redis, which cannot be searched now (%(error)s)")
        yield Trace(where % {"error": type(error).__name__}, 1)


def _trace_of_model_with_row_count(model: type[Model], person: Person) -> Iterator[Trace]:
    """Rows of a model that are the person's or name the person, in any column of text."""
    declared = [one for one in registry.personal_data if one.model == model._meta.label]
    searched = _declaration_of_all_text_columns(model, declared[0] if declared else None)
    count = sum(1 for _ in held_rows.other_rows_naming_person(searched, person))
    if searched.on_erasure != OnErasure.KEEP:
        count += held_rows.rows_belonging_to_person(searched, person).count()
    if count:
        is_account = searched.subjects == Subjects.ACCOUNTS and declared
        reason = (
            gettext("an account or its logins: no erasure of a customer reaches it")
            if is_account
            else ""
        )
        yield Trace(gettext("table %(table)s") % {"table": model._meta.db_table}, count, reason)


def _declaration_of_all_text_columns(
    model: type[Model], declared: PersonalData | None
) -> PersonalData:
    """A declaration of all columns of text, whatever was declared."""
    fields = tuple(
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, (CharField, TextField, JSONField))
    )
    if declared:
        found_by = BY_TEXT if declared.on_erasure == OnErasure.KEEP else declared.found_by
        return replace(declared, fields=fields, found_by=found_by)
    names = {field.name for field in model._meta.concrete_fields}
    return PersonalData(
        model._meta.label,
        fields,
        "",
        "",
        categories="",
        legal_ground=LegalGround.LEGITIMATE_INTEREST,
        source="",
        found_by=BY_TEXT,
        on_erasure=OnErasure.MASK,
        store="owner" if "owner" in names else "",
    )


def _traces_with_counts_in_columns_without_model(person: Person) -> Iterator[Trace]:
    """Columns of tables that belong to no model."""
    of_models = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    for table, column in rows(LIST_TEXT_COLUMNS):
        if table in of_models:
            continue
        text = f"{connection.ops.quote_name(column)}::text"
        query = f"SELECT {text} FROM {connection.ops.quote_name(table)} WHERE {text} ~ %s"
        found = rows(query, [person.traces.sql_pattern])
        count = sum(person.traces.are_in(text) for (text,) in found)
        if count:
            yield Trace(gettext("column %(column)s") % {"column": f"{table}.{column}"}, count)


LIST_TEXT_COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND data_type IN
        ('text', 'character varying', 'character', 'json', 'jsonb', 'ARRAY')
    ORDER BY 1, 2
"""


def _traces_kept_for_a_reason(person: Person) -> Iterator[Trace]:
    """What is left for a reason."""
    for owner_id in sorted(person.kept_owner_ids):
        where = gettext("all rows of store %(id)s") % {"id": owner_id}
        yield Trace(where, 1, gettext("its contact is under a legal hold"))
    hashes = Suppression.objects.filter(phone_hash__in=phone_hashes_with_each_key(person.phone))
    if count := hashes.filter(person.stores_asked_and_not_held_q("owner")).count():
        reason = gettext("the opt-out, as a keyed hash that gives no number away")
        yield Trace(gettext("suppressions"), count, reason)
    held = MarketingHold.objects.filter(phone_hash__in=phone_hashes_with_each_key(person.phone))
    if count := held.filter(person.stores_asked_and_not_held_q("owner")).count():
        reason = gettext("replies to decide, as a keyed hash: until then no marketing is sent")
        yield Trace(gettext("marketing holds"), count, reason)
    namesakes = Q(pk__in=[])
    for email in person.traces.emails:
        namesakes |= Q(email__iexact=email)
    for first, last in person.traces.names:
        namesakes |= Q(first_name__iexact=first, last_name__iexact=last)
    others = Contact.objects.filter(namesakes, person.stores_asked_and_not_held_q("owner"))
    if count := others.exclude(phone=person.phone).count():
        reason = gettext("other numbers with the same e-mail address or name")
        yield Trace(gettext("contacts"), count, reason)
