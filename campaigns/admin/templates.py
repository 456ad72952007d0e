"""Templates in the admin: the texts of a store, what they came to, and starting from one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.models import User
from astronote.common.admin_lists import LargeTableAdmin
from astronote.common.counts import format_count
from campaigns.template_results import template_results
from messaging.models import MessageTemplate
from messaging.starter_templates import LANGUAGES, copy_library_templates


def find_template_named_in_query_string(request: HttpRequest) -> MessageTemplate | None:
    """The template that the address of a form names by `?template=`."""
    known = request.GET.get("template", "")
    if not (known.isascii() and known.isdecimal() and len(known) < 19):
        return None
    return MessageTemplate.objects.filter(pk=known).first()


class StarterLibraryForm(forms.Form):
    """The store that gets the starter library, and the language."""

    store = forms.ModelChoiceField(User.objects.filter(is_staff=False), label=_("Store"))
    language = forms.ChoiceField(
        label=_("Language"), choices=[(one.value, one.label) for one in LANGUAGES]
    )


@admin.register(MessageTemplate)
class MessageTemplateAdmin(LargeTableAdmin):
    empty_hint = _("A template is a text that campaigns start from; the starter library has some.")
    list_display = ["name", "owner", "category", "language", "goal"]
    list_filter = ["category", "language"]
    list_select_related = ["owner"]
    search_fields = ["name"]
    autocomplete_fields = ["owner"]
    list_before_template = "campaigns/template_list_tools.html"
    change_form_outer_before_template = "campaigns/template_tools.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.copy_missing_starter_templates_view)
        return [
            path("starter/", view, name="messaging_messagetemplate_starter"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The form, below what campaigns that started from the template came to."""
        template = self.get_object(request, object_id)
        context = {"results": template_results(template)} if template else {}
        return super().change_view(request, object_id, form_url, context)

    def copy_missing_starter_templates_view(self, request: HttpRequest) -> HttpResponse:
        """Copy the starter library to a store."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = StarterLibraryForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            store, language = form.cleaned_data["store"], form.cleaned_data["language"]
            count = copy_library_templates(store, language, by=request.user)
            said = ngettext(
                "%(count)s template added to %(store)s",
                "%(count)s templates added to %(store)s",
                count,
            )
            messages.success(request, said % {"count": format_count(count), "store": store})
            return redirect("admin:messaging_messagetemplate_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Add the starter library to a store"),
            "opts": self.model._meta,
            "form": form,
        }
        return TemplateResponse(request, "campaigns/starter_library.html", context)
