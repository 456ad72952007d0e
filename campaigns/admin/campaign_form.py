"""The form of a campaign in the admin: fields, their labels, and the choices of the audience."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from campaigns.admin.segments import autocomplete_widget_for_lists_or_segments
from campaigns.models import AudienceChoice, Campaign, Segment
from contacts.models import List

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

TEXT_FIELDS = ["owner", "name", "message_type", "template", "message_text", "offer_url"]
# Controls of the audience's choices: whether they choose lists, and whether these are left out.
CHOICE_FIELDS = {
    "more_lists": ("list", False),
    "segments": ("segment", False),
    "excluded_lists": ("list", True),
    "excluded_segments": ("segment", True),
}
AUDIENCE_FIELDS = ["to_everybody", "list", "filter_gender", "filter_age_group", *CHOICE_FIELDS]
FIELD_LABELS = {
    "owner": _("Store"),
    "message_text": _("Text"),
    "offer_url": _("Offer address"),
    "filter_gender": _("Gender"),
    "filter_age_group": _("Age"),
}
TAGS_HELP = _(
    "May hold {{first_name}}, {{last_name}}, {{email}}, {{offer_link}} and {{unsubscribe_link}}."
    " {{first_name|there}} says what stands for a missing name."
)


def _build_lists_or_segments_field(
    list_or_segment: str, label: StrPromise
) -> forms.ModelMultipleChoiceField:
    model = {"list": List, "segment": Segment}[list_or_segment]
    return forms.ModelMultipleChoiceField(
        model._default_manager,
        label=label,
        required=False,
        widget=autocomplete_widget_for_lists_or_segments(list_or_segment),
    )


class CampaignForm(forms.ModelForm):
    """A campaign with the choices of its audience."""

    more_lists = _build_lists_or_segments_field("list", _("Further lists"))
    segments = _build_lists_or_segments_field("segment", _("Segments"))
    excluded_lists = _build_lists_or_segments_field("list", _("Without these lists"))
    excluded_segments = _build_lists_or_segments_field("segment", _("Without these segments"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (source, is_excluded) in CHOICE_FIELDS.items():
            self.initial[name] = [
                getattr(choice, f"{source}_id")
                for choice in self.instance.audience_choices()
                if getattr(choice, f"{source}_id") and choice.is_excluded == is_excluded
            ]

    def clean(self) -> dict[str, Any] | None:
        """Give the campaign its choices before it is checked."""
        cleaned = super().clean()
        choices = {
            (source, one.pk): AudienceChoice(**{source: one}, is_excluded=is_excluded)
            for name, (source, is_excluded) in CHOICE_FIELDS.items()
            for one in self.cleaned_data.get(name, ())
        }
        self.instance.choose_audience(choices.values())
        return cleaned


def build_choice_names_column(choice_field_name: str) -> Callable[..., str]:
    """What somebody sees in place of a control who may not change the campaign."""
    source, is_excluded = CHOICE_FIELDS[choice_field_name]

    @admin.display(description=CampaignForm.base_fields[choice_field_name].label)
    def choice_names(self: Any, campaign: Campaign) -> str:
        names = [
            str(choice.source)
            for choice in campaign.audience_choices()
            if getattr(choice, f"{source}_id") and choice.is_excluded == is_excluded
        ]
        return ", ".join(names) or "–"

    return choice_names
