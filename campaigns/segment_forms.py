"""The controls of a segment's conditions, and reading what was entered in them.

The admin's form and `create_segment` read values by the same fields.
"""

from __future__ import annotations

from typing import Any

import phonenumbers
from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.dates import MONTHS
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common import audit
from astronote.models import User
from campaigns import segments
from campaigns.custom_conditions import read_conditions
from campaigns.models import Segment
from contacts.ages import ADULT_AGE
from contacts.models import Gender, List

MAX_AGE, MAX_DAYS = 120, 3650
ANY = ("", _("any"))


def _calling_code_choices() -> list[tuple[str, str]]:
    """Calling codes with the countries that share them, by two-letter code."""
    return [
        (str(code), f"+{code} ({', '.join(regions[:6])}{' …' if len(regions) > 6 else ''})")
        for code, regions in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items())
        if regions != ("001",)  # satellite and toll-free numbers belong to no country
    ]


class ConditionFields(forms.Form):
    """A control for each condition; what is left empty is no condition.

    A class that uses it has the store in `cleaned_data["owner"]`.
    """

    gender = forms.ChoiceField(label=_("Gender"), choices=[ANY, *Gender.choices], required=False)
    age_from = forms.IntegerField(
        label=_("Age from"), min_value=ADULT_AGE, max_value=MAX_AGE, required=False
    )
    age_to = forms.IntegerField(
        label=_("Age to"),
        min_value=ADULT_AGE,
        max_value=MAX_AGE,
        required=False,
        help_text=_("Completed years."),
    )
    birth_month = forms.TypedChoiceField(
        label=_("Birth month"),
        choices=[ANY, *MONTHS.items()],
        coerce=int,
        empty_value=None,
        required=False,
    )
    calling_code = forms.ChoiceField(
        label=_("Country of the number"), choices=[ANY, *_calling_code_choices()], required=False
    )
    in_lists = forms.ModelMultipleChoiceField(
        List.objects, label=_("On one of these lists"), required=False
    )
    not_in_lists = forms.ModelMultipleChoiceField(
        List.objects, label=_("On none of these lists"), required=False
    )
    joined_since = forms.DateField(
        label=_("Joined since"),
        input_formats=["%Y-%m-%d"],
        required=False,
        help_text=_("The day on which the store got the contact, or later."),
    )
    messaged_within_days = forms.IntegerField(
        label=_("Got a message within days"), min_value=1, max_value=MAX_DAYS, required=False
    )
    not_messaged_within_days = forms.IntegerField(
        label=_("Got no message within days"), min_value=1, max_value=MAX_DAYS, required=False
    )
    clicked_within_days = forms.IntegerField(
        label=_("Clicked within days"), min_value=1, max_value=MAX_DAYS, required=False
    )
    not_clicked_within_days = forms.IntegerField(
        label=_("Did not click within days"), min_value=1, max_value=MAX_DAYS, required=False
    )

    custom_fields = forms.CharField(
        label=_("Custom fields"),
        required=False,
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("One a line: city = Athens, visits >= 3, last_visit <= 2026-05-17."),
    )

    def clean(self) -> dict[str, Any]:
        """Check the conditions against each other, and that the lists are the store's."""
        cleaned = super().clean() or self.cleaned_data
        low, high = cleaned.get("age_from"), cleaned.get("age_to")
        if low and high and low > high:
            self.add_error("age_to", gettext("The second age is below the first."))
        owner = cleaned.get("owner")
        for name in segments.LIST_CONDITIONS:
            if owner and any(one.owner_id != owner.pk for one in cleaned.get(name) or ()):
                self.add_error(name, gettext("A list belongs to another store."))
        if owner and cleaned.get(segments.CUSTOM_CONDITIONS):
            try:
                cleaned[segments.CUSTOM_CONDITIONS] = read_conditions(
                    cleaned[segments.CUSTOM_CONDITIONS], owner
                )
            except ValidationError as problem:
                self.add_error(segments.CUSTOM_CONDITIONS, problem)
        if not self.errors and not stored_conditions_from_cleaned_data(cleaned):
            raise ValidationError(gettext("Set at least one condition."))
        return cleaned


def stored_conditions_from_cleaned_data(cleaned: dict[str, Any]) -> dict[str, Any]:
    """What a segment stores of the cleaned values of ConditionFields."""
    conditions: dict[str, Any] = {}
    for name in segments.CONDITIONS:
        value = cleaned.get(name)
        if name in segments.LIST_CONDITIONS:
            value = sorted(one.pk for one in value or ())
        elif name == "joined_since" and value:
            value = value.isoformat()
        if value:
            conditions[name] = value
    return conditions


class _ConditionsFormOfFixedStore(ConditionFields):
    """Conditions of one store, from a program."""

    def __init__(self, store: User, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.store = store
        for name in segments.LIST_CONDITIONS:
            field = self.fields[name]
            assert isinstance(field, forms.ModelMultipleChoiceField)
            field.queryset = List.objects.filter(owner=store)
            field.to_field_name = "name"

    def clean(self) -> dict[str, Any]:
        self.cleaned_data["owner"] = self.store
        return super().clean()


def build_segment(store: User, name: str, values_as_written: dict[str, Any]) -> Segment:
    """A segment that is not saved.

    Args:
        store: whose contacts it filters.
        name: its name.
        values_as_written: by the name of a condition, as a person writes them; lists by
            their names.

    Raises:
        ValidationError: if a value cannot be read, or there is none, or the name is taken.
    """
    form = _ConditionsFormOfFixedStore(store, values_as_written)
    if not form.is_valid():
        raise ValidationError(
            [
                f"{field.replace('_', ' ')}: {error}" if field != "__all__" else str(error)
                for field, errors in form.errors.items()
                for error in errors
            ]
        )
    segment = Segment(
        owner=store, name=name, conditions=stored_conditions_from_cleaned_data(form.cleaned_data)
    )
    segment.full_clean()
    return segment


def create_and_audit_segment_or_validation_error(
    store: User, name: str, values_as_written: dict[str, Any], *, by: Any
) -> Segment:
    """Create a segment and write an audit entry.

    Args:
        store: as in `build_segment`, as are name and values_as_written.
        name: its name.
        values_as_written: its conditions.
        by: who creates it.

    Raises:
        ValidationError: as `build_segment`.
    """
    segment = build_segment(store, name, values_as_written)
    with transaction.atomic():
        segment.save()
        audit.write_entry("added", segment, by=by)
    return segment
