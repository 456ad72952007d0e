"""Messages of campaigns and automations in the admin, and resolving unknown ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from astronote.common.admin_lists import STORE_PARAMETER, ReadOnlyAdmin
from astronote.common.counts import format_count
from astronote.common.stored_words import label_of
from campaigns.automations import welcome
from campaigns.models import AutomationMessage, AutomationSend, CampaignMessage
from campaigns.not_reached import MAY_NOT_BE_REACHED
from contacts.lookup import (
    contact_ids_of_all_stores_with_phone,
    possible_numbers_in_countries_of_stores,
)
from messaging import unknown_messages
from messaging.credits import InsufficientCredits
from messaging.models import OutboundMessage
from messaging.statuses import NOT_DELIVERED_STATUSES, MessageStatus, describe_reason

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

NOT_REACHED = "not_reached"
TEXT_SHOWN = 80
Action = Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]


def _build_resolve_unknown_action(
    resolve_messages: Callable[..., int], name: str, label: StrPromise
) -> Action:
    """Make an admin action that resolves the unknown ones of the chosen messages."""

    @admin.action(description=label, permissions=["resolve_unknown"])
    def resolve(self, request, queryset):
        ids = list(queryset.values_list("pk", flat=True))
        try:
            count = resolve_messages(self.model, ids, by=request.user)
        except (InsufficientCredits, unknown_messages.CannotSendAgain) as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            said = ngettext(
                "%(action)s: %(count)s message", "%(action)s: %(count)s messages", count
            ) % {"action": label, "count": format_count(count)}
            self.message_user(request, said, messages.SUCCESS)

    resolve.__name__ = name
    return resolve


def _build_resolve_unknown_action_with_confirmation(
    resolve_messages: Callable[..., int],
    name: str,
    label: StrPromise,
    *,
    title: StrPromise,
    warning: StrPromise,
) -> Action:
    """Make an action like `_build_resolve_unknown_action` that first warns on a page of its own."""
    resolve = _build_resolve_unknown_action(resolve_messages, name, label)

    @admin.action(description=label, permissions=["resolve_unknown"])
    def confirm_or_resolve(self, request, queryset):
        if request.POST.get("confirmed"):
            return resolve(self, request, queryset)
        unknown = queryset.filter(status=MessageStatus.UNKNOWN)
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "warning": warning,
            "action_name": name,
            "message_ids": list(unknown.values_list("pk", flat=True)),
            "opts": self.model._meta,
        }
        return TemplateResponse(request, "campaigns/confirm_unknown_action.html", context)

    confirm_or_resolve.__name__ = name
    return confirm_or_resolve


class NotReachedOrUndeliveredStatusFilter(admin.SimpleListFilter):
    """Messages that were not delivered, by the index on messages with an error code."""

    title = _("not delivered")
    parameter_name = "trouble"

    def lookups(self, request, model_admin):
        statuses = [(status.value, status.label) for status in NOT_DELIVERED_STATUSES]
        return [(NOT_REACHED, gettext("not reached, for what may have changed")), *statuses]

    def queryset(self, request, queryset):
        status = self.value()
        if status == NOT_REACHED:
            return queryset.filter(MAY_NOT_BE_REACHED)
        # The condition on the code lets PostgreSQL use the index.
        return queryset.filter(status=status).exclude(error_code="") if status else queryset


class MessageAdmin(ReadOnlyAdmin):
    actions = [
        _build_resolve_unknown_action_with_confirmation(
            unknown_messages.mark_unknown_delivered,
            "mark_delivered",
            _("Unknown: mark delivered"),
            title=_("Mark unknown messages delivered?"),
            warning=_("Their credits are charged. This cannot be undone."),
        ),
        _build_resolve_unknown_action(
            unknown_messages.mark_unknown_failed,
            "mark_failed",
            _("Unknown: mark failed and release credits"),
        ),
        _build_resolve_unknown_action_with_confirmation(
            unknown_messages.requeue_unknown,
            "resend",
            _("Unknown: send again"),
            title=_("Send unknown messages again?"),
            warning=_(
                "Mitto gave no clear answer about them. Look them up in Mitto's portal first: "
                "a message that Mitto did accept is sent twice."
            ),
        ),
    ]
    list_filter = [NotReachedOrUndeliveredStatusFilter]
    list_select_related = ["owner"]
    search_fields = ["provider_message_id"]
    search_help_text = _("A number in any form, or Mitto's message id.")
    list_display = [
        "id",
        "owner",
        "to",
        "beginning_of_text",
        "status",
        "delivery_status",
        "error_code",
        "sent_at",
    ]
    column_labels = {"error_code": _("reason")}
    words = {"error_code": describe_reason}

    def has_resolve_unknown_permission(self, request):
        return request.user.has_perm("campaigns.change_campaign")

    def get_queryset(self, request):
        """Those of one store are found through its campaigns: messages have no index on stores."""
        queryset = super().get_queryset(request)
        store = request.GET.get(STORE_PARAMETER, "")
        if store.isdecimal():
            source = self.model._meta.get_field(self.model.source_column.removesuffix("_id"))
            ids = source.related_model.objects.filter(owner=store).values_list("pk", flat=True)
            queryset = queryset.filter(**{f"{source.name}__in": list(ids)})
        return queryset

    def get_search_results(self, request, queryset, search_term):
        term = search_term.strip()
        if not term:
            return queryset, False
        numbers = possible_numbers_in_countries_of_stores(term)
        ids = [pk for number in numbers for pk in contact_ids_of_all_stores_with_phone(number)]
        is_to_number = Q(contact__in=ids) | Q(contact=None, to__in=numbers)
        return queryset.filter(is_to_number | Q(provider_message_id=term)), False

    @admin.display(description=_("text"))
    def beginning_of_text(self, message: OutboundMessage) -> str:
        return Truncator(message.text).chars(TEXT_SHOWN)


admin.site.register(AutomationSend, MessageAdmin)


@admin.register(AutomationMessage)
class AutomationMessageAdmin(MessageAdmin):
    words = {
        **MessageAdmin.words,
        "occurrence_key": label_of({welcome.OCCURRENCE_KEY: _("welcome")}),
    }


@admin.register(CampaignMessage)
class CampaignMessageAdmin(MessageAdmin):
    list_keys = ("-pk", "contact")

    def lookup_allowed(self, lookup, value, request):
        """Also by the reason, as the campaign's page links to it."""
        return lookup == "error_code__exact" or super().lookup_allowed(lookup, value, request)

    def get_ordering(self, request):
        # The messages of one campaign come in the order of the index that finds them: nothing is
        # sorted, even for a million.
        one_campaign = "campaign__id__exact" in request.GET
        return ["contact"] if one_campaign else super().get_ordering(request)
