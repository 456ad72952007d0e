"""Lists in the admin, and adding and removing their members.

They are here and not in `contacts/`, because members are also chosen by segments and campaigns.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.common.admin_lists import LargeTableAdmin
from astronote.common.counts import format_count
from campaigns.audience import local_today
from campaigns.list_members import (
    CampaignResult,
    add_members,
    contacts_with_campaign_result,
    find_contacts_by_written_numbers,
    remove_contacts_from_list_and_audit,
)
from campaigns.models import Campaign, Segment
from campaigns.segments import contacts_with_phone_matching_segment, segment_problem
from contacts.models import Contact, List, ListMembership

MAX_NUMBERS_LENGTH = 100_000


class MembersForm(forms.Form):
    """Which contacts of the list's store are added or removed."""

    change = forms.ChoiceField(
        label=_("Change"), choices=[("add", _("add")), ("remove", _("remove"))]
    )
    numbers = forms.CharField(
        label=_("Numbers"),
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=MAX_NUMBERS_LENGTH,
        required=False,
        help_text=_("One a line."),
    )
    segment = forms.ModelChoiceField(Segment.objects, label=_("Segment"), required=False)
    campaign = forms.ModelChoiceField(Campaign.objects, label=_("Campaign"), required=False)
    result = forms.ChoiceField(
        label=_("Whose message of the campaign"),
        choices=[("", "–"), *CampaignResult.choices],
        required=False,
    )

    def __init__(self, target: List, *args: Any) -> None:
        super().__init__(*args)
        self.target = target
        for name, model in (("segment", Segment), ("campaign", Campaign)):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = model._default_manager.filter(owner=target.owner).order_by("-pk")

    def clean(self) -> dict[str, Any]:
        """Find the contacts; one way of choosing them must be used.

        Raises:
            ValidationError: if none or several are, or a line holds no number of a contact.
        """
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        chosen = [name for name in ("numbers", "segment", "campaign") if cleaned.get(name)]
        if len(chosen) != 1:
            raise forms.ValidationError(gettext("Choose numbers, or a segment, or a campaign."))
        if chosen == ["campaign"] and not cleaned.get("result"):
            raise forms.ValidationError(gettext("Choose whose message of the campaign."))
        cleaned["contacts"] = self._find_chosen_contacts_or_raise_validation_error(cleaned)
        return cleaned

    def _find_chosen_contacts_or_raise_validation_error(
        self, cleaned: dict[str, Any]
    ) -> QuerySet[Contact]:
        store = self.target.owner
        if segment := cleaned["segment"]:
            if problem := segment_problem(segment):
                raise forms.ValidationError(problem)
            return contacts_with_phone_matching_segment(segment, local_today(store))
        if campaign := cleaned["campaign"]:
            return contacts_with_campaign_result(campaign, cleaned["result"])
        found = find_contacts_by_written_numbers(store, cleaned["numbers"].splitlines())
        if unused := [*found.unknown, *found.unreadable]:
            raise forms.ValidationError(
                gettext("No contact of the store has: %(numbers)s. Nothing was changed.")
                % {"numbers": ", ".join(unused[:10]) + (" …" if len(unused) > 10 else "")}
            )
        return found.contacts


@admin.register(List)
class ListAdmin(LargeTableAdmin):
    empty_hint = _("A list is chosen customers of a store, for campaigns; imports make lists too.")
    list_display = ["name", "owner", "description"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    autocomplete_fields = ["owner"]
    change_form_outer_before_template = "campaigns/list_tools.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.add_or_remove_list_members_view)
        return [path("<int:pk>/members/", view, name="contacts_list_members"), *super().get_urls()]

    def add_or_remove_list_members_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Add members to a list, or remove them."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        target = get_object_or_404(List.objects.select_related("owner"), pk=pk)
        form = MembersForm(target, request.POST or None)
        if request.method == "POST" and form.is_valid():
            contacts = form.cleaned_data["contacts"]
            if form.cleaned_data["change"] == "add":
                count = add_members(target, contacts, by=request.user)
                messages.success(
                    request,
                    gettext("%(count)s added to %(list)s")
                    % {"count": format_count(count), "list": target},
                )
            else:
                count = remove_contacts_from_list_and_audit(target, contacts, by=request.user)
                messages.success(
                    request,
                    gettext("%(count)s removed from %(list)s")
                    % {"count": format_count(count), "list": target},
                )
            return redirect("admin:contacts_list_members", pk)
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Members of %(list)s") % {"list": target},
            "opts": self.model._meta,
            "original": target,
            "count": ListMembership.objects.filter(list=target).count(),
            "form": form,
        }
        return TemplateResponse(request, "campaigns/list_members.html", context)
