"""The text that a campaign or automation really sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from campaigns.models import Campaign
from messaging import links
from messaging.links import Wording
from messaging.text import compile_template, placeholders

OFFER = "offer_link"
FIELDS = ("first_name", "last_name", "email")
Fill = Callable[[Mapping[str, str]], str]


def with_offer(campaign: Campaign) -> str:
    """The campaign's text; one with an offer ends with its link unless it holds it already.

    Raises:
        ValueError: if the text holds the link of an offer that the campaign does not have.
    """
    text = campaign.message_text
    if OFFER in placeholders(text):
        if not campaign.offer_url:
            raise ValueError("the text has {{offer_link}}, and the campaign no offer address")
        return text
    return f"{text}\n{{{{{OFFER}}}}}" if campaign.offer_url else text


def filler_of(campaign: Campaign) -> Fill:
    """What makes a recipient's text of FIELDS and `offer_link`; shortens the campaign's addresses.

    Raises:
        ValueError: as `with_offer`.
    """
    wording = Wording(campaign.owner_id, campaign.pk, with_offer(campaign))
    return compile_template(links.shorten({0: wording})[0])


def fillers_of(bodies: Mapping[int, tuple[int, str]]) -> dict[int, Fill]:
    """The same for automations: by id, the store and text of each."""
    wordings = {pk: Wording(owner_id, None, body) for pk, (owner_id, body) in bodies.items()}
    return {pk: compile_template(text) for pk, text in links.shorten(wordings).items()}
