"""Checks of the declarations of personal data: is every column declared, and is it there?

Each app declares its columns in its `operations.py`, the ground floor also Django's own
(docs/rules.md#personal-data). A column that nobody declares fails a test.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.db import models

from astronote.operations import registry

# Types of fields that can hold personal data: texts, JSON, bytes, days and times, addresses.
PERSONAL_FIELD_TYPES = (
    models.CharField,
    models.TextField,
    models.JSONField,
    models.BinaryField,
    models.DateField,
    models.TimeField,
    models.GenericIPAddressField,
)


def undeclared_columns() -> Iterator[str]:
    """Columns of any installed model that could hold personal data and that nobody declares."""
    declared = {
        (declaration.model, field)
        for declaration in (*registry.personal_data, *registry.no_personal_data)
        for field in declaration.fields
    }
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy:
            continue
        for field in model._meta.concrete_fields:
            may_be_personal = isinstance(field, PERSONAL_FIELD_TYPES)
            if may_be_personal and (model._meta.label, field.name) not in declared:
                yield f"{model._meta.label}.{field.name}"


def declared_columns_that_do_not_exist() -> Iterator[str]:
    """Declared columns that do not exist, as model and field."""
    for declaration in (*registry.personal_data, *registry.no_personal_data):
        model = apps.get_model(declaration.model)
        field_names = {field.name for field in model._meta.concrete_fields}
        yield from (
            f"{declaration.model}.{name}" for name in declaration.fields if name not in field_names
        )
