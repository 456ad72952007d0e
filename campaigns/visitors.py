"""Who follows a short link: a person with a phone or computer, or a program (rules.md#short-links).

The counting of visits is in `clicks.py`.
"""

from __future__ import annotations

import re
from typing import Literal

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

# What a program is, in words (`device_type_of_user_agent`).
DEVICE_TYPES = {"robot": _("robot"), "phone": _("phone"), "computer": _("computer")}
# Almost every browser calls itself Mozilla and says in brackets what it runs on; Opera Mini and old
# phones do not.
_BROWSER = re.compile(r"Mozilla/[\d.]+[ +]?\(|(?:Firefox|Opera)\b|.*\bMIDP-\d")
# `compatible` was said by Internet Explorer and Konqueror, and is said by programs. A program names
# the page that explains it, too.
_PROGRAM = re.compile(
    r"\bcompatible\b(?!.*\b(?:MSIE|Trident|Konqueror)\b)|https?://|\b(?:Headless|Cypress)",
    re.IGNORECASE,
)
# What opens links in messages to protect or show them, by the name it gives beside a browser's.
_SCANNER = re.compile(
    r"barracuda|cisco|cloudmark|fireeye|forcepoint|fortinet|ironport|mimecast|ms-office|netcraft|proofpoint"
    r"|safelinks|sophos|symantec|trellix|trend ?micro|zscaler"
    r"|(?:link|uri|url)[ -]?(?:check|defen[cs]e|expand|preview|protect|scan)",
    re.IGNORECASE,
)
# A phone says its model here, which may be any word.
_ANDROID_DEVICE = re.compile(r"\(Linux;[^()]*Android[^()]*\)")
# The programs of the list, but those that call themselves by the bare name of an app and never a
# browser: `Viber` alone fetches a preview, and a person opens a link in a browser of Viber.
_CRAWLERS = [
    re.compile(crawler["pattern"])
    for crawler in CRAWLER_USER_AGENTS_DATA
    if crawler["pattern"] not in crawler["instances"]
    or any(_BROWSER.match(instance) for instance in crawler["instances"])
]
# A browser's name has some hundred characters. Searching a text takes the square of its length.
_MAX_CHARACTERS = 1000
_PHONE = re.compile(r"mobi|iphone|android|MIDP-", re.IGNORECASE)
# Browsers that load a page ahead, before anybody sees it, say so in one of these.
_PURPOSE_HEADERS = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_AHEAD = re.compile(r"\b(?:prefetch|prerender|preview)", re.IGNORECASE)


def is_prefetch(request: HttpRequest) -> bool:
    """Whether a browser loads the page ahead, so that nobody has opened the link yet."""
    return any(_AHEAD.search(request.headers.get(name, "")) for name in _PURPOSE_HEADERS)


def device_type_of_user_agent(user_agent: str) -> Literal["robot", "phone", "computer"]:
    """What a program calls itself: `robot`, `phone` or `computer`.

    A robot is what does not call itself a browser, what the list crawler-user-agents knows, what
    opens links in messages, and what says that it is compatible or where it is
    explained. The browser that an app shows a page in is a person's.
    """
    user_agent = user_agent[:_MAX_CHARACTERS]
    without_model = _ANDROID_DEVICE.sub("()", user_agent)
    if (
        not _BROWSER.match(user_agent)
        or _PROGRAM.search(user_agent)
        or _SCANNER.search(without_model)
        or any(crawler.search(user_agent) for crawler in _CRAWLERS)
    ):
        return "robot"
    return "phone" if _PHONE.search(user_agent) else "computer"
