"""The texts that campaigns and automations send, with offer link, opt-out line and filled tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from astronote.accounts.models import StoreId
from astronote.models import User
from campaigns.models import Campaign
from contacts.models import MessageType
from messaging import links
from messaging.links import OwnedText
from messaging.opt_out_line import UNSUBSCRIBE, has_opt_out_link, opt_out_line
from messaging.text import MAX_PARTS, Template, count_parts

OFFER = "offer_link"
# How the links of a message are made from its tracking ID, by tag.
MESSAGE_LINKS: dict[str, Callable[[str], str]] = {
    OFFER: links.short_url,
    UNSUBSCRIBE: links.unsubscribe_url,
}
CONTACT_FIELDS = ("first_name", "last_name", "email")
# From the CONTACT_FIELDS of a contact and the tracking ID of its message to the text.
Renderer = Callable[[Mapping[str, str], str], str]
EMPTY_CONTACT = dict.fromkeys(CONTACT_FIELDS, "")
SAMPLE_CONTACT = dict(
    zip(CONTACT_FIELDS, ("Maria", "Papadopoulou", "maria@example.com"), strict=True)
)
SAMPLE_CODE = "x" * 12


def build_full_text(campaign: Campaign) -> str:
    """The campaign's text, ended by its offer link and the opt-out line where it lacks them.

    See rules.md#offer-line and rules.md#opt-out-line.

    Raises:
        ValueError: if the text has {{offer_link}} and the campaign no offer address, or if the text
            takes more than MAX_PARTS parts.
    """
    text = campaign.message_text
    if OFFER in Template(text).fields:
        if not campaign.offer_url:
            raise ValueError("the text has {{offer_link}}, but the campaign has no offer address")
    elif campaign.offer_url:
        text += f"\n{{{{{OFFER}}}}}"
    store = campaign.owner if campaign.owner_id else None
    text = with_opt_out_line(text, campaign.message_type, store)
    part_count = count_parts(_renderer(text)(EMPTY_CONTACT, SAMPLE_CODE))
    if part_count > MAX_PARTS:
        raise ValueError(
            f"the text takes {part_count} SMS parts with its opt-out line, and at most {MAX_PARTS}"
            " are sent: shorten it"
        )
    return text


def with_opt_out_line(text: str, message_type: str, store: User | None) -> str:
    """The text with the store's opt-out line at its end, if it is marketing and has none yet.

    {{unsubscribe_link}} counts only where it becomes a link that works.

    A marketing message must offer a free and simple way to object (ePrivacy directive, article
    13(4)).
    """
    line = opt_out_line(store)
    marketing = message_type == MessageType.MARKETING
    if not marketing or has_opt_out_link(text) or line in text:
        return text
    return f"{text}\n{line}"


def create_links_and_campaign_renderer(campaign: Campaign) -> Renderer:
    """A renderer of the recipients' texts; creates the short links of the text's addresses.

    Raises:
        ValueError: as `build_full_text`.
    """
    owned_text = OwnedText(StoreId(campaign.owner_id), campaign.pk, build_full_text(campaign))
    return _renderer(links.shorten_urls({0: owned_text})[0])


def preview_renderer(campaign: Campaign) -> Renderer:
    """A renderer with placeholders of the same length for short links; creates none.

    Raises:
        ValueError: as `build_full_text`.
    """
    return _renderer(links.with_sample_links(build_full_text(campaign)))


class AutomationText(NamedTuple):
    """The text of an automation, with what decides on its short links and opt-out line."""

    owner_id: int
    message_body: str
    message_type: str


def create_links_and_automation_renderers(
    text_by_automation_id: Mapping[int, AutomationText],
) -> dict[int, Renderer]:
    """Renderers by automation, for many stores at once; creates the short links of their texts.

    Args:
        text_by_automation_id: by automation.
    """
    stores = User.objects.in_bulk({text.owner_id for text in text_by_automation_id.values()})
    owned_texts = {
        automation_id: OwnedText(
            StoreId(text.owner_id),
            None,
            with_opt_out_line(text.message_body, text.message_type, stores[text.owner_id]),
        )
        for automation_id, text in text_by_automation_id.items()
    }
    shortened = links.shorten_urls(owned_texts)
    return {automation_id: _renderer(text) for automation_id, text in shortened.items()}


@lru_cache(maxsize=1024)  # many stores have the same birthday text
def _renderer(text: str) -> Renderer:
    template = Template(text)
    link_makers = {name: make for name, make in MESSAGE_LINKS.items() if name in template.fields}

    def render(contact: Mapping[str, str], tracking_id: str) -> str:
        message_links = {name: make(tracking_id) for name, make in link_makers.items()}
        return template.render({**contact, **message_links})

    return render
