"""What is held on a person, to be handed out (GDPR, article 15), as JSON or as a page.

It is made from the declarations that an erasure goes by, so it holds all that one would remove.
"""

from __future__ import annotations

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext
from redis.exceptions import RedisError

from astronote.operations import registry
from astronote.operations.personal_data import PersonalData, Subjects
from campaigns.models import ExportFileChunk
from compliance import elsewhere, exported_files, held_rows, record, uploads
from compliance.person import Person
from compliance.traces import iter_texts_numbers_and_keys_in_json
from contacts.models import Contact, ImportFileChunk


def collect_held_data(person: Person) -> dict[str, Any]:
    """All data held on a person, with what it is for and what the person may ask for."""
    data = [
        _describe_rows_of_declaration(declaration, person)
        for declaration in held_rows.declarations_with_contacts_last()
    ]
    return {
        "number": person.phone,
        "as_of": timezone.now(),
        "controller": record.controller_from_settings(),
        "stores": _describe_stores_with_number(person),
        "recipients": record.recipient_texts(),
        "transfers": record.transfer_texts(),
        "periods": record.retention_period_texts_by_setting(),
        "rights": [str(right) for right in record.RIGHTS],
        "automated_decisions": gettext("none"),
        "data": [one for one in data if one["rows"] or one["mentions"]],
        "elsewhere": _places_outside_tables_naming_person(person),
    }


def held_data_as_json(held: dict[str, Any]) -> str:
    """What `collect_held_data` returns, as a JSON document."""
    return json.dumps(held, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)


def held_data_as_html_page(held: dict[str, Any]) -> str:
    """What `collect_held_data` returns, as a page that needs nothing else."""
    return render_to_string("compliance/person_file.html", {"held": held})


def _describe_stores_with_number(person: Person) -> list[dict[str, Any]]:
    """The stores that have the number, each the controller of what it holds."""
    contacts = Contact.objects.filter(pk__in=person.contact_ids).order_by("owner", "pk")
    return [
        {
            "store": str(contact.owner),
            "contact": contact.owner.email,
            "known_since": contact.created_at,
            "restricted_since": contact.restricted_at,
            "under_a_legal_hold": contact.legal_hold,
        }
        for contact in contacts.select_related("owner")
    ]


def _describe_rows_of_declaration(declaration: PersonalData, person: Person) -> dict[str, Any]:
    """What the rows of a declaration hold: the person's own, and texts of others."""
    rows, mentions = _own_rows_and_texts_naming_person(declaration, person)
    if held_rows.model_of_declaration(declaration) is ImportFileChunk:
        rows = list(uploads.uploads_with_rows_of_person_or_unreadable(person))
    if held_rows.model_of_declaration(declaration) is ExportFileChunk:
        rows = list(exported_files.exported_files_with_lines_of_person(person))
    return {
        "what": declaration.model,
        "purpose": str(declaration.purpose),
        "legal_ground": str(declaration.legal_ground.label),
        "period": str(declaration.period),
        "categories": str(declaration.categories),
        "source": str(declaration.source),
        "if_erased": str(declaration.on_erasure.label),
        "rows": rows,
        "mentions": mentions,
    }


def _own_rows_and_texts_naming_person(
    declaration: PersonalData, person: Person
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The person's own rows, and of other rows only the texts that name the person.

    What else is in those is about somebody else (article 15(4)).
    """
    model = held_rows.model_of_declaration(declaration)
    own = list(held_rows.rows_belonging_to_person(declaration, person).values_list("pk", flat=True))
    mentions: list[dict[str, Any]] = []
    if declaration.subjects != Subjects.ACCOUNTS:
        for found in held_rows.other_rows_naming_person(declaration, person):
            if found.is_own:
                own.append(found.row.pk)
                continue
            values = [
                getattr(found.row, name)
                for name in held_rows.free_text_and_json_fields(declaration)
            ]
            mentions += [
                {"row": found.row.pk, "text": text}
                for text in iter_texts_numbers_and_keys_in_json(values)
                if person.traces.are_in(text, number_only=found.number_only)
            ]
    columns = _declared_columns_and_undeclared_if_first(declaration)
    if declaration.store not in ("", "pk"):
        columns.append(f"{declaration.store}__email")
    held = model._default_manager.filter(pk__in=own).order_by("pk")
    return list(held.values(*columns, *declaration.shown_with)), mentions


def _declared_columns_and_undeclared_if_first(declaration: PersonalData) -> list[str]:
    """The columns of a declaration; the first one of a model has those that nobody declares, too.

    So each column of a row is handed out once.
    """
    model = held_rows.model_of_declaration(declaration)
    of_model = [one for one in registry.personal_data if one.model == declaration.model]
    others = {name for one in of_model if one is not declaration for name in one.fields}
    fields = [field for field in model._meta.concrete_fields if field.name not in others]
    if declaration is not of_model[0]:
        fields = [
            field for field in fields if field.primary_key or field.name in declaration.fields
        ]
    return [field.attname for field in fields]


def _places_outside_tables_naming_person(person: Person) -> list[str]:
    """Places outside the tables that name the person; what they hold are a program's notes."""
    traces = person.traces
    found = [
        gettext("a session of an operator (%(key)s…)") % {"key": key[:4]}
        for key in elsewhere.session_keys_naming_person(traces)
    ]
    found += [
        gettext("a temporary file (%(file)s)") % {"file": path.name}
        for path in elsewhere.declared_temporary_files_naming_person(traces)
    ]
    try:
        found += [f"Redis: {key}" for key in elsewhere.declared_redis_keys_naming_person(traces)]
    except RedisError as error:
        found.append(
            gettext("Redis cannot be searched now (%(error)s)") % {"error": type(error).__name__}
        )
    return found
