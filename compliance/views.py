"""The pages on which a customer opts out of a store's messages, and agrees to them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import get_language_from_request
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from astronote.accounts.models import User
from compliance import unsubscribe
from contacts.consent import Evidence
from contacts.opt_in_wording import without_link
from messaging import opt_in_requests

# A page loads only our own style sheet; no cache stores it, and no site learns its address.
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
        "confirm": "Yes, I agree",
        "confirmed": "Thank you. You will get offers from this shop by SMS.",
        "may_stop": "You can stop them at any time by the link in each message.",
        "confirm_help": "It has expired, it was taken back, or only a part of it was copied. Ask"
        " the shop.",
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
        "confirm": "Ναι, συμφωνώ",
        "confirmed": "Ευχαριστούμε. Θα λαμβάνετε προσφορές από αυτό το κατάστημα με SMS.",
        "may_stop": "Μπορείτε να τις σταματήσετε οποτεδήποτε με τον σύνδεσμο σε κάθε μήνυμα.",
        "confirm_help": "Έληξε, ανακλήθηκε ή δεν αντιγράφηκε ολόκληρος. Ρωτήστε το κατάστημα.",
        "unknown": "Ο σύνδεσμος δεν λειτουργεί",
        "help": "Έληξε ή δεν αντιγράφηκε ολόκληρος. Πατήστε τον ξανά στο μήνυμα που λάβατε,"
        " απαντήστε στο μήνυμα με ΣΤΟΠ ή ρωτήστε το κατάστημα.",
    },
}


def shop_name(store: User) -> str:
    """The name by which a store's customers know it."""
    return store.company or store.sender_name


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
    context = _language_context(request)
    message = unsubscribe.message_for_token(token)
    if message is None:
        return _page(request, "compliance/unknown_link.html", context, status=404)
    if request.method == "POST":
        act = ACTIONS.get(request.POST.get("action", ""), unsubscribe.opt_out)
        act(message, evidence_of(request))
        if message.contact:
            message.contact.refresh_from_db()
    context |= {
        "shop": shop_name(message.owner),
        "opted_out": unsubscribe.has_opted_out(message),
    }
    return _page(request, "compliance/unsubscribe.html", context)


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_page(request: HttpRequest, token: str) -> HttpResponse:
    """Show what an opt-in request asks; a press agrees, a GET changes nothing."""
    context = _language_context(request)
    asked = opt_in_requests.request_for_token(token)
    if asked and request.method == "POST":
        opt_in_requests.confirm(asked, evidence_of(request))
        asked = opt_in_requests.request_for_token(token)
    if asked is None:
        context["help"] = context["texts"]["confirm_help"]
        return _page(request, "compliance/unknown_link.html", context, status=404)
    context |= {
        "shop": shop_name(asked.contact.owner),
        "wording": without_link(asked.wording),
        "confirmed": asked.answered_at is not None,
    }
    return _page(request, "compliance/confirm_opt_in.html", context)


def _language_context(request: HttpRequest) -> dict[str, Any]:
    """The texts in the browser's language, or in English."""
    language = get_language_from_request(request)[:2]
    language = language if language in PAGE_TEXTS else "en"
    return {"texts": PAGE_TEXTS[language], "language": language}


def _page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    return TemplateResponse(request, template, context, status=status, headers=SECURITY_HEADERS)
