"""Segments in the admin: a form of plain controls, with the count beside it as they are set."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from astronote.common.admin_lists import LargeTableAdmin
from campaigns import segments
from campaigns.audience_counts import count_or_estimate_segment_and_left_out
from campaigns.custom_conditions import write_conditions
from campaigns.models import AudienceChoice, Segment
from campaigns.segment_forms import ConditionFields, stored_conditions_from_cleaned_data
from campaigns.segments import segment_problem


class _AutocompleteOfNumericIds(AutocompleteSelectMultiple):
    """Without the control that clears all: it would stand in the list as something else.

    What was posted and is no id is left out when the form is shown again.
    """

    def optgroups(self, name: str, value: Any, attr: Any = None) -> Any:
        ids = [one for one in value if str(one).isascii() and str(one).isdecimal()]
        return super().optgroups(name, ids, attr)

    def build_attrs(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().build_attrs(*args, **kwargs), "data-allow-clear": "false"}


def autocomplete_widget_for_lists_or_segments(field_name: str) -> AutocompleteSelectMultiple:
    """A control for several lists or several segments, found by typing.

    Args:
        field_name: `list` or `segment`.
    """
    return _AutocompleteOfNumericIds(
        AudienceChoice._meta.get_field(field_name),
        admin.site,
        attrs={"class": "unfold-admin-autocomplete admin-autocomplete"},
    )


class SegmentForm(ConditionFields, forms.ModelForm):
    """The store, the name and the conditions of a segment."""

    class Meta:
        model = Segment
        fields = ("owner", "name")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        conditions = dict(self.instance.conditions)
        if custom := conditions.pop(segments.CUSTOM_CONDITIONS, None):
            conditions[segments.CUSTOM_CONDITIONS] = write_conditions(custom)
        self.initial = {**conditions, **self.initial}
        for name in segments.CONDITIONS:
            field = self.fields[name]
            if isinstance(field, forms.ModelMultipleChoiceField):
                widget = autocomplete_widget_for_lists_or_segments("list")
                widget.choices = field.choices
                field.widget = widget
            elif name == segments.CUSTOM_CONDITIONS:
                field.widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})
            elif isinstance(field, forms.ChoiceField):
                field.widget = UnfoldAdminSelectWidget(choices=field.choices)
            elif isinstance(field, forms.IntegerField):
                field.widget = UnfoldAdminIntegerFieldWidget(attrs=field.widget.attrs)
            else:
                field.widget = UnfoldAdminTextInputWidget(attrs={"type": "date"})

    def clean(self) -> dict[str, Any]:
        """Give the segment its conditions."""
        cleaned = super().clean()
        self.instance.conditions = stored_conditions_from_cleaned_data(self.cleaned_data)
        return cleaned


@admin.register(Segment)
class SegmentAdmin(LargeTableAdmin):
    empty_hint = _("A segment is a filter of a store's customers, such as women born in May.")
    form = SegmentForm
    list_display = ["name", "owner", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    autocomplete_fields = ["owner"]
    fieldsets = [
        (None, {"fields": ["owner", "name"]}),
        (_("Conditions: all that are set must hold"), {"fields": [*segments.CONDITIONS]}),
    ]
    change_form_before_template = "campaigns/segment_count_place.html"

    class Media:
        js = ["campaigns/segment_form.js"]

    def get_fieldsets(self, request: HttpRequest, obj: Segment | None = None) -> list[Any]:
        """Who may not change a segment sees the conditions that are set, as text."""
        if obj is not None and not self.has_change_permission(request, obj):
            return [(None, {"fields": ["owner", "name", "conditions_as_text"]})]
        return [*super().get_fieldsets(request, obj)]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Segment | None = None
    ) -> list[str] | tuple[str, ...]:
        if obj is not None and not self.has_change_permission(request, obj):
            return ("owner", "name", "conditions_as_text")
        return ()

    @admin.display(description=_("conditions"))
    def conditions_as_text(self, segment: Segment) -> str:
        return segments.describe_segment_conditions(segment)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.count_posted_segment_view)
        return [path("count/", view, name="campaigns_segment_count"), *super().get_urls()]

    def count_posted_segment_view(self, request: HttpRequest) -> HttpResponse:
        """The count of the segment that the posted form describes, and why others are left out."""
        if request.method != "POST" or not self.has_change_permission(request):
            raise PermissionDenied
        form = self.get_form(request)(request.POST)
        form.is_valid()
        segment = form.instance
        problems = [
            error
            for name, errors in form.errors.items()
            if name not in ("owner", "name")
            for error in errors
        ]
        if not problems and segment.owner_id:
            problems = [problem] if (problem := segment_problem(segment)) else []
        count = (
            count_or_estimate_segment_and_left_out(segment)
            if segment.owner_id and not problems
            else None
        )
        context = {"count": count, "problems": problems}
        return TemplateResponse(request, "campaigns/segment_count.html", context)
