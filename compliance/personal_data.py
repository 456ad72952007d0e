"""Checks of the declarations of personal data: is every column declared, and is it there?

Each app declares its columns in its `declarations.py`, the ground floor also Django's own
(docs/rules.md#personal-data). A column that nobody declares fails a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import models

from astronote.accounts.models import User
from astronote.operations import registry
from contacts.models import Contact

# A link to an account by this name is one to the row's store.
LINK_TO_STORE = "owner"


def undeclared_columns_of_personal_types() -> Iterator[str]:
    """Columns of any installed model that nobody declares.

    Every column must be declared but numbers that rows are given, and links to rows that are no
    person's.
    """
    declared = {
        (declaration.model, field)
        for declaration in (*registry.personal_data, *registry.no_personal_data)
        for field in declaration.fields
    }
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy:
            continue
        for field in model._meta.concrete_fields:
            if _must_be_declared(field) and (model._meta.label, field.name) not in declared:
                yield f"{model._meta.label}.{field.name}"


def _must_be_declared(field: models.Field[Any, Any]) -> bool:
    if field.remote_field:
        is_of_person = field.related_model in (User, Contact)
        return is_of_person and field.name != LINK_TO_STORE
    return not (field.primary_key and isinstance(field, models.IntegerField))


def declared_columns_that_do_not_exist() -> Iterator[str]:
    """Declared columns that do not exist, as model and field."""
    for declaration in (*registry.personal_data, *registry.no_personal_data):
        model = apps.get_model(declaration.model)
        field_names = {field.name for field in model._meta.concrete_fields}
        yield from (
            f"{declaration.model}.{name}" for name in declaration.fields if name not in field_names
        )
