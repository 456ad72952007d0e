"""The rights of a person as admin actions, for the list of contacts and a contact's page."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext

from astronote.accounts.models import User
from astronote.common.counts import format_count
from compliance import access, rights
from contacts import restriction
from contacts.models import Contact

MAX_REASON_LENGTH = 200


def erase_or_restrict_contact(contact: Contact, by: User | AnonymousUser) -> rights.Erasure | None:
    """Erase the person of a contact at its store; None if the contact has no number any more."""
    return (
        rights.erase_or_restrict_person_by_phone(contact.phone, contact.owner_id, by=by)
        if contact.phone
        else None
    )


def show_held_data_and_audit_action(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Contact]
) -> HttpResponse:
    """Show all data held on the selected contacts."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": gettext("Personal data held"),
        "opts": model_admin.model._meta,
        "persons": [
            rights.collect_held_data_of_person_and_audit(
                contact.phone, contact.owner_id, by=request.user
            )
            for contact in queryset
            if contact.phone
        ],
    }
    return TemplateResponse(request, "compliance/show_person.html", context)


def export_persons_as_zip_and_audit_action(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Contact]
) -> HttpResponse:
    """Download all data held on the selected contacts, each as a page and as JSON."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for contact in queryset:
            if contact.phone:
                held = rights.collect_held_data_of_person_and_audit(
                    contact.phone, contact.owner_id, by=request.user
                )
                file.writestr(f"contact-{contact.pk}.json", access.held_data_as_json(held))
                file.writestr(f"contact-{contact.pk}.html", access.held_data_as_html_page(held))
    return HttpResponse(
        archive.getvalue(),
        content_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="personal-data.zip"'},
    )


def withdraw_all_consent_action(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Contact]
) -> None:
    """Withdraw the selected contacts' consents to marketing and to service messages."""
    changed = sum(
        rights.withdraw_all_consent(contact.phone, contact.owner_id, by=request.user)
        for contact in queryset
        if contact.phone
    )
    model_admin.message_user(
        request,
        ngettext("%(count)s consent withdrawn", "%(count)s consents withdrawn", changed)
        % {"count": format_count(changed)},
        messages.SUCCESS,
    )


def ask_reason_and_restrict_action(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Contact]
) -> HttpResponse | None:
    """Restrict the selected contacts; ask for the reason first."""
    selected = list(queryset.exclude(phone=None).select_related("owner"))
    reason = request.POST.get("reason", "").strip()[:MAX_REASON_LENGTH]
    if not reason:
        context = {
            **model_admin.admin_site.each_context(request),
            "title": gettext("Restrict?"),
            "contacts": selected,
            "opts": model_admin.model._meta,
        }
        return TemplateResponse(request, "compliance/restrict.html", context)
    changed = sum(
        restriction.restrict_contact(contact.pk, reason=reason, by=request.user)
        for contact in selected
    )
    model_admin.message_user(
        request,
        ngettext("%(count)s contact restricted", "%(count)s contacts restricted", changed)
        % {"count": format_count(changed)},
        messages.SUCCESS,
    )
    return None


def lift_restrictions_action(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Contact]
) -> None:
    """End the restriction of the selected contacts."""
    changed = sum(restriction.lift_restriction(contact.pk, by=request.user) for contact in queryset)
    model_admin.message_user(
        request,
        ngettext(
            "%(count)s contact is no longer restricted",
            "%(count)s contacts are no longer restricted",
            changed,
        )
        % {"count": format_count(changed)},
        messages.SUCCESS,
    )


def confirm_then_erase_or_restrict_held_action(
    model_admin: Any, request: HttpRequest, queryset: QuerySet[Contact]
) -> HttpResponse | None:
    """Erase the persons of the selected contacts; ask for a confirmation first."""
    selected = list(queryset.exclude(phone=None))
    if not request.POST.get("confirmed"):
        context = {
            **model_admin.admin_site.each_context(request),
            "title": gettext("Erase for good?"),
            "contacts": selected,
            "opts": model_admin.model._meta,
        }
        return TemplateResponse(request, "compliance/confirm_erasure.html", context)
    erased = 0
    for contact in selected:
        erasure = erase_or_restrict_contact(contact, request.user)
        if erasure is None or erasure.restricted:
            notice = gettext(
                "contact %(id)s is under a legal hold: it was restricted, not erased"
            ) % {"id": contact.pk}
            model_admin.message_user(request, notice, messages.WARNING)
            continue
        erased += 1
        for trace in erasure.traces_left_without_reason:
            notice = gettext("contact %(id)s is erased, but still named in %(trace)s") % {
                "id": contact.pk,
                "trace": trace,
            }
            model_admin.message_user(request, notice, messages.ERROR)
    model_admin.message_user(
        request,
        ngettext("%(count)s person erased", "%(count)s persons erased", erased)
        % {"count": format_count(erased)},
        messages.SUCCESS,
    )
    return None
