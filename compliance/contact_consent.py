"""Recording a person's consent or opt-out as admin actions, for the list and a contact's page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.eligibility import SendingBlocked
from astronote.common.counts import format_count
from astronote.common.store_clock import aware_in_zone_if_naive
from astronote.common.time_fields import LocalTimeField
from contacts.consent_records import (
    ConsentChannel,
    ConsentRefused,
    RecordedConsent,
    record_consent,
    record_opt_out_and_audit,
)
from contacts.models import Contact, MessageType
from messaging import opt_in_requests


class RecordConsentForm(forms.Form):
    """A consent that a person gave on paper or by phone, with its proof."""

    message_type = forms.ChoiceField(
        choices=[
            (MessageType.MARKETING, _("offers")),
            (MessageType.SERVICE, _("service messages")),
        ],
        label=_("Agrees to"),
    )
    channel = forms.ChoiceField(choices=ConsentChannel.choices, label=_("Given"))
    given_at = LocalTimeField(label=_("When"))
    place = forms.CharField(
        max_length=200, label=_("Where"), help_text=_("The branch, or the number that was called.")
    )
    wording = forms.CharField(
        max_length=2000,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("What the person agreed to, word for word."),
        label=_("Wording"),
    )
    version = forms.CharField(
        max_length=80,
        required=False,
        label=_("Version"),
        help_text=_("The wording's, if it has one."),
    )
    document = forms.CharField(
        max_length=200,
        help_text=_("Where the proof is: the number of the form or of the recording."),
        label=_("Document"),
    )


def ask_proof_and_record_consent_of_one_contact_action(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Contact]
) -> HttpResponse | None:
    """Ask for the proof of one contact's consent, and record it."""
    contacts = list(queryset.select_related("owner")[:2])
    if len(contacts) != 1:
        message = gettext("Choose one contact: each consent has a proof of its own.")
        model_admin.message_user(request, message, messages.ERROR)
        return None
    contact = contacts[0]
    form = RecordConsentForm(request.POST if request.POST.get("confirmed") else None)
    if form.is_valid():
        try:
            _record_entered_consent_or_raise_refused(contact, request, **form.cleaned_data)
        except ConsentRefused as refused:
            form.add_error(None, str(refused))
        else:
            model_admin.message_user(request, gettext("The consent is recorded."), messages.SUCCESS)
            return redirect(reverse("admin:contacts_contact_change", args=[contact.pk]))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": gettext("Record a consent of %(contact)s") % {"contact": contact},
        "contact": contact,
        "contacts": contacts,
        "form": form,
        "opts": model_admin.model._meta,
    }
    return TemplateResponse(request, "compliance/record_consent.html", context)


def _record_entered_consent_or_raise_refused(
    contact: Contact, request: HttpRequest, *, message_type: str, channel: str, **proof: Any
) -> None:
    """Record the form's consent; a time without an offset is in the store's zone."""
    proof["given_at"] = aware_in_zone_if_naive(proof["given_at"], contact.owner.timezone)
    record_consent(
        contact,
        MessageType(message_type),
        RecordedConsent(channel=ConsentChannel(channel), **proof),
        by=request.user,
    )


def send_opt_in_requests_action(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Contact]
) -> None:
    """Ask the selected contacts by SMS whether they agree to marketing."""
    asked = 0
    for contact in queryset.select_related("owner"):
        try:
            opt_in_requests.get_or_send_opt_in_request(contact, by=request.user)
            asked += 1
        except SendingBlocked as blocked:
            model_admin.message_user(request, f"{contact}: {blocked}", messages.ERROR)
    if asked:
        model_admin.message_user(
            request,
            ngettext(
                "%(count)s asked. Each can answer for %(hours)s hours.",
                "%(count)s asked. Each can answer for %(hours)s hours.",
                asked,
            )
            % {"count": format_count(asked), "hours": opt_in_requests.LIFETIME_HOURS},
            messages.SUCCESS,
        )


def marketing_opt_out_action(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Contact]
) -> None:
    """Opt the selected contacts out of marketing."""
    _opt_out_selected_and_show_count(model_admin, request, queryset, MessageType.MARKETING)


def service_opt_out_action(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Contact]
) -> None:
    """Opt the selected contacts out of service messages."""
    _opt_out_selected_and_show_count(model_admin, request, queryset, MessageType.SERVICE)


def _opt_out_selected_and_show_count(
    model_admin: Any,
    request: HttpRequest,
    queryset: QuerySet[Contact],
    message_type: MessageType,
) -> None:
    changed = sum(
        record_opt_out_and_audit(contact, message_type, by=request.user) for contact in queryset
    )
    if message_type == MessageType.MARKETING:
        message = ngettext(
            "%(count)s opted out of marketing messages",
            "%(count)s opted out of marketing messages",
            changed,
        )
    else:
        message = ngettext(
            "%(count)s opted out of service messages",
            "%(count)s opted out of service messages",
            changed,
        )
    model_admin.message_user(request, message % {"count": format_count(changed)}, messages.SUCCESS)
