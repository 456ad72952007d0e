"""The text that a campaign or automation really sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from django.conf import settings

from campaigns.models import Campaign
from contacts.models import MessageType
from messaging import links
from messaging.links import Wording
from messaging.text import MOST_PARTS, compile_template, parts, placeholders

OFFER, UNSUBSCRIBE = "offer_link", "unsubscribe_link"
# The links of a message, from its tracking id.
OWN_LINKS: dict[str, Callable[[str], str]] = {
    OFFER: links.address,
    UNSUBSCRIBE: links.unsubscribe_address,
}
FIELDS = ("first_name", "last_name", "email")
# From a contact's FIELDS and the message's tracking id to its text.
Fill = Callable[[Mapping[str, str], str], str]
NOBODY = dict.fromkeys(FIELDS, "")
SAMPLE = dict(zip(FIELDS, ("Maria", "Papadopoulou", "maria@example.com"), strict=True))
SAMPLE_CODE = "x" * 12


def whole(campaign: Campaign) -> str:
    """The campaign's text with the link of its offer and the way to opt out, where it lacks them.

    Raises:
        ValueError: if it holds the link of an offer that the campaign does not have, or leaves no
            room for the opt-out line.
    """
    text = campaign.message_text
    if OFFER in placeholders(text):
        if not campaign.offer_url:
            raise ValueError("the text has {{offer_link}}, and the campaign no offer address")
    elif campaign.offer_url:
        text += f"\n{{{{{OFFER}}}}}"
    text = with_opt_out(text, campaign.message_type)
    taken = parts(_filler(text)(NOBODY, SAMPLE_CODE))
    if taken > MOST_PARTS:
        raise ValueError(
            f"the text takes {taken} SMS parts with its opt-out line, and at most {MOST_PARTS} go"
            " out: shorten it"
        )
    return text


def with_opt_out(text: str, message_type: str) -> str:
    """The text, ending with OPT_OUT_LINE if it is marketing and does not say it already.

    Whoever is messaged for marketing must be able to object, free and simply (ePrivacy directive,
    article 13(4)).
    """
    marketing = message_type == MessageType.MARKETING
    if not marketing or UNSUBSCRIBE in placeholders(text) or settings.OPT_OUT_LINE in text:
        return text
    return f"{text}\n{settings.OPT_OUT_LINE}"


def filler_of(campaign: Campaign) -> Fill:
    """What makes a recipient's text; shortens the campaign's addresses.

    Raises:
        ValueError: as `whole`.
    """
    wording = Wording(campaign.owner_id, campaign.pk, whole(campaign))
    return _filler(links.shorten({0: wording})[0])


def draft_filler(campaign: Campaign) -> Fill:
    """The same for a look at it: its short links lead nowhere, and none is made.

    Raises:
        ValueError: as `whole`.
    """
    return _filler(links.as_if_shortened(whole(campaign)))


def fillers_of(bodies: Mapping[int, tuple[int, str, str]]) -> dict[int, Fill]:
    """The same for automations: by id, the store, text and message type of each."""
    wordings = {
        pk: Wording(owner_id, None, with_opt_out(body, message_type))
        for pk, (owner_id, body, message_type) in bodies.items()
    }
    return {pk: _filler(text) for pk, text in links.shorten(wordings).items()}


@lru_cache(maxsize=1024)  # many stores have the same birthday text
def _filler(text: str) -> Fill:
    fill = compile_template(text)
    own = {name: make for name, make in OWN_LINKS.items() if name in placeholders(text)}

    def filled(contact: Mapping[str, str], tracking_id: str) -> str:
        return fill({**contact, **{name: make(tracking_id) for name, make in own.items()}})

    return filled
