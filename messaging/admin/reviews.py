"""Replies to decide in the admin: the list, and the decision whether a reply is an opt-out."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet, TextChoices
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from astronote.accounts.models import User
from astronote.common.admin_lists import ReadOnlyAdmin
from astronote.common.counts import format_count
from messaging.models import ReplyReview
from messaging.reply_reviews import (
    DecisionRefused,
    UndecidedReviews,
    decide_review,
    describe_reviews,
    open_reviews,
    proposes_opt_out,
    review_text_or_empty_if_erased,
)
from messaging.statuses import WebhookEventStatus

PERMISSION = "messaging.change_replyreview"
TEXT_SHOWN = 160
LIST = "admin:messaging_replyreview_changelist"


class Answer(TextChoices):
    """What an operator may decide."""

    OPT_OUT = "opt_out", _("Opt out")
    NOT_AN_OPT_OUT = "not_an_opt_out", _("Not an opt-out")


def _answers_proposed_first(is_opt_out: bool) -> list[Answer]:
    return list(Answer) if is_opt_out else list(reversed(Answer))


@admin.register(ReplyReview)
class ReplyReviewAdmin(ReadOnlyAdmin):
    empty_hint = _("Replies that may be opt-outs wait here for a decision.")
    list_display = ["received_at", "owner", "text", "proposed_answer"]
    list_select_related = ["owner"]
    ordering = ("pk",)
    actions = ["opt_out", "not_an_opt_out"]

    def get_queryset(self, request: HttpRequest) -> UndecidedReviews:
        return open_reviews()

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PERMISSION)

    @admin.display(description=_("text"))
    def text(self, reply: ReplyReview) -> str:
        return review_text_or_empty_if_erased(reply)[:TEXT_SHOWN]

    @admin.display(description=_("proposed"))
    def proposed_answer(self, reply: ReplyReview) -> str:
        return str(_answers_proposed_first(proposes_opt_out(reply))[0].label)

    @admin.action(description=Answer.OPT_OUT.label, permissions=["decide"])
    def opt_out(self, request: HttpRequest, queryset: QuerySet[ReplyReview]) -> None:
        self._decide_each_and_show_refusals(request, queryset, Answer.OPT_OUT)

    @admin.action(description=Answer.NOT_AN_OPT_OUT.label, permissions=["decide"])
    def not_an_opt_out(self, request: HttpRequest, queryset: QuerySet[ReplyReview]) -> None:
        self._decide_each_and_show_refusals(request, queryset, Answer.NOT_AN_OPT_OUT)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The reply, and the two answers with the proposed one first."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        reply = ReplyReview.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        if reply is None:
            raise Http404
        if request.method == "POST":
            if not self.has_decide_permission(request):
                raise PermissionDenied
            answer = request.POST.get("answer", "")
            if answer in Answer.values:
                self._decide_each_and_show_refusals(
                    request, ReplyReview.objects.filter(pk=reply.pk), Answer(answer)
                )
            return redirect(LIST)
        [review] = describe_reviews([reply])
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Is this reply an opt-out?"),
            "opts": self.model._meta,
            "review": review,
            "answers": _answers_proposed_first(review.proposes_opt_out),
            "is_open": reply.status == WebhookEventStatus.REVIEW,
            "may_decide": self.has_decide_permission(request),
        }
        return TemplateResponse(request, "messaging/decide_reply.html", context)

    def _decide_each_and_show_refusals(
        self, request: HttpRequest, reviews: QuerySet[ReplyReview], answer: Answer
    ) -> None:
        assert isinstance(request.user, User)  # the admin has no anonymous users
        decided = 0
        for pk in reviews.values_list("pk", flat=True):
            try:
                decide_review(pk, is_opt_out=answer == Answer.OPT_OUT, by=request.user)
                decided += 1
            except DecisionRefused as refused:
                messages.error(request, str(refused))
        if decided:
            said = gettext("%(answer)s: %(count)s decided")
            messages.success(
                request, said % {"answer": answer.label, "count": format_count(decided)}
            )
