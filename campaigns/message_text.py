"""The texts that campaigns and automations send, with offer link, opt-out line and filled tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from django.utils.translation import gettext

from astronote.accounts.models import StoreId
from astronote.models import User
from campaigns.models import Campaign
from contacts.models import MessageType
from messaging import links
from messaging.custom_tags import (
    custom_keys_by_store,
    custom_keys_for_text,
    keys_without_other_meaning,
)
from messaging.gsm_text import count_characters_outside_gsm, replace_outside_gsm_where_possible
from messaging.links import OwnedText
from messaging.opt_out_line import (
    UNSUBSCRIBE,
    has_working_opt_out_link,
    usable_opt_out_line_or_default,
)
from messaging.text import (
    CUSTOM_PREFIX,
    MAX_PARTS,
    Template,
    clean_value_or_empty_if_placeholder,
    count_parts,
    text_problem_or_empty,
)

OFFER = "offer_link"
# How the links of a message are made from its tracking ID, by tag.
MESSAGE_LINKS: dict[str, Callable[[str], str]] = {
    OFFER: links.short_url,
    UNSUBSCRIBE: links.signed_unsubscribe_url,
}
CONTACT_FIELDS = ("first_name", "last_name", "email")
CUSTOM_VALUES = "custom_values"
# From the CONTACT_FIELDS of a contact, perhaps with CUSTOM_VALUES, and the tracking ID of its
# message to the text.
Renderer = Callable[[Mapping[str, Any], str], str]
EMPTY_CONTACT = dict.fromkeys(CONTACT_FIELDS, "")
SAMPLE_CONTACT = dict(
    zip(CONTACT_FIELDS, ("Maria", "Papadopoulou", "maria@example.com"), strict=True)
)
SAMPLE_CODE = "x" * 12


def build_full_text(campaign: Campaign) -> str:
    """The campaign's text, ended by its offer link and the opt-out line where it lacks them.

    See rules.md#offer-line and rules.md#opt-out-line.

    Raises:
        ValueError: if the text has something else than tags in braces, {{offer_link}} without an
            offer address of the campaign, an offer address with a tag, or more than MAX_PARTS
            parts.
    """
    text = campaign.message_text
    keys = custom_keys_for_text(campaign.owner_id, text)
    if problem := text_problem_or_empty(text, custom_keys=keys):
        raise ValueError(problem)
    if problem := campaign.offer_problem_or_empty():
        raise ValueError(problem)
    if OFFER in Template(text).fields:
        if not campaign.offer_url:
            raise ValueError(
                gettext("the text has {{offer_link}}, but the campaign has no offer address")
            )
    elif campaign.offer_url:
        text += f"\n{{{{{OFFER}}}}}"
    store = campaign.owner if campaign.owner_id else None
    text = with_opt_out_line_if_needed(text, campaign.message_type, store)
    shortened = links.replace_long_urls_with_sample_links(text)
    shortest = _build_cached_renderer(shortened, False, keys)(EMPTY_CONTACT, SAMPLE_CODE)
    part_count = count_parts(shortest)
    if part_count > MAX_PARTS:
        raise ValueError(
            gettext(
                "the text takes %(parts)s SMS parts with its opt-out line, and at most"
                " %(limit)s are sent: shorten it"
            )
            % {"parts": part_count, "limit": MAX_PARTS}
        )
    return text


def with_opt_out_line_if_needed(text: str, message_type: str, store: User | None) -> str:
    """The text with the store's opt-out line at its end, if it is marketing and has none yet.

    {{unsubscribe_link}} counts only where it becomes a link that works.

    A marketing message must offer a free and simple way to object (ePrivacy directive, article
    13(4)).
    """
    line = usable_opt_out_line_or_default(store)
    marketing = message_type == MessageType.MARKETING
    if not marketing or has_working_opt_out_link(text) or line in text:
        return text
    return f"{text}\n{line}"


def create_links_and_campaign_renderer(campaign: Campaign) -> Renderer:
    """A renderer of the recipients' texts; creates the short links of the text's addresses.

    Raises:
        ValueError: as `build_full_text`.
    """
    owned_text = OwnedText(StoreId(campaign.owner_id), campaign.pk, build_full_text(campaign))
    shortened = links.create_links_and_shorten_long_urls({0: owned_text})[0]
    keys = custom_keys_for_text(campaign.owner_id, shortened)
    return _build_cached_renderer(shortened, campaign.owner.writes_greek_in_capitals, keys)


def build_preview_renderer(campaign: Campaign) -> Renderer:
    """A renderer with placeholders of the same length for short links; creates none.

    Raises:
        ValueError: as `build_full_text`.
    """
    text = links.replace_long_urls_with_sample_links(build_full_text(campaign))
    return _build_cached_renderer(
        text,
        bool(campaign.owner_id) and campaign.owner.writes_greek_in_capitals,
        custom_keys_for_text(campaign.owner_id, text),
    )


class AutomationText(NamedTuple):
    """The text of an automation, with what decides on its tags, short links and opt-out line.

    `other_tags` are filled by the caller, with their braces.
    """

    owner_id: int
    message_body: str
    message_type: str
    other_tags: tuple[str, ...] = ()


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
            with_opt_out_line_if_needed(
                text.message_body, text.message_type, stores[text.owner_id]
            ),
        )
        for automation_id, text in text_by_automation_id.items()
    }
    shortened = links.create_links_and_shorten_long_urls(owned_texts)
    keys_by_store = custom_keys_by_store(
        (owned.owner_id, owned.text) for owned in owned_texts.values()
    )
    renderers = {}
    for automation_id, text in shortened.items():
        automation = text_by_automation_id[automation_id]
        keys = keys_without_other_meaning(
            keys_by_store.get(automation.owner_id, ()), automation.other_tags
        )
        renderers[automation_id] = _build_cached_renderer(
            text, stores[automation.owner_id].writes_greek_in_capitals, keys
        )
    return renderers


def direct_renderers(
    store: User,
    text_by_line: Mapping[int, str],
    message_type: str,
    custom_keys: tuple[str, ...] = (),
    *,
    create_links: bool,
) -> dict[int, Renderer]:
    """Renderers of direct messages, with the opt-out line where they need it.

    Args:
        store: the sender.
        text_by_line: the texts, without faults of their tags.
        message_type: a MessageType.
        custom_keys: keys of the store's custom fields that may be tags.
        create_links: create short links of the texts' addresses; else placeholders of the same
            length stand for them.
    """
    texts = {
        line: with_opt_out_line_if_needed(text, message_type, store)
        for line, text in text_by_line.items()
    }
    if create_links:
        owned = {line: OwnedText(StoreId(store.pk), None, text) for line, text in texts.items()}
        shortened = links.create_links_and_shorten_long_urls(owned)
    else:
        shortened = {
            line: links.replace_long_urls_with_sample_links(text) for line, text in texts.items()
        }
    return {
        line: _build_cached_renderer(text, store.writes_greek_in_capitals, custom_keys)
        for line, text in shortened.items()
    }


@lru_cache(maxsize=1024)  # many stores have the same birthday text
def _build_cached_renderer(
    text: str, names_in_gsm_greek_capitals: bool, custom_keys: tuple[str, ...] = ()
) -> Renderer:
    """A renderer of a text.

    Args:
        text: with short links and the opt-out line.
        names_in_gsm_greek_capitals: whether names are written in the GSM alphabet in a text that is
            in it.
        custom_keys: keys of the store's custom fields that may be tags.
    """
    template = Template(text, custom_keys)
    link_makers = {name: make for name, make in MESSAGE_LINKS.items() if name in template.fields}

    custom = {
        name: name.removeprefix(CUSTOM_PREFIX)
        for name in template.fields
        if name.startswith(CUSTOM_PREFIX)
    }
    contact_fields = template.fields - link_makers.keys() - custom.keys()
    names_to_gsm = names_in_gsm_greek_capitals and not count_characters_outside_gsm(
        template.text_with_default_values()
    )

    def render(contact: Mapping[str, Any], tracking_id: str) -> str:
        values = {
            name: clean_value_or_empty_if_placeholder(contact[name]) for name in contact_fields
        }
        for name, key in custom.items():
            value = (contact.get(CUSTOM_VALUES) or {}).get(key, "")
            values[name] = clean_value_or_empty_if_placeholder(str(value))
        for name, make in link_makers.items():
            values[name] = make(tracking_id)
        if names_to_gsm:
            for name in (*contact_fields, *custom):
                values[name] = replace_outside_gsm_where_possible(values[name], greek_capitals=True)
        return template.render(values)

    return render
