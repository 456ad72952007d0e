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
PAGE_TEXTS = {
    "en": {
        "title": "Messages from",
        "ask": "You get messages with offers from this shop. Do you want to stop them?",
        "opt_out": "Stop the messages",
        "done": "Done. You will get no more offers from this shop.",
        "regret": "Was this a mistake?",
        "agree_again": "I want to get offers from this shop by SMS again.",
        "opt_in": "Get the messages again",
        "code_sms": "{shop}: {{{{code}}}} is your code to get offers by SMS again. If you did not"
        " ask for it, ignore this message.",
        "code_sent": "We have sent you an SMS with six digits. They hold for ten minutes.",
        "code": "Code",
        "enter_code": "Confirm",
        "new_code": "Send a new code",
        "no_code": "No code can be sent now. Try again tomorrow, or ask the shop.",
        "wrong": "This is not the code that we sent.",
        "expired": "This code does not hold any more. Ask for a new one.",
        "refused": "You cannot get the messages again on this page. Ask the shop.",
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
        "agree_again": "Θέλω να λαμβάνω ξανά προσφορές από αυτό το κατάστημα με SMS.",
        "opt_in": "Να λαμβάνω ξανά τα μηνύματα",
        "code_sms": "{shop}: {{{{code}}}} είναι ο κωδικός σας για να λαμβάνετε ξανά προσφορές με"
        " SMS. Αν δεν τον ζητήσατε, αγνοήστε το μήνυμα.",
        "code_sent": "Σας στείλαμε SMS με έξι ψηφία. Ισχύουν για δέκα λεπτά.",
        "code": "Κωδικός",
        "enter_code": "Επιβεβαίωση",
        "new_code": "Αποστολή νέου κωδικού",
        "no_code": "Δεν μπορεί να σταλεί κωδικός τώρα. Δοκιμάστε ξανά αύριο ή ρωτήστε το"
        " κατάστημα.",
        "wrong": "Αυτός δεν είναι ο κωδικός που στείλαμε.",
        "expired": "Αυτός ο κωδικός δεν ισχύει πια. Ζητήστε νέο.",
        "refused": "Δεν μπορείτε να λάβετε ξανά τα μηνύματα από αυτή τη σελίδα. Ρωτήστε το"
        " κατάστημα.",
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
    """Opt out by a button, and in again by a code.

    A GET changes nothing, since programs follow links. The token in the address authenticates the
    request, so there is no cookie and no log-in.
    """
    context = _language_context(request)
    message = unsubscribe.message_for_token(token)
    if message is None:
        return _page(request, "compliance/unknown_link.html", context, status=404)
    shop = shop_name(message.owner)
    problem = _act(request, message, shop, context) if request.method == "POST" else ""
    if message.contact:
        message.contact.refresh_from_db()
    context |= {
        "shop": shop,
        "problem": problem and context["texts"][problem],
        "opted_out": unsubscribe.has_opted_out(message),
        "may_opt_in": unsubscribe.may_opt_in(message),
        "awaits_code": unsubscribe.awaits_code(message),
    }
    return _page(request, "compliance/unsubscribe.html", context)


def _act(request: HttpRequest, message: OutboundMessage, shop: str, context: dict[str, Any]) -> str:
    """Do what the button says, and opt out if it says nothing else.

    Returns:
        The name of the text that tells the problem; empty if there is none.
    """
    texts, action = context["texts"], request.POST.get("action")
    if action == "send_code":
        text = texts["code_sms"].format(shop=shop)
        is_sent = unsubscribe.send_code(
            message, text, wording=texts["agree_again"], language=context["language"]
        )
        return "" if is_sent else "no_code"
    if action == "opt_in":
        code = request.POST.get("code", "")
        result = unsubscribe.opt_in(message, code, evidence_of(request))
        return "" if result == CodeResult.ACCEPTED else result.value
    unsubscribe.opt_out(message, evidence_of(request))
    return ""


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
