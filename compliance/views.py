"""The page on which a customer opts out of a store's messages; its texts are in `page_texts`."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from astronote.common.languages import Language, language_for, language_of
from compliance import unsubscribe
from compliance.page_texts import PAGE_TEXTS

# The page loads only our own style sheet; no cache stores it, and no site learns its address.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
ACTIONS = {"opt_out": unsubscribe.opt_out, "opt_in": unsubscribe.opt_in}


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show the buttons to opt out or in; change consent only by POST, since programs follow links.

    The token in the address authenticates the request, so there is no cookie and no log-in.
    """
    message = unsubscribe.message_for_token(token)
    default = language_of(message.owner) if message else Language.ENGLISH
    language = language_for(request, default)
    context: dict[str, Any] = {"language": language, "texts": PAGE_TEXTS[language]}
    if message is None:
        return TemplateResponse(
            request, "compliance/unknown_link.html", context, status=404, headers=SECURITY_HEADERS
        )
    if request.method == "POST":
        ACTIONS.get(request.POST.get("action", ""), unsubscribe.opt_out)(message)
        if message.contact:
            message.contact.refresh_from_db()
    context |= {
        "shop": message.owner.company or message.owner.sender_name,
        "privacy_notice_url": message.owner.privacy_notice_url,
        "suppressed_everywhere": unsubscribe.is_suppressed_everywhere(message),
        "opted_out": unsubscribe.has_opted_out(message),
        "may_opt_in": unsubscribe.may_opt_in(message),
        "service_stays": message.contact and message.contact.service_allowed,
    }
    return TemplateResponse(
        request, "compliance/unsubscribe.html", context, headers=SECURITY_HEADERS
    )
