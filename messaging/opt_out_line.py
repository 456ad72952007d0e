"""The last line of marketing texts, by which a customer opts out (rules.md#opt-out-line)."""

from __future__ import annotations

import re
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext

from astronote.accounts.models import User
from astronote.common.languages import (
    Language,
    language_of_country_or_english,
    language_of_store_or_country,
)
from messaging.addresses import (
    find_hosts_and_email_addresses,
    find_web_addresses_except_bare_hosts,
)
from messaging.reply_reading import read_consent_request_of_reply
from messaging.statuses import ConsentRequest
from messaging.text import Template, text_problem_or_empty

# All characters are in GSM-7, so that the line does not shorten the parts of a text. Of Greek it
# has only capitals, and only those that do not look like Latin ones: A, H, I and P are Latin here.
OPT_OUT_LINES = {
    Language.ENGLISH: "Opt out: {{unsubscribe_link}}",
    Language.GREEK: "ΔIAΓPAΦH: {{unsubscribe_link}}",
    Language.GERMAN: "Abmelden: {{unsubscribe_link}}",
    Language.FRENCH: "Désinscription : {{unsubscribe_link}}",
    Language.SPANISH: "Darse de baja: {{unsubscribe_link}}",
    Language.ITALIAN: "Disiscrizione: {{unsubscribe_link}}",
}

UNSUBSCRIBE = "unsubscribe_link"
_NUMBER = re.compile(r"\+?\d(?:[\s./()-]*\d)*")


def usable_opt_out_line_or_default(store: User | None) -> str:
    """A store's own opt-out line if customers can opt out by it, else that of its language.

    Args:
        store: None where a text has no store yet.
    """
    if store is None:
        return OPT_OUT_LINES[language_of_country_or_english(settings.DEFAULT_PHONE_REGION)]
    own = store.opt_out_line
    return (
        own
        if own and _offers_opt_out_by_link_or_reply(own, store)
        else OPT_OUT_LINES[language_of_store_or_country(store)]
    )


def has_working_opt_out_link(text: str) -> bool:
    """Whether the text has {{unsubscribe_link}}, and nothing is joined to it."""
    template = Template(text)
    return UNSUBSCRIBE in template.fields and not template.problem_of_text_joined_to_link()


def validate_opt_out_line(store: User) -> None:
    """Check that customers can opt out by a store's own opt-out line.

    Raises:
        ValidationError: if they cannot, or if the line has other tags than {{unsubscribe_link}}.
    """
    if not store.opt_out_line:
        return
    template = Template(store.opt_out_line)
    problem = ""
    if template.unknown_tags or template.fields - {UNSUBSCRIBE}:
        problem = gettext("The only tag of an opt-out line is {{unsubscribe_link}}.")
    elif not _offers_opt_out_by_link_or_reply(store.opt_out_line, store):
        problem = gettext(
            "An opt-out line needs {{unsubscribe_link}} with a space before it and after it; or a"
            " word such as STOP without another number or address, if the sender ID is a number,"
            " so that customers can answer."
        )
    if problem:
        raise ValidationError({"opt_out_line": problem})


def _offers_opt_out_by_link_or_reply(line: str, store: User) -> bool:
    """Whether a customer of the store can opt out by the link, or by a word to answer with.

    A line with another number or an address tells to opt out elsewhere than by an answer.
    """
    if UNSUBSCRIBE in Template(line).fields:
        return _is_without_problem(line)
    sender = store.sender_name or settings.MITTO_SENDER
    links = find_hosts_and_email_addresses(line) or find_web_addresses_except_bare_hosts(line)
    if links or not sender.startswith("+"):
        return False
    digits = "".join(character for character in sender if character.isdigit())
    numbers = (re.sub(r"\D", "", number) for number in _NUMBER.findall(line))
    if any(not digits.endswith(number.lstrip("0")) for number in numbers if len(number) > 3):
        return False
    return any(
        read_consent_request_of_reply(word).request == ConsentRequest.STOP for word in line.split()
    )


@lru_cache(maxsize=1024)  # asked for each line of a file of messages
def _is_without_problem(line: str) -> bool:
    return not text_problem_or_empty(line)
