"""The page on which a customer opts out of a store's messages."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import get_language_from_request
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from compliance import unsubscribe
from contacts.consent import Evidence

# The page loads only our own style sheet; no cache stores it, and no site learns its address.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
ACTIONS = {"opt_out": unsubscribe.opt_out, "opt_in": unsubscribe.opt_in}
PAGE_TEXTS = {
    "en": {
        "title": "Messages from",
        "ask": "You get messages with offers from this shop. Do you want to stop them?",
        "opt_out": "Stop the messages",
        "done": "Done. You will get no more offers from this shop.",
        "regret": "Was this a mistake?",
        "opt_in": "Get the messages again",
        "unknown": "This link does not work",
        "help": "It has expired, or only a part of it was copied. Tap it again in the message that"
        " you got, answer the message with STOP, or ask the shop.",
    },
    "el": {
        "title": "Μηνύματα από",
        "ask": "Λαμβάνετε μηνύματα με προσφορές από αυτό το κατάστημα. Θέλετε να σταματήσουν;",
        "opt_out": "Διακοπή μηνυμάτων",
        "done": "Έγινε. Δεν θα λαμβάνετε πια προσφορές από αυτό το κατάστημα.",
        "regret": "Έγινε κατά λάθος;",
        "opt_in": "Να λαμβάνω ξανά τα μηνύματα",
        "unknown": "Ο σύνδεσμος δεν λειτουργεί",
        "help": "Έληξε ή δεν αντιγράφηκε ολόκληρος. Πατήστε τον ξανά στο μήνυμα που λάβατε,"
        " απαντήστε στο μήνυμα με ΣΤΟΠ ή ρωτήστε το κατάστημα.",
    },
}


def evidence_of(request: HttpRequest) -> Evidence:
    """The address and the browser of a request."""
    return Evidence(
        ip_address=request.META.get("REMOTE_ADDR") or None,
        user_agent=request.headers.get("User-Agent", ""),
    )


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show the buttons to opt out or in; change consent only by POST, since programs follow links.

    The token in the address authenticates the request, so there is no cookie and no log-in.
    """
    language = get_language_from_request(request)[:2]
    texts = PAGE_TEXTS.get(language, PAGE_TEXTS["en"])
    context: dict[str, Any] = {
        "texts": texts,
        "language": language if language in PAGE_TEXTS else "en",
    }
    message = unsubscribe.message_for_token(token)
    if message is None:
        return TemplateResponse(
            request, "compliance/unknown_link.html", context, status=404, headers=SECURITY_HEADERS
        )
    if request.method == "POST":
        act = ACTIONS.get(request.POST.get("action", ""), unsubscribe.opt_out)
        act(message, evidence_of(request))
        if message.contact:
            message.contact.refresh_from_db()
    context |= {
        "shop": message.owner.company or message.owner.sender_name,
        "opted_out": unsubscribe.has_opted_out(message),
    }
    return TemplateResponse(
        request, "compliance/unsubscribe.html", context, headers=SECURITY_HEADERS
    )
