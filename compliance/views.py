"""The pages on which a customer opts out of a store's messages, and agrees to them.

Their texts are in `page_texts.py`.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from astronote.accounts.models import User
from astronote.common.languages import (
    Language,
    language_of_store_or_country,
    preferred_language_or_default,
)
from astronote.common.locks import LockIsHeld, transaction_with_short_lock_timeout
from compliance import unsubscribe
from compliance.page_texts import PAGE_TEXTS
from contacts.consent import Evidence
from contacts.opt_in_wording import without_confirm_link_tag
from messaging import opt_in_requests, page_confirmations, replies
from messaging.models import OutboundMessage
from messaging.opt_in_requests import CodeResult

# A page loads only our own style sheet; no cache stores it, and no site learns its address.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


def company_or_sender_name(store: User) -> str:
    """The name by which a store's customers know it."""
    return store.company or store.sender_name


def evidence_of_address_and_browser(request: HttpRequest) -> Evidence:
    """The address and the browser of a request."""
    return Evidence(
        ip_address=request.META.get("REMOTE_ADDR") or None,
        user_agent=request.headers.get("User-Agent", ""),
    )


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    """Opt out by a button, and in again by a code.

    A GET changes nothing, since programs follow links. The token in the address authenticates the
    request, so there is no cookie and no log-in.
    """
    message = unsubscribe.find_message_by_unexpired_token(token)
    context = _texts_context_in_visitor_or_store_language(
        request, message.owner if message else None
    )
    if message is None:
        return _page_response_with_security_headers(
            request, "compliance/unknown_link.html", context, status=404
        )
    shop = company_or_sender_name(message.owner)
    problem = (
        _opt_out_or_send_code_or_opt_in_and_get_problem_name(request, message, shop, context)
        if request.method == "POST"
        else ""
    )
    if message.contact:
        message.contact.refresh_from_db()
    context |= {
        "shop": shop,
        "privacy_notice_url": message.owner.privacy_notice_url,
        "problem": problem and getattr(context["texts"], problem),
        "suppressed_everywhere": unsubscribe.is_suppressed_everywhere(message),
        "opted_out": unsubscribe.is_opted_out(message),
        "may_opt_in": unsubscribe.may_opt_in_by_code(message),
        "awaits_code": unsubscribe.has_open_opt_in_code(message),
        "service_stays": message.contact and message.contact.service_allowed,
    }
    return _page_response_with_security_headers(request, "compliance/unsubscribe.html", context)


def _opt_out_or_send_code_or_opt_in_and_get_problem_name(
    request: HttpRequest, message: OutboundMessage, shop: str, context: dict[str, Any]
) -> str:
    """Do what the button says, and opt out if it says nothing else.

    Returns:
        The name of the text that tells the problem; empty if there is none.
    """
    texts, action = context["texts"], request.POST.get("action")
    if action not in ("send_code", "opt_in"):
        unsubscribe.store_opt_out(message, evidence_of_address_and_browser(request))
        return ""
    try:
        with transaction_with_short_lock_timeout():
            if action == "send_code":
                text = texts.code_sms.format(shop=shop)
                is_sent = unsubscribe.send_code_if_number_unchanged_and_allowed(
                    message, text, wording=texts.agree_again, language=context["language"]
                )
                return "" if is_sent else "no_code"
            code = request.POST.get("code", "")
            result = unsubscribe.opt_in_by_code_or_count_wrong_code(
                message, code, evidence_of_address_and_browser(request)
            )
            return "" if result == CodeResult.ACCEPTED else result.value
    except LockIsHeld:
        return "busy"


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def show_or_store_opt_in_confirmation_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show what an opt-in request asks; a press agrees, a GET changes nothing."""
    asked = opt_in_requests.find_answered_or_open_request_by_token(token)
    context = _texts_context_in_visitor_or_store_language(
        request, asked.contact.owner if asked else None
    )
    if asked and request.method == "POST":
        if not page_confirmations.is_stored_confirmation_unapplied(asked):
            confirmation = page_confirmations.store_unapplied_confirmation(
                asked, evidence_of_address_and_browser(request)
            )
            replies.apply_at_once_or_enqueue_job(confirmation)
        asked = opt_in_requests.find_answered_or_open_request_by_token(token)
    if asked is None:
        context["help"] = context["texts"].confirm_help
        return _page_response_with_security_headers(
            request, "compliance/unknown_link.html", context, status=404
        )
    context |= {
        "shop": company_or_sender_name(asked.contact.owner),
        "privacy_notice_url": asked.contact.owner.privacy_notice_url,
        "wording": without_confirm_link_tag(asked.wording),
        "confirmed": asked.answered_at is not None
        or page_confirmations.is_stored_confirmation_unapplied(asked),
    }
    return _page_response_with_security_headers(request, "compliance/confirm_opt_in.html", context)


def _texts_context_in_visitor_or_store_language(
    request: HttpRequest, store: User | None
) -> dict[str, Any]:
    """The texts in the visitor's language, else in the store's, else in English."""
    language = preferred_language_or_default(
        request, language_of_store_or_country(store) if store else Language.ENGLISH
    )
    return {"texts": PAGE_TEXTS[language], "language": language}


def _page_response_with_security_headers(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    return TemplateResponse(request, template, context, status=status, headers=SECURITY_HEADERS)
