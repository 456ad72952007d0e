"""What a campaign would send and cost: a sample of its text, its recipients, and its price.

The messages are those that the start would write (`new_messages.py`), so the price is the one that
is charged. Of a large audience a sample is counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext, ngettext

from astronote.accounts.eligibility import (
    SendingBlocked,
    sender_of_store,
)
from astronote.common.counts import format_count
from campaigns import service_campaigns
from campaigns.audience import (
    audience_choice_problem_or_empty,
    campaign_audience_with_consent_and_age,
    explain_why_audience_is_empty,
)
from campaigns.audience_counts import (
    MAX_COUNTED,
    SAMPLE_SIZE,
    SUPPRESSED,
    LeftOut,
    count_chosen_by_consent_and_age,
    left_out_counts_without_suppressed,
    scale_sample_count_to_size,
    stable_random_sample,
)
from campaigns.message_text import (
    CONTACT_FIELDS,
    CUSTOM_VALUES,
    EMPTY_CONTACT,
    OFFER,
    SAMPLE_CODE,
    SAMPLE_CONTACT,
    Renderer,
    build_preview_renderer,
)
from campaigns.models import Campaign
from campaigns.new_messages import (
    RECIPIENT_COLUMNS,
    build_new_or_skipped_messages,
    iter_unblocked_chunks,
    recipient_columns,
)
from contacts.models import Contact, MessageType
from contacts.search import search_contacts_by_beginnings
from messaging import credits
from messaging.addresses import (
    add_http_if_no_scheme,
    find_web_addresses_except_bare_hosts,
    to_ascii_url_keeping_tags,
)
from messaging.batch_writing import NewMessage
from messaging.gsm_text import count_characters_outside_gsm, replace_outside_gsm_in_template
from messaging.limits import current_quiet_hours_end, store_cap_sentences
from messaging.statuses import describe_reason
from messaging.text import Template, clean_value_or_empty_if_placeholder, count_parts, sms_encoding

TEXTS_SHOWN = 5
CONFIDENCE = 1.96  # of standard errors: 95 of 100 samples are as near as this


class PartCount(NamedTuple):
    """How many recipients get a text of so many parts."""

    parts: int
    recipients: int


class SkippedCount(NamedTuple):
    """How many contacts of the audience get no message, and why."""

    reason: str
    contacts: int


class UnicodeSigns(NamedTuple):
    """The characters that make the text Unicode, and the text without them.

    `text` is empty, and `saved` credits are 0, if the text without them would not cost less.
    `names` is how many recipients' own fields make their text Unicode, though the text is not.
    """

    signs: dict[str, int]
    names: int
    text: str
    saved: int


class PreviewedLink(NamedTuple):
    """An address as the text has it, or {{offer_link}}, and where it leads."""

    written: str
    target: str


class CampaignPreview(NamedTuple):
    """What a campaign would send and cost.

    `text` is the text for one recipient, or as written if it cannot be sent. `recipients` get a
    message and cost `credits`; both are exact if `credits_error` is 0, else estimated from a
    sample, and the error is of 95 of 100 samples. `recipients`, `credits` and `available` are None
    as long as the campaign has no store.
    `without_value` counts recipients whose text has a gap, and `text_without_value` is that text.
    `links` are the web addresses of the text, so that a person sees where each one ends.
    `left_out` says how many contacts are not recipients, and why.
    `problem` says why the campaign cannot be sent as it is, `notes` which limits apply.
    """

    text: str
    characters: int
    encoding: str
    parts: int
    recipients: int | None
    credits: int | None
    available: int | None
    problem: str
    notes: list[str]
    credits_error: int = 0
    spread: list[PartCount] = []
    skipped: list[SkippedCount] = []
    left_out: list[LeftOut] = []
    without_value: int = 0
    text_without_value: str = ""
    unicode: UnicodeSigns | None = None
    links: list[PreviewedLink] = []

    @property
    def available_after(self) -> int | None:
        """What is left of the available credits; None if it is not known."""
        if self.credits is None or self.available is None:
            return None
        return self.available - self.credits

    def as_dict(self) -> dict[str, Any]:
        """The preview for JSON."""
        answer = self._asdict()
        answer["spread"] = [part_count._asdict() for part_count in self.spread]
        answer["skipped"] = [skipped._asdict() for skipped in self.skipped]
        answer["left_out"] = [left_out._asdict() for left_out in self.left_out]
        answer["links"] = [link._asdict() for link in self.links]
        answer["unicode"] = self.unicode._asdict() if self.unicode else None
        return answer


def preview_campaign(campaign: Campaign) -> CampaignPreview:
    """The preview of a campaign, saved or not; only of its text if it has no store yet.

    Nothing is written.
    """
    problem, render = "", None
    try:
        render = build_preview_renderer(campaign) if campaign.message_text.strip() else None
    except ValueError as error:
        problem = str(error)
    if campaign.owner_id is None:
        text = render(SAMPLE_CONTACT, SAMPLE_CODE) if render else campaign.message_text
        return _build_preview_of_text(text, problem)._replace(links=_links_of_text(campaign))
    audience = campaign_audience_with_consent_and_age(campaign)
    counts = count_chosen_by_consent_and_age(campaign)
    size = counts.audience
    wallet = credits.get_or_create_wallet(campaign.owner_id)
    if render is None:
        preview = _build_preview_of_text(campaign.message_text)._replace(recipients=size, credits=0)
    else:
        preview = _preview_by_counting_audience_or_sample(campaign, audience, size, render)
    preview = preview._replace(
        links=_links_of_text(campaign),
        available=wallet.available,
        notes=list(_quiet_hours_and_cap_notes(campaign)),
        left_out=[*left_out_counts_without_suppressed(campaign, counts), *preview.left_out],
    )
    problem = problem or _why_campaign_cannot_be_sent(campaign, preview, size)
    return preview._replace(problem=problem)


def _links_of_text(campaign: Campaign) -> list[PreviewedLink]:
    """The addresses of a campaign's text, and its offer, each with where it leads."""
    links = {
        address.written: to_ascii_url_keeping_tags(add_http_if_no_scheme(address.written))
        for address in find_web_addresses_except_bare_hosts(campaign.message_text)
    }
    if campaign.offer_url:
        links[f"{{{{{OFFER}}}}}"] = to_ascii_url_keeping_tags(campaign.offer_url)
    return [PreviewedLink(written, target) for written, target in links.items()]


def _build_preview_of_text(text: str, problem: str = "") -> CampaignPreview:
    return CampaignPreview(
        text=text,
        characters=len(text),
        encoding=sms_encoding(text),
        parts=count_parts(text) if text else 0,
        recipients=None,
        credits=None,
        available=None,
        problem=problem,
        notes=[],
    )


@dataclass
class _Counts:
    """What was counted of the contacts that were looked at."""

    drawn: int = 0
    suppressed: int = 0
    sample_text: str = ""
    recipients_by_parts: Counter[int] = field(default_factory=Counter)
    by_reason: Counter[str] = field(default_factory=Counter)
    without_value: int = 0
    unicode_texts: int = 0
    saved: int = 0


def _preview_by_counting_audience_or_sample(
    campaign: Campaign, audience: QuerySet[Contact], audience_size: int, render: Renderer
) -> CampaignPreview:
    """Count the messages to the audience, or to a sample of it."""
    is_whole = audience_size <= MAX_COUNTED
    drawn = audience if is_whole else stable_random_sample(audience, SAMPLE_SIZE / audience_size)
    plain = replace_outside_gsm_in_template(
        campaign.message_text, greek_capitals=campaign.owner.writes_greek_in_capitals
    )
    render_plain = _renderer_or_none_if_same_or_invalid(campaign, plain)
    counts = _count_messages_by_parts_and_skip_reason(campaign, drawn, render, render_plain)
    text = counts.sample_text or render(SAMPLE_CONTACT, SAMPLE_CODE)
    suppressed = scale_sample_count_to_size(audience_size, counts.drawn, counts.suppressed)
    scale = 1.0 if is_whole else audience_size / max(1, counts.drawn)
    signs = count_characters_outside_gsm(render(EMPTY_CONTACT, SAMPLE_CODE))
    saved = round(counts.saved * scale)
    unicode = None
    if signs or counts.unicode_texts:
        names = 0 if signs else round(counts.unicode_texts * scale)
        unicode = UnicodeSigns(signs, names, plain if saved > 0 else "", max(saved, 0))
    return _build_preview_of_text(text)._replace(
        recipients=round(sum(counts.recipients_by_parts.values()) * scale),
        credits=round(_total_parts(counts.recipients_by_parts) * scale),
        credits_error=0 if is_whole else _credits_error_for_audience(counts, audience_size),
        spread=[
            PartCount(parts, round(count * scale))
            for parts, count in sorted(counts.recipients_by_parts.items())
        ],
        skipped=[
            SkippedCount(describe_reason(reason), round(count * scale))
            for reason, count in counts.by_reason.most_common()
        ],
        left_out=[LeftOut(suppressed, str(SUPPRESSED))] if suppressed else [],
        without_value=round(counts.without_value * scale),
        text_without_value=render(EMPTY_CONTACT, SAMPLE_CODE) if counts.without_value else "",
        unicode=unicode,
    )


def _count_messages_by_parts_and_skip_reason(
    campaign: Campaign,
    contacts: QuerySet[Contact],
    render: Renderer,
    render_plain: Renderer | None,
) -> _Counts:
    counts = _Counts()
    gaps = _recipient_indexes_of_fields_without_default(campaign)
    rows = list(contacts.values_list(*recipient_columns(campaign)))
    counts.drawn = counts.suppressed = len(rows)
    for chunk in iter_unblocked_chunks(iter(rows), campaign):
        counts.suppressed -= len(chunk.recipients)
        tracking_ids = [SAMPLE_CODE] * len(chunk.recipients)
        messages = build_new_or_skipped_messages(campaign, render, chunk, tracking_ids)
        for message, row in zip(messages, chunk.recipients, strict=True):
            if message.skip_reason:
                counts.by_reason[message.skip_reason] += 1
                continue
            counts.sample_text = counts.sample_text or message.text
            counts.recipients_by_parts[message.segments] += 1
            counts.unicode_texts += sms_encoding(message.text) != "GSM-7"
            counts.without_value += any(
                not clean_value_or_empty_if_placeholder(row[at]) for at in gaps
            )
        if render_plain:
            plain = build_new_or_skipped_messages(campaign, render_plain, chunk, tracking_ids)
            counts.saved += _total_parts_of_unskipped(messages) - _total_parts_of_unskipped(plain)
    return counts


def _total_parts_of_unskipped(messages: list[NewMessage]) -> int:
    return sum(message.segments for message in messages if not message.skip_reason)


def _total_parts(recipients_by_parts: Mapping[int, int]) -> int:
    return sum(parts * count for parts, count in recipients_by_parts.items())


def _recipient_indexes_of_fields_without_default(campaign: Campaign) -> list[int]:
    """Where the fields are in a recipient's row that leave a gap in the text if they are empty."""
    without_default = Template(campaign.message_text).fields_that_leave_a_gap_if_empty()
    return [RECIPIENT_COLUMNS.index(name) for name in without_default if name in CONTACT_FIELDS]


def _renderer_or_none_if_same_or_invalid(campaign: Campaign, text: str) -> Renderer | None:
    """A renderer as if the campaign had another text; None if it has that already."""
    if text == campaign.message_text:
        return None
    other = Campaign(
        owner=campaign.owner,
        message_text=text,
        message_type=campaign.message_type,
        offer_url=campaign.offer_url,
    )
    try:
        return build_preview_renderer(other)
    except ValueError:
        return None


def _credits_error_for_audience(counts: _Counts, audience_size: int) -> int:
    """The error of the credits of a sample, as CONFIDENCE has it."""
    drawn = max(2, counts.drawn)
    mean = _total_parts(counts.recipients_by_parts) / drawn
    squares = sum(parts * parts * count for parts, count in counts.recipients_by_parts.items())
    variance = max(0.0, squares / drawn - mean * mean) * drawn / (drawn - 1)
    return math.ceil(
        CONFIDENCE * audience_size * math.sqrt(variance / drawn * (1 - drawn / audience_size))
    )


def _why_campaign_cannot_be_sent(
    campaign: Campaign, preview: CampaignPreview, audience_size: int
) -> str:
    """Why the campaign cannot be sent as it is; empty if it can."""
    try:
        sender_of_store(campaign.owner)
    except SendingBlocked as blocked:
        return str(blocked)
    if not campaign.message_text.strip():
        return gettext("The campaign has no text yet.")
    problem = audience_choice_problem_or_empty(campaign)
    if problem or not (preview.recipients or preview.skipped):
        problem = problem or explain_why_audience_is_empty(campaign)
        return f"{problem[0].upper()}{problem[1:]}."
    if not preview.recipients:
        return gettext("Every contact of the audience is skipped.")
    try:
        service_campaigns.raise_blocked_if_over_limit_and_unconfirmed(campaign, audience_size)
    except SendingBlocked as blocked:
        return str(blocked)
    missing = (preview.credits or 0) - (preview.available or 0)
    if missing > 0:
        return ngettext(
            "The wallet lacks %(count)s credit: top it up first.",
            "The wallet lacks %(count)s credits: top it up first.",
            missing,
        ) % {"count": format_count(missing)}
    return ""


def _quiet_hours_and_cap_notes(campaign: Campaign) -> Iterator[str]:
    """Quiet hours and caps, as sentences (rules.md#quiet-hours, rules.md#caps)."""
    if until := current_quiet_hours_end(campaign.message_type, campaign.owner.timezone):
        local = until.astimezone(ZoneInfo(campaign.owner.timezone))
        yield gettext("The store has quiet hours: sending begins at %(time)s %(zone)s.") % {
            "time": f"{local:%H:%M}",
            "zone": local.tzinfo,
        }
    yield from store_cap_sentences()
    if campaign.message_type == MessageType.MARKETING:
        if per_day := settings.CONTACT_MARKETING_PER_DAY:
            yield gettext(
                "Contacts with %(limit)s marketing messages within 24 hours are skipped."
            ) % {"limit": format_count(per_day)}
        if per_week := settings.CONTACT_MARKETING_PER_WEEK:
            yield gettext(
                "Contacts with %(limit)s marketing messages within 7 days are skipped."
            ) % {"limit": format_count(per_week)}


class RecipientText(NamedTuple):
    """What one contact of the store would get; `why_not` says why it would get nothing."""

    contact: Contact
    text: str
    parts: int
    why_not: str


def preview_recipient_texts(campaign: Campaign, search: str) -> list[RecipientText]:
    """The texts for the store's contacts that a search finds; a few.

    Args:
        campaign: saved or not, with a store.
        search: the beginning of a name or address, or a number in any form.

    Raises:
        ValueError: as `message_text.build_full_text`.
    """
    render = build_preview_renderer(campaign)
    of_store = Contact.objects.filter(owner=campaign.owner_id, phone__isnull=False)
    contacts = list(search_contacts_by_beginnings(of_store, search)[:TEXTS_SHOWN])
    allowed = campaign_audience_with_consent_and_age(campaign).filter(
        pk__in=[one.pk for one in contacts]
    )
    rows = list(allowed.values_list(*recipient_columns(campaign)))
    reasons: dict[int, str] = {}
    for chunk in iter_unblocked_chunks(iter(rows), campaign):
        codes = [SAMPLE_CODE] * len(chunk.recipients)
        for message in build_new_or_skipped_messages(campaign, render, chunk, codes):
            reasons[message.contact_id] = message.skip_reason
    in_audience = {row[0] for row in rows}
    texts = []
    for contact in contacts:
        text = render(
            {name: getattr(contact, name) for name in (*CONTACT_FIELDS, CUSTOM_VALUES)}, SAMPLE_CODE
        )
        if contact.pk not in in_audience:
            why_not = gettext("is not in the audience, or may not be messaged")
        elif contact.pk not in reasons:
            why_not = gettext("the number is suppressed, or a reply of theirs waits for a decision")
        else:
            why_not = describe_reason(reasons[contact.pk]) if reasons[contact.pk] else ""
        texts.append(RecipientText(contact, text, count_parts(text), why_not))
    return texts
