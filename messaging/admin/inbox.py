"""The inbox: what customers wrote, the conversation around it, answering, and saved answers."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.eligibility import SendingBlocked
from astronote.accounts.models import User
from astronote.common.admin_lists import LargeTableAdmin, ReadOnlyAdmin
from contacts.models import Contact
from contacts.search import search_contacts_by_beginnings
from messaging.conversations import (
    RepliesBySms,
    enqueue_answer,
    mark_replies_read,
    newest_messages_replies_and_consent_changes,
    replies_received_by_sms,
    reply_text_or_empty_if_erased,
)
from messaging.event_fields import raw_sender_number_of_reply_or_empty
from messaging.models import MAX_ANSWER, Reply, SavedAnswer
from messaging.statuses import WebhookEventStatus

PERMISSION = "messaging.change_reply"
TEXT_SHOWN = 160
CONTACTS_SEARCHED = 200


class UnreadFilter(admin.SimpleListFilter):
    """Replies whose conversation nobody has opened, by their own index."""

    title = _("read")
    parameter_name = "unread"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", gettext("unread"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Reply]) -> QuerySet[Reply]:
        return queryset.filter(read_at=None) if self.value() else queryset


class AnswerForm(forms.Form):
    """The answer; `key` makes a form that is sent twice one message."""

    text = forms.CharField(
        label=_("Answer"), max_length=MAX_ANSWER, widget=forms.Textarea({"rows": 3, "dir": "auto"})
    )
    key = forms.CharField(label="", max_length=60, widget=forms.HiddenInput)


@admin.register(Reply)
class ReplyAdmin(ReadOnlyAdmin):
    empty_hint = _("What customers write to a store whose sender ID is a number comes here.")
    list_display = ["review_or_read_state", "received_at", "owner", "customer", "text"]
    list_display_links = ["text", "customer"]
    list_filter = [UnreadFilter]
    list_select_related = ["owner", "contact"]
    search_fields = ["contact"]
    search_help_text = _("The beginning of a name or number.")
    actions = ["mark_conversations_as_read"]

    def get_queryset(self, request: HttpRequest) -> RepliesBySms:
        return replies_received_by_sms()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Reply], search_term: str
    ) -> tuple[QuerySet[Reply], bool]:
        if not search_term.strip():
            return queryset, False
        found = search_contacts_by_beginnings(Contact.objects.order_by("-pk"), search_term)
        return queryset.filter(contact__in=list(found[:CONTACTS_SEARCHED])), False

    def has_answer_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    @admin.display(description=_("state"))
    def review_or_read_state(self, reply: Reply) -> str:
        if reply.status == WebhookEventStatus.REVIEW:
            return gettext("may be an opt-out")
        return gettext("read") if reply.read_at else gettext("new")

    @admin.display(description=_("customer"))
    def customer(self, reply: Reply) -> str:
        return _name_and_number_of_sender(reply)

    @admin.display(description=_("text"))
    def text(self, reply: Reply) -> str:
        return reply_text_or_empty_if_erased(reply)[:TEXT_SHOWN] or gettext("(the text was erased)")

    @admin.action(description=_("Mark as read"), permissions=["answer"])
    def mark_conversations_as_read(self, request: HttpRequest, queryset: QuerySet[Reply]) -> None:
        for contact in Contact.objects.filter(pk__in=queryset.values("contact")):
            mark_replies_read(contact)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The conversation that the reply belongs to, and the form to answer."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        replies = replies_received_by_sms().select_related("owner", "contact__owner")
        reply = replies.filter(pk=object_id).first() if object_id.isdecimal() else None
        if reply is None:
            raise Http404
        contact = reply.contact
        may_answer = contact is not None and self.has_answer_permission(request)
        form = AnswerForm(request.POST or None, initial={"key": uuid.uuid4()})
        if request.method == "POST":
            if contact is None or not may_answer:
                raise PermissionDenied
            if form.is_valid() and _send_answer_or_add_form_error(request, contact, form):
                return redirect(request.path)
        elif contact is not None and may_answer:
            mark_replies_read(contact)
        context = {
            **self.admin_site.each_context(request),
            "title": _name_and_number_of_sender(reply),
            "opts": self.model._meta,
            "reply": reply,
            "contact": contact,
            "entries": newest_messages_replies_and_consent_changes(contact) if contact else [],
            "text": reply_text_or_empty_if_erased(reply),
            "is_review": reply.status == WebhookEventStatus.REVIEW,
            "form": form if may_answer else None,
            "saved_answers": (
                SavedAnswer.objects.filter(owner=contact.owner).order_by("name") if contact else []
            ),
        }
        return TemplateResponse(request, "messaging/conversation.html", context)


@admin.register(SavedAnswer)
class SavedAnswerAdmin(LargeTableAdmin):
    empty_hint = _(
        "A saved answer is chosen in a conversation, and may be changed before it is sent."
    )
    list_display = ["name", "owner", "text"]
    search_fields = ["name"]
    autocomplete_fields = ["owner"]


def _send_answer_or_add_form_error(
    request: HttpRequest, contact: Contact, form: AnswerForm
) -> bool:
    """Whether the answer is on its way; else the form says why not."""
    assert isinstance(request.user, User)  # the admin has no anonymous users
    data = form.cleaned_data
    try:
        enqueue_answer(contact, data["text"], key=data["key"], by=request.user)
    except SendingBlocked as blocked:
        form.add_error("text", gettext("Not sent: %(blocked)s.") % {"blocked": blocked})
        return False
    messages.success(request, gettext("The answer is on its way."))
    return True


def _name_and_number_of_sender(reply: Reply) -> str:
    contact = reply.contact
    if contact is None:
        return raw_sender_number_of_reply_or_empty(reply.payload or {}) or gettext(
            "an erased number"
        )
    return f"{contact.first_name} {contact.last_name} {contact.phone or ''}".strip()
