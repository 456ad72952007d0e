"""The page behind the short links in messages."""

from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from astronote.common.languages import Language, preferred_language_or_default
from campaigns import clicks, visitors

# Every visit reaches us, and the target does not learn the link, which identifies the message.
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}


class NoSuchLinkTexts(NamedTuple):
    """The texts of the page behind a short link that leads nowhere, in one language."""

    title: str
    help: str


NO_SUCH_LINK = {
    Language.ENGLISH: NoSuchLinkTexts(
        "This link leads nowhere",
        "Perhaps a part of it is missing: please tap it again in the message you received.",
    ),
    Language.GREEK: NoSuchLinkTexts(
        "Ο σύνδεσμος δεν οδηγεί πουθενά",
        "Ίσως δεν αντιγράφηκε ολόκληρος: πατήστε τον ξανά στο μήνυμα που λάβατε.",
    ),
    Language.GERMAN: NoSuchLinkTexts(
        "Dieser Link führt nirgendwohin",
        "Vielleicht fehlt ein Teil: Tippen Sie ihn in der Nachricht noch einmal an.",
    ),
    Language.FRENCH: NoSuchLinkTexts(
        "Ce lien ne mène nulle part",
        "Il en manque peut-être une partie : touchez-le de nouveau dans le message reçu.",
    ),
    Language.SPANISH: NoSuchLinkTexts(
        "Este enlace no lleva a ninguna parte",
        "Quizá falte una parte: tóquelo de nuevo en el mensaje que recibió.",
    ),
    Language.ITALIAN: NoSuchLinkTexts(
        "Questo link non porta da nessuna parte",
        "Forse ne manca una parte: lo tocchi di nuovo nel messaggio ricevuto.",
    ),
}


@require_safe
def redirect_to_link_target_and_count_visit(request: HttpRequest, code: str) -> HttpResponse:
    """Redirect to the target of a short link and count the visit."""
    target = clicks.find_target_url_and_count_visit(
        code,
        user_agent=request.headers.get("User-Agent", ""),
        ip_address=request.META.get("REMOTE_ADDR") or None,
        is_visit=request.method == "GET" and not visitors.is_prefetch(request),
    )
    if target is None:
        return show_no_such_link(request)
    return HttpResponse(status=302, headers=HEADERS | {"Location": target})


def show_no_such_link(request: HttpRequest) -> HttpResponse:
    """The page behind a link that leads nowhere, in the visitor's language."""
    language = preferred_language_or_default(request, Language.ENGLISH)
    context = {"language": language, "texts": NO_SUCH_LINK[language]}
    response = render(request, "campaigns/no_such_link.html", context, status=404)
    for name, value in HEADERS.items():
        response[name] = value
    return response
