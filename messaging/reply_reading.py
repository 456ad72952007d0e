"""What a reply asks for: to stop, to start again, nothing, or a person has to decide.

What a clause says in one language is in `reply_language.py`, the words and phrases are in
`reply_languages/`. Rules: docs/rules.md#replies.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from messaging.reply_language import Kind, Language
from messaging.reply_text import Clause, split_into_clauses_without_quotes
from messaging.statuses import ConsentRequest

LANGUAGE_FOLDER = Path(__file__).parent / "reply_languages"
SHARED = "shared"  # the file of what every language understands
LONGEST_TEXT = 1500  # of a longer one the beginning and the end are read
# What a text that was read as Latin may have been written in.
OTHER_ENCODINGS = ("utf-8", "iso8859_7")
_ACCENTED_LATIN = re.compile("[\u0080-\u00ff]")
# What no person writes: control characters, and Greek letters within a Latin word.
_IMPLAUSIBLE = re.compile("[\x80-\x9f]|[A-Za-z][\u0370-\u03ff]|[\u0370-\u03ff][A-Za-z]")


class Reading(NamedTuple):
    """What a reply asks for: a ConsentRequest, or empty for none.

    If a person has to decide (`review`), `proposed` is the likely answer: stop, or empty for none.
    """

    request: str
    proposed: str = ""


NOTHING = Reading("")
STOP, START = Reading(ConsentRequest.STOP.value), Reading(ConsentRequest.START.value)


def read_consent_request_of_reply(text: str) -> Reading:
    """What a reply asks for; what may ask to stop and is not sure is for a person to decide."""
    if len(text) > LONGEST_TEXT:
        text = f"{text[: LONGEST_TEXT // 2]}\n{text[-LONGEST_TEXT // 2 :]}"
    readings = map(_read_in_best_language, (text, *_iter_redecoded_texts(text)))
    return next((reading for reading in readings if reading != NOTHING), NOTHING)


def _iter_redecoded_texts(text: str) -> Iterator[str]:
    """The text as it may have been written, if it may have been read in a wrong encoding."""
    if _ACCENTED_LATIN.search(text):
        for encoding in OTHER_ENCODINGS:
            for read_as in ("cp1252", "latin-1"):
                try:
                    redecoded = text.encode(read_as).decode(encoding)
                except UnicodeError:
                    continue
                if not _IMPLAUSIBLE.search(redecoded):
                    yield redecoded


def _read_in_best_language(text: str) -> Reading:
    """What a text asks for in the language that knows most of its words."""
    shared, languages = _load_shared_and_languages()
    if not any(map(str.isalpha, text)):
        return (
            _build_reading_for_review("stop")
            if any(sign in text for sign in shared.signs)
            else NOTHING
        )
    lines_apart, lines_joined = (
        split_into_clauses_without_quotes(text, shared.signatures, joins_lines=joins_lines)
        for joins_lines in (False, True)
    )
    in_each = [_InLanguage(language, lines_apart, lines_joined) for language in languages]
    most_known = max(each.known for each in in_each)
    readings = {each.reading() for each in in_each if each.known == most_known}
    return _merge_readings_of_languages([reading for reading in readings if reading is not None])


def _merge_readings_of_languages(readings: Sequence[Reading]) -> Reading:
    """The reading of a text that several languages understand."""
    if len(readings) < 2:
        return readings[0] if readings else NOTHING
    if NOTHING not in readings and START not in readings and STOP in readings:
        return STOP
    if any(reading == STOP or reading.proposed for reading in readings):
        return _build_reading_for_review("stop")
    return next((reading for reading in readings if reading.request == "review"), NOTHING)


def _build_reading_for_review(proposed: str) -> Reading:
    return Reading(ConsentRequest.REVIEW.value, proposed)


class _InLanguage:
    """A text as one language reads it: with a sentence in each line, and with broken lines."""

    def __init__(
        self, language: Language, lines_apart: Sequence[Clause], lines_joined: Sequence[Clause]
    ) -> None:
        self._apart = self._joined = _ClausesInLanguage(language, lines_apart)
        if lines_joined != lines_apart:
            self._joined = _ClausesInLanguage(language, lines_joined)
        self.known = max(self._apart.known, self._joined.known)

    def reading(self) -> Reading | None:
        """What the text asks for; None if the language does not understand it."""
        apart, joined = self._apart.kinds(), self._joined.kinds()
        if apart == joined == {Kind.OTHER}:
            return None
        # "Please stop", and in the next line "by the shop".
        in_lines, as_one = (
            _combine_kinds_of_clauses(apart | ({Kind.KEEP} & joined)),
            _combine_kinds_of_clauses(joined),
        )
        return as_one if as_one == STOP or in_lines == NOTHING else in_lines


class _ClausesInLanguage:
    """Clauses as one language reads them."""

    def __init__(self, language: Language, clauses: Sequence[Clause]) -> None:
        self.language, self.clauses = language, clauses
        self.words = [
            language.corrected_words_of_clause(clause, is_whole_text=len(clauses) == 1)
            for clause in clauses
        ]
        self.known = sum(map(language.known_words_score, clauses, self.words))

    def kinds(self) -> set[Kind]:
        """What the clauses say."""
        in_capitals = all(token.isupper() for clause in self.clauses for token in clause.tokens)
        return {
            kind
            for clause, words in zip(self.clauses, self.words, strict=True)
            for kind in self.language.classify_clause(clause, words, in_capitals=in_capitals)
        }


def _combine_kinds_of_clauses(kinds: Collection[Kind]) -> Reading:
    """What the clauses of a text ask for together."""

    def has(*wanted: Kind) -> bool:
        return any(kind in kinds for kind in wanted)

    asks_to_stop = has(Kind.CLEAR) or (
        not has(Kind.QUESTION, Kind.PRAISE, Kind.OPEN)
        and (has(Kind.COMMAND) or (has(Kind.EVERYDAY) and not has(Kind.OTHER, Kind.UNRELATED)))
    )
    if asks_to_stop and not has(Kind.KEEP, Kind.START):
        return STOP
    if has(Kind.CLEAR, Kind.COMMAND, Kind.EVERYDAY, Kind.DOUBT, Kind.OPEN, Kind.INSTRUCTION):
        return _build_reading_for_review(
            "" if has(Kind.KEEP, Kind.PRAISE, Kind.QUESTION) else "stop"
        )
    return START if has(Kind.START) and not has(Kind.KEEP, Kind.QUESTION) else NOTHING


def is_only_a_yes(text: str) -> bool:
    """Whether a reply says yes, and nothing else, as an answer to an opt-in request."""
    shared, _ = _load_shared_and_languages()
    words = [
        shared.fold(token)
        for clause in split_into_clauses_without_quotes(text, shared.signatures)
        for token in clause.tokens
    ]
    return len(words) == 1 and words[0] in shared.yes


@cache
def _load_shared_and_languages() -> tuple[Language, list[Language]]:
    """What every language understands, and the languages; read once a process."""
    files = {path.stem: tomllib.loads(path.read_text()) for path in LANGUAGE_FOLDER.glob("*.toml")}
    shared = files.pop(SHARED)
    return Language(shared, shared), [Language(data, shared) for _, data in sorted(files.items())]
