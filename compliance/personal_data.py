"""Checks of the record of processing: which columns hold personal data, what for, and how long.

Each app declares its columns in its `operations.py` (GDPR, article 30; rules.md#personal-data).
`manage.py audit_pii` prints them. A text column that no app declares fails a test.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.db import models

from astronote.operations import registry

# Field types that can hold personal data, besides those with choices.
PERSONAL_FIELD_TYPES = (
    models.CharField,
    models.TextField,
    models.JSONField,
    models.BinaryField,
    models.DateField,
    models.GenericIPAddressField,
)


def undeclared_columns() -> Iterator[str]:
    """Columns that could hold personal data and that no app declares, as model and field."""
    declared = {
        (declaration.model, field)
        for declaration in (*registry.personal_data, *registry.no_personal_data)
        for field in declaration.fields
    }
    for model in apps.get_models():
        if model._meta.app_label not in settings.PROJECT_APPS or model._meta.proxy:
            continue
        for field in model._meta.concrete_fields:
            may_be_personal = isinstance(field, PERSONAL_FIELD_TYPES) and not (
                isinstance(field, models.DateTimeField) or field.choices
            )
            if may_be_personal and (model._meta.label, field.name) not in declared:
                yield f"{model._meta.label}.{field.name}"


def unknown_columns() -> Iterator[str]:
    """Declared columns that do not exist, as model and field."""
    for declaration in (*registry.personal_data, *registry.no_personal_data):
        model = apps.get_model(declaration.model)
        field_names = {field.name for field in model._meta.concrete_fields}
        yield from (
            f"{declaration.model}.{name}" for name in declaration.fields if name not in field_names
        )
