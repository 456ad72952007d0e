"""What the cells of one column say of consent, whatever its heading says."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations, takewhile

from contacts.importing.cells import (
    fold_to_alphanumeric,
    looks_like_date_with_year,
    looks_like_email,
    looks_like_phone,
)
from contacts.importing.columns import (
    CONSENT_READER,
    CONTENT_SAMPLE_ROWS,
    MAX_ANSWER_WORDS,
    MAX_CODE_LENGTH,
    MAX_NAME_LENGTH,
    MAX_STATES,
    MIN_VALUE_SHARE,
    OPT_OUT_READER,
    YEAR_IN_CELL,
    Column,
    build_consent_reader,
    has_letters,
    holds_mostly_answers_in_words,
    is_consent_answer,
    repeats_few_values,
)
from contacts.importing.consent_cells import (
    Consent,
    cell_names_a_limit,
    channels_if_cell_lists_only_channels,
)
from contacts.importing.consent_words import REFUSED, WITHDRAWN
from contacts.importing.heading_words import CONCEPTS_BY_WORD, canonical_heading_words
from contacts.importing.headings import (
    Channel,
    Meaning,
    heading_is_of_other_channel_or_purpose,
    heading_names_only_an_approval,
    read_heading,
)
from contacts.importing.other_languages import (
    MESSAGE_BEGINNINGS,
    names_messages_without_blanks,
)
from contacts.importing.refusing_cells import (
    cell_of_several_words_mentions_messages,
    cell_refuses_messages,
    cell_refuses_more_than_its_channel,
    short_cell_forbids_something,
    word_has_part_for_messages,
)

MAX_ANSWERS = 3
# What makes the opposite of a word or of a few, as `fold_to_alphanumeric` writes them.
NEGATING_PREFIXES = (
    "no", "not", "non", "un", "in", "dis", "kein", "keine", "keinen", "nicht", "pas", "pasd",
    "sans", "ne", "sin", "senza", "δεν", "μη", "χωρισ", "οχι",
)  # fmt: skip
MIN_NEGATED_LENGTH = 4
# The same where a word has one or two signs: `不可` of `可`, `미동의` of `동의`.
NEGATING_SIGNS = frozenset(map(fold_to_alphanumeric, "不未非无無否没沒미비불무"))
# Opposite states often share all but their beginning: `zapisany` and `wypisany`.
MIN_SHARED_ENDING = 6
MAX_DIFFERENT_BEGINNING = 4
# So many rows show that a column has two values and no more; or fewer, if each comes again.
MIN_ROWS_OF_TWO_KINDS = 8
MIN_ABBREVIATION_LENGTH = 3
MIN_ROWS_OF_TWO_REPEATED_KINDS = 5
FIRST_YEAR_OF_CONSENTS = 1990
_NUMBER = re.compile(r"[\d.,]+")  # `0,00` is an amount
_LIST_SEPARATOR = re.compile(r"[;,|]")  # `VIP;Spring` does not negate `Spring`


def refuses_forbids_or_mentions_messages(cell: str) -> bool:
    """Whether the cell may be meant as a no to messages, clearly or not."""
    return (
        cell_refuses_messages(cell)
        or cell_of_several_words_mentions_messages(cell)
        or short_cell_forbids_something(cell)
    )


def holds_answers_in_words(column: Column) -> bool:
    """Whether the cells are answers, or a few values of which one is an answer."""
    return holds_mostly_answers_in_words(column) or _holds_few_values_and_an_answer(column)


def _holds_few_values_and_an_answer(column: Column) -> bool:
    """Whether the cells are a few short values, one of them a known answer: `ja`, `nee`."""
    values = set(column.all_cells)
    return (
        len(values) <= MAX_ANSWERS
        and all(len(value.split()) <= MAX_ANSWER_WORDS for value in values)
        and any(
            _NUMBER.fullmatch(value) is None and len(value) > 1 and is_consent_answer(value)
            for value in values
        )
    )


# A yes under these is no yes to SMS.
CHANNELS_OF_OTHER_THINGS = (Channel.OTHER, Channel.PRIVACY)
WAYS_OF_CONTACT = frozenset({"sms", "whatsapp", "email", "newsletter", "call", "post"})


def words_without_ways_of_contact(heading: str) -> frozenset[str]:
    """The words of a heading that name no way of contact."""
    return frozenset(
        word
        for word in canonical_heading_words(heading)
        if not CONCEPTS_BY_WORD.get(word, set()) & (WAYS_OF_CONTACT | {"glue"})
    )


def names_other_way_than_sms(heading: str) -> bool:
    """Whether a heading names a way of contact, and not SMS."""
    concepts = {c for w in canonical_heading_words(heading) for c in CONCEPTS_BY_WORD.get(w, ())}
    return bool(concepts & (WAYS_OF_CONTACT - {"sms"})) and "sms" not in concepts


def heading_or_cell_names_way_of_contact(heading: str) -> bool:
    """Whether a heading names a way of contact: `Gutschein-SMS`, `Direct mail`, `Kontaktkanal`."""
    concepts = {
        concept
        for word in canonical_heading_words(heading)
        for concept in CONCEPTS_BY_WORD.get(word, ())
    }
    return _heading_names_kind_of_contact(heading) or not WAYS_OF_CONTACT.isdisjoint(concepts)


def _heading_names_kind_of_contact(heading: str) -> bool:
    """Whether a heading asks by which way somebody is contacted: `Kontaktkanal`, `Contact by`."""
    concepts = {
        concept
        for word in canonical_heading_words(heading)
        for concept in CONCEPTS_BY_WORD.get(word, ())
    }
    return "contact" in concepts and not concepts.isdisjoint({"detail", "label"})


def answers_only_for_other_channel_or_purpose(column: Column) -> bool:
    """Whether a column answers for calls, letters, e-mail, pictures …, and nothing else."""
    return (
        heading_is_of_other_channel_or_purpose(column.text)
        and column.consent_answer_share() >= MIN_VALUE_SHARE
        and not any(map(cell_refuses_more_than_its_channel, set(column.all_cells)))
    )


def may_answer_for_messages(column: Column) -> bool:
    """Whether a heading of another language speaks of messages or consent, above a few states."""
    words = [fold_to_alphanumeric(word) for word in canonical_heading_words(column.text)]
    return (
        any(
            word.startswith(MESSAGE_BEGINNINGS) or names_messages_without_blanks(word)
            for word in words
        )
        and _holds_few_values_with_letters(column)
        and repeats_few_values(column)
        and _holds_several_values_or_blanks(column)
    )


def holds_recent_dates_of_few(column: Column) -> bool:
    """Whether less than half of the rows have a date, and these are not birthdays of adults."""
    return (
        len(column.all_cells) * 2 < len(column.rows)
        and bool(column.cells)
        and column.matching_share(looks_like_date_with_year) == 1
        and not _are_older_than_consents(column)
    )


def _holds_a_date_in_every_row(column: Column) -> bool:
    return len(column.all_cells) == len(column.rows) and all(
        map(looks_like_date_with_year, column.all_cells)
    )


def _are_older_than_consents(column: Column) -> bool:
    """Whether most dates are older than messages are: birthdays, not dates of consent."""
    values = set(column.all_cells)
    years = [int(year) for value in values for year in YEAR_IN_CELL.findall(value)[:1]]
    return sum(year < FIRST_YEAR_OF_CONSENTS for year in years) * 2 > len(values)


def holds_two_values_or_dates_and_blanks(column: Column) -> bool:
    """Whether the cells tell two kinds of customers apart, and so may tell who said no.

    There are two values again and again, or one that some have, or dates that some have and that
    are no birthdays.
    """
    values = set(column.all_cells)
    has_blanks = len(column.all_cells) < len(column.rows)
    if has_blanks and column.cells and column.matching_share(looks_like_date_with_year) == 1:
        return not _are_older_than_consents(column)
    is_repeated = all(count > 1 for count in Counter(column.all_cells).values())
    return (
        (len(values) + has_blanks == 2 or (len(values) == 2 and is_repeated))
        and len(column.rows)
        >= (MIN_ROWS_OF_TWO_REPEATED_KINDS if is_repeated else MIN_ROWS_OF_TWO_KINDS)
        and (
            values <= {"0", "1"}
            or all(
                has_letters(value) and len(value.split()) <= MAX_ANSWER_WORDS for value in values
            )
        )
    )


def names_channels_but_not_always_sms(column: Column) -> bool:
    """Whether some of a few cells name ways of contact, and not all name SMS: `SMS`, `Post`.

    One may be a no to all of them, such as `nessuno`. Under a heading of ways of contact any of
    them counts, else SMS.
    """
    values = set(column.all_cells)
    named = {value: channels_if_cell_lists_only_channels(value) for value in values}
    names_sms = any("sms" in channels for channels in named.values())
    if not names_sms:
        return any(named.values()) and _heading_names_kind_of_contact(column.text)
    return len(values) <= MAX_STATES and (
        len(column.all_cells) < len(column.rows)
        or any("sms" not in channels for channels in named.values())
    )


def holds_several_one_letter_codes(column: Column) -> bool:
    """Whether the cells are codes of one letter, which nobody can tell: `A`, `I`, `S`."""
    values = set(column.all_cells)
    return len(values) > 1 and all(len(value) == 1 and value.isalpha() for value in values)


def row_indexes_of_negated_values(column: Column) -> set[int]:
    """The rows whose value negates another of a few: `No autoriza` of `Autoriza`, `ineligible`.

    Of two values such as `zapisany` and `wypisany` nobody can tell which negates the other.
    """
    negated = {
        value
        for pair in _opposite_values(column)
        for value in pair
        if len(value) == max(map(len, pair)) or not pair[0].endswith(pair[1])
    }
    return column.row_indexes_matching(lambda cell: fold_to_alphanumeric(cell) in negated)


def _opposite_values(column: Column) -> list[tuple[str, str]]:
    """Pairs of a column's few values, folded, of which one negates the other; the longer first."""
    values = {
        fold_to_alphanumeric(cell)
        for cell in set(column.all_cells)
        if len(cell) <= MAX_NAME_LENGTH and not _LIST_SEPARATOR.search(cell)
    }
    if len(values) > MAX_STATES:
        return []
    pairs = combinations(sorted(values, key=len, reverse=True), 2)
    return [
        (longer, shorter)
        for longer, shorter in pairs
        if not longer[-1:].isdecimal() and _are_opposite(longer, shorter)
    ]


def has_unknown_state_with_known_opposite(column: Column) -> bool:
    """Whether a state is not understood and its opposite is: `Abonat` beside `Dezabonat`."""
    return any(
        any(CONSENT_READER.read(value).problem for value in pair)
        and not all(CONSENT_READER.read(value).problem for value in pair)
        for pair in _opposite_values(column)
    )


def _are_opposite(longer: str, shorter: str) -> bool:
    ending = _shared_ending_length(longer, shorter)
    beginning = longer[: len(longer) - ending]
    if ending >= MIN_SHARED_ENDING:
        return len(beginning) <= MAX_DIFFERENT_BEGINNING
    return ending == len(shorter) > 0 and (
        (len(shorter) >= MIN_NEGATED_LENGTH and beginning in NEGATING_PREFIXES)
        or beginning in NEGATING_SIGNS
    )


def _shared_ending_length(first: str, second: str) -> int:
    pairs = zip(reversed(first), reversed(second), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def consent_field_or_word_ask_or_empty(  # noqa: C901
    column: Column, *, has_sms_consent_column: bool, has_marketing_consent_column: bool
) -> str:
    """The field of a column whose heading speaks of consent; `ask` for a person; "" for none."""
    heading, cells = column.heading, column.cells
    if not heading.is_sure and _holds_unique_codes_with_digits(column):
        return ""  # `(Do Not Modify) Contact`
    if heading.meaning == Meaning.CONSENT and _cells_answer_by_channel(column):
        return "sms_consent"  # the cells say it, whatever else the heading says
    is_other = heading.channel in CHANNELS_OF_OTHER_THINGS
    answered = column.consent_answer_share() if cells else 1.0
    if heading.meaning == Meaning.CONSENT_EXPIRY:
        if not cells or (is_other and has_sms_consent_column):
            return ""
        if (
            not heading.is_sure
            or column.matching_share(looks_like_date_with_year) < MIN_VALUE_SHARE
        ):
            return "ask"  # `Consent expired: yes`
        # Beside a consent it takes a yes away, and is none.
        return "other_consent" if is_other or has_sms_consent_column else "sms_consent"
    if heading.meaning == Meaning.CONSENT_TIME and heading.channel == Channel.PRIVACY:
        if has_sms_consent_column or not cells:
            return ""
    elif heading.meaning == Meaning.CONSENT_TIME:
        # A date says when somebody agreed, and nothing about today; answers are a consent.
        if cells and not heading.is_sure and not has_sms_consent_column:
            return "ask"  # such as `SMS consent valid tot`
        if (
            not cells
            or column.matching_share(looks_like_date_with_year)
            or answered < MIN_VALUE_SHARE
        ):
            return ""
    elif heading.meaning == Meaning.CONSENT_DETAIL:
        is_in_doubt = any(map(cell_refuses_messages, set(column.all_cells))) or (
            not heading.is_sure and column.matching_share(looks_like_date_with_year) > 0
        )
        return "ask" if is_in_doubt and not has_sms_consent_column else ""
    elif heading.meaning == Meaning.OPT_OUT_DETAIL:
        return ""
    elif heading.meaning == Meaning.UNCLEAR_CONSENT:
        if heading.channel != Channel.PRIVACY and _states_tell_opt_outs(column):
            return "sms_opt_out"
        if heading.channel == Channel.PRIVACY and _agrees_everybody(column):
            return "other_consent"  # a yes is none to SMS, and a no of a later row counts
        if heading_names_only_an_approval(column.text) and _holds_a_date_in_every_row(column):
            return ""  # `Inscription`: when somebody registered
        return "ask" if cells else ""
    if heading.meaning == Meaning.OPT_OUT:
        if is_other and has_sms_consent_column:
            return ""
        if heading.is_sure and _holds_one_mark_and_blanks(column):
            return "sms_opt_out"
        share = column.consent_answer_share(also=looks_like_date_with_year)
        if share >= MIN_VALUE_SHARE or (heading.is_sure and (share or not cells)):
            return "sms_opt_out"
        return "ask" if cells else ""
    if not heading.is_sure:
        if has_sms_consent_column and heading.channel != Channel.SMS:
            return ""
        if has_marketing_consent_column and _names_something_else_than_messages(column):
            return ""
        says_something = answered or column.matching_share(looks_like_date_with_year)
        may_say_something = _holds_few_values_with_letters(column) or (
            holds_few_short_codes(column) and _holds_several_values_or_blanks(column)
        )
        return "ask" if cells and (says_something or may_say_something) else ""
    if is_other:
        if has_sms_consent_column:
            return ""
        is_state = heading.channel == Channel.OTHER and _states_tell_opt_outs(column)
        return "sms_opt_out" if is_state else "other_consent"
    if cells and (has_cross_of_unknown_sense(column) or _has_a_no_and_no_known_yes(column)):
        return "ask"
    if cells and not answered and not any(map(cell_refuses_messages, set(column.all_cells))):
        # `Marketing: Facebook`, `Subscription: Gold` are no answers; unless the heading asks, or
        # the cells are codes.
        if column.matching_share(looks_like_date_with_year):
            return "sms_consent"
        if _heading_names_consent(column) or heading.channel == Channel.SMS:
            return "ask"
        tells_apart = holds_few_short_codes(column) and _holds_several_values_or_blanks(column)
        tells_apart |= _holds_a_none_or_only(column)
        return "ask" if tells_apart or holds_two_values_or_dates_and_blanks(column) else ""
    return "sms_consent"


def _agrees_everybody(column: Column) -> bool:
    reader = build_consent_reader(column.all_cells, heading=column.text)
    return bool(column.rows) and all(
        is_consent_answer(cell, reader) and reader.read(cell).consent == Consent.AGREES
        for cell in column.rows
    )


def _holds_a_none_or_only(column: Column) -> bool:
    """Whether a few values limit what somebody gets: `None`, `Reminders only`."""
    values = set(filter(None, column.rows))
    return len(values) <= MAX_STATES and any(
        fold_to_alphanumeric(value) == "none" or cell_names_a_limit(value) for value in values
    )


def _names_something_else_than_messages(column: Column) -> bool:
    """Whether a heading of consent has a word for something that is hardly messages.

    Of a word that nobody knows, no part is one of messages, contact or marketing, and it begins no
    word of refusing or withdrawing: `Rev. consenso`.
    """
    words = canonical_heading_words(column.text)
    if any(
        word not in CONCEPTS_BY_WORD
        and len(word) >= MIN_ABBREVIATION_LENGTH
        and any(verb.startswith(word) for verb in (*REFUSED, *WITHDRAWN))
        for word in words
    ):
        return False
    concepts = {concept for word in words for concept in CONCEPTS_BY_WORD.get(word, ())}
    return column.heading.channel == Channel.ANY and not (
        concepts & {"topic", "advertising", "contact", "privacy"}
        or any(map(word_has_part_for_messages, words))
    )


def holds_answers_not_addresses(column: Column) -> bool:
    """Whether a column of addresses holds answers instead, to `E-mail?` say."""
    reader = build_consent_reader(column.cells, heading=column.text)
    return (
        (len(set(column.cells)) > 1 or any(len(cell) > 1 for cell in column.cells))
        and not column.matching_share(looks_like_email)
        and column.consent_answer_share() >= MIN_VALUE_SHARE
        and any(reader.read(cell).consent == Consent.AGREES for cell in column.cells)
    )


def has_cross_of_unknown_sense(column: Column) -> bool:
    """Whether nobody can tell if a cross is a yes or a no, as beside `no` or a circle."""
    crosses = {"x", "X", "χ", "Χ"} & set(column.all_cells)
    if not crosses:
        return False
    reader = build_consent_reader(column.all_cells, heading=column.text)
    return any(reader.read(cross).problem for cross in crosses)


def _has_a_no_and_no_known_yes(column: Column) -> bool:
    """Whether some cells withhold consent, nobody agrees, and the others are not understood."""
    values = set(column.all_cells)
    if len(values) > MAX_STATES or any(map(looks_like_date_with_year, values)):
        return False
    reader = build_consent_reader(column.all_cells, heading=column.text)
    said = list(map(reader.read, values))
    return (
        any(cell.problem for cell in said)
        and any(cell.consent >= Consent.WITHHELD and not cell.problem for cell in said)
        and all(cell.consent != Consent.AGREES for cell in said)
    )


def holds_few_short_codes(column: Column) -> bool:
    """Whether the cells are a few signs or codes, such as `A` and `D`, and no words."""
    values = set(column.all_cells)
    return len(values) <= MAX_ANSWERS and all(len(value) <= MAX_CODE_LENGTH for value in values)


def _holds_several_values_or_blanks(column: Column) -> bool:
    """Whether the cells tell customers apart: there are several values, or some are blank."""
    return len(set(column.all_cells)) > 1 or len(column.all_cells) < len(column.rows)


def _holds_unique_codes_with_digits(column: Column) -> bool:
    """Whether each row has a code of its own, with digits, that is neither a phone nor a date."""
    return (
        len(column.rows) > 1
        and len(set(column.rows)) == len(column.rows) == len(column.cells)
        and column.matching_share(
            lambda cell: (
                len(cell.split()) == 1
                and any(map(str.isdecimal, cell))
                and not looks_like_phone(cell)
                and not looks_like_date_with_year(cell)
                and not is_consent_answer(cell)
            )
        )
        == 1
    )


def _cells_answer_by_channel(column: Column) -> bool:
    """Whether the cells name ways of contact, or none: `SMS: sí | Email: no`, `EMAIL`, `none`."""
    reader = build_consent_reader(column.cells)
    values = set(column.all_cells)
    return (
        len(values) <= MAX_STATES
        and all(
            is_consent_answer(value, reader)
            and (
                heading_or_cell_names_way_of_contact(value)
                or reader.read(value).consent != Consent.AGREES
            )
            for value in values
        )
        and any(
            "sms" in CONCEPTS_BY_WORD.get(word, ())
            for value in values
            for word in canonical_heading_words(value)
        )
    )


def _holds_one_mark_and_blanks(column: Column) -> bool:
    """Whether some rows have one and the same mark, such as a cross, and the others nothing."""
    marks = set(column.all_cells)
    return (
        len(marks) == 1
        and len(column.all_cells) < len(column.rows)
        and all(len(mark) == 1 and not mark.isdecimal() for mark in marks)
        and not any(OPT_OUT_READER.read(mark).consent == Consent.SILENT for mark in marks)
    )


def _heading_names_consent(column: Column) -> bool:
    return any("optin" in CONCEPTS_BY_WORD.get(w, ()) for w in canonical_heading_words(column.text))


def _holds_few_values_with_letters(column: Column) -> bool:
    """Whether the cells are a few values in words, not dates, numbers or sentences of their own."""
    values = set(column.all_cells)
    return len(values) <= MAX_STATES and column.matching_share(has_letters) >= MIN_VALUE_SHARE


def states_mean_same_under_any_heading(column: Column) -> bool:
    """Whether the cells are states such as `unsubscribed`, clear under any heading."""
    cells = set(column.cells)
    return len(cells) <= CONTENT_SAMPLE_ROWS / 2 and all(
        is_consent_answer(cell) and means_same_under_consent_and_opt_out_heading(cell)
        for cell in cells
    )


def _states_tell_opt_outs(column: Column) -> bool:
    """Whether the cells are such states, and one of them is that of an opt-out."""
    return states_mean_same_under_any_heading(column) and any(
        OPT_OUT_READER.read(cell).consent == Consent.OPTED_OUT for cell in set(column.cells)
    )


def means_same_under_consent_and_opt_out_heading(cell: str) -> bool:
    """Whether the cell is a no either to both questions, who agreed and who did not, or to none.

    `Granted` answers the first one only.
    """
    agreed, refused = CONSENT_READER.read(cell), OPT_OUT_READER.read(cell)
    return (agreed.consent == Consent.OPTED_OUT) == (refused.consent == Consent.OPTED_OUT) and bool(
        agreed.problem
    ) == bool(refused.problem)


def is_subscription_state(cell: str) -> bool:
    """Whether a cell is the state of a subscription, such as `subscribed`."""
    return (
        len(cell) <= MAX_NAME_LENGTH
        and read_heading(cell).meaning in (Meaning.CONSENT, Meaning.OPT_OUT)
        and CONSENT_READER.read(cell).problem == ""
    )


WILLING = (Consent.SILENT, Consent.AGREES)
