"""What a reply asks for: to stop, to start again, nothing, or a person has to decide.

The words and phrases are in `reply_languages/`, a file a language; its README explains them. A text
is read in the language that knows most of its words. Rules: docs/rules.md#replies.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from contacts.importing.encodings import is_mojibake
from messaging.reply_text import (
    Clause,
    clauses_of,
    edit_distance,
    fold,
    is_slip,
    letters_for_digits,
    letters_without_digits,
    without_repeats,
)
from messaging.statuses import ConsentRequest

LANGUAGE_FOLDER = Path(__file__).parent / "reply_languages"
SHARED = "shared"  # the file of what every language understands
LONGEST_TEXT = 1500  # characters that are read: those of an SMS of ten parts
# A word of so many letters may have one wrong letter, and one of so many two.
ONE_SLIP, TWO_SLIPS = 6, 9
MOST_FILLERS = 5  # between two words of a phrase
# What a text that was read as Latin may have been written in.
REMEMBERED_WORDS = 2048
OTHER_ENCODINGS = ("utf-8", "iso8859_7")


class Reading(NamedTuple):
    """What a reply asks for: a ConsentRequest, or empty for none.

    If a person has to decide (`review`), `proposed` is the likely answer: stop, or empty for none.
    """

    request: str
    proposed: str = ""


NOTHING, STOP, START = Reading(""), Reading("stop"), Reading("start")


class Kind(StrEnum):
    """What a clause says. The first five are the kinds of phrases in the files."""

    CLEAR = "clear"  # asks to stop in so many words: "stop texting me"
    KEEP = "keep"  # has such words and does not ask: "don't stop", "bus stop"
    DOUBT = "doubt"  # may ask: "wrong number"
    START = "start"  # asks for messages again
    INSTRUCTION = "instruction"  # repeats how to opt out: "reply STOP to opt out"
    COMMAND = "command"  # a command and nothing else: "STOP please"
    EVERYDAY = "everyday"  # an everyday word that is a command if nothing else is said: "end"
    OPEN = "open"  # a command beside words that say something else
    COURTESY = "courtesy"  # greetings, thanks, a name below
    PRAISE = "praise"  # what nobody writes who wants no more messages
    QUESTION = "question"  # a question about something else
    OTHER = "other"


PHRASES = (Kind.CLEAR, Kind.KEEP, Kind.DOUBT, Kind.START, Kind.INSTRUCTION)


def read_reply(text: str) -> Reading:
    """What a reply asks for; what may ask to stop and is not sure is for a person to decide."""
    text = text[:LONGEST_TEXT]
    readings = map(_read, (text, *_in_other_encodings(text)))
    return next((reading for reading in readings if reading != NOTHING), NOTHING)


def _in_other_encodings(text: str) -> Iterator[str]:
    """The text as it was written, if its letters show that it was read in a wrong encoding."""
    if is_mojibake(text):
        for encoding in OTHER_ENCODINGS:
            for read_as in ("cp1252", "latin-1"):
                try:
                    yield text.encode(read_as).decode(encoding)
                except UnicodeError:
                    continue


def _read(text: str) -> Reading:
    shared, languages = _languages()
    if not any(map(str.isalpha, text)):
        return _for_review("stop") if any(sign in text for sign in shared.signs) else NOTHING
    clauses = clauses_of(text, shared.signatures)
    in_each = [_InLanguage(language, clauses) for language in languages]
    most_known = max(each.known for each in in_each)
    readings = {each.reading() for each in in_each if each.known == most_known}
    return _agree([reading for reading in readings if reading is not None])


def _agree(readings: Sequence[Reading]) -> Reading:
    """The reading of a text that several languages understand."""
    if len(readings) < 2:
        return readings[0] if readings else NOTHING
    if NOTHING not in readings and START not in readings and STOP in readings:
        return STOP
    if any(reading == STOP or reading.proposed for reading in readings):
        return _for_review("stop")
    return next((reading for reading in readings if reading.request == "review"), NOTHING)


def _for_review(proposed: str) -> Reading:
    return Reading(ConsentRequest.REVIEW.value, proposed)


class _InLanguage:
    """A text as one language reads it."""

    def __init__(self, language: Language, clauses: Sequence[Clause]) -> None:
        self.language, self.clauses = language, clauses
        self.words = [language.words_of(clause, of_one=len(clauses) == 1) for clause in clauses]
        self.known = sum(map(language.share_known, clauses, self.words))

    def reading(self) -> Reading | None:
        """What the text asks for; None if the language does not understand it."""
        in_capitals = all(token.isupper() for clause in self.clauses for token in clause.tokens)
        kinds: set[Kind] = set()
        for clause, words in zip(self.clauses, self.words, strict=True):
            kinds |= self.language.kinds_of(clause, words, in_capitals=in_capitals)
        return _combine(kinds) if kinds != {Kind.OTHER} else None


def _combine(kinds: Collection[Kind]) -> Reading:
    """What the clauses of a text ask for together."""

    def has(*wanted: Kind) -> bool:
        return any(kind in kinds for kind in wanted)

    if not has(Kind.KEEP, Kind.START) and (
        has(Kind.CLEAR)
        or (has(Kind.COMMAND) and not has(Kind.QUESTION, Kind.PRAISE, Kind.OPEN))
        or (has(Kind.EVERYDAY) and not has(Kind.QUESTION, Kind.PRAISE, Kind.OPEN, Kind.OTHER))
    ):
        return STOP
    if has(Kind.CLEAR, Kind.COMMAND, Kind.EVERYDAY, Kind.DOUBT, Kind.OPEN, Kind.INSTRUCTION):
        return _for_review("" if has(Kind.KEEP, Kind.PRAISE, Kind.QUESTION) else "stop")
    return START if has(Kind.START) and not has(Kind.KEEP, Kind.QUESTION) else NOTHING


class Language:
    """The words and phrases of one language, with those that every language understands."""

    def __init__(self, data: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
        """Compile what `LANGUAGE_FOLDER` holds.

        Args:
            data: the language's file.
            shared: the file of what every language understands.
        """
        self._spellings = [(re.compile(a), b) for a, b in data.get("spellings", ())]
        self._splits_at_apostrophe = data.get("splits_at_apostrophe", False)
        sources = (data,) if data is shared else (data, shared)

        def words(*names: str) -> list[str]:
            return [
                self.fold(word.replace("+", " "))
                for name in names
                for source in sources
                for word in source.get(name, "").split()
            ]

        self._classes = {
            name: [
                self.fold(word.replace("+", " "))
                for source in sources
                for word in source.get("words", {}).get(name, "").split()
            ]
            for name in data["words"]
        }
        class_words = [word for name in self._classes.values() for word in name]
        acting = [*words("commands", "everyday", "cancelling", "starts"), *class_words]
        phrases = [
            (kind, line)
            for kind in PHRASES
            for source in sources
            for line in source.get("phrases", {}).get(kind, "").strip().splitlines()
        ]
        self.commands = frozenset(words("commands"))
        self._known = _Vocabulary(
            [*acting, *words("fillers", "ordinary", "business", "praise", "questions", "requests", "reasons"),
             *(self.fold(word) for lines in data.get("phrases", {}).values()
               for word in re.findall(r"[^\W\d_]+\*?", lines) if word not in self._classes)],
            correctable=acting,
            commands=self.commands,
        )  # fmt: skip
        self._fillers = f"(?:{_any_of(words('fillers'))}){{0,{MOST_FILLERS}}}"
        self._filler = re.compile(f"(?<= ){_any_of(words('fillers'))}")
        self._command = _pattern(words("commands"))
        self._everyday = _pattern(words("everyday", "cancelling"))
        self._cancelling, self._business = _pattern(words("cancelling")), _pattern(words("business"))
        self._start, self._praise = _pattern(words("starts")), _pattern(words("praise"))
        self._question = re.compile(f" {_any_of(words('questions'))}")
        self._request = re.compile(f" {self._fillers}{_any_of(words('requests'))}")
        self._before_reason = re.compile(
            f" {self._fillers}{_any_of(self.commands)}{self._fillers}"
            f"(?={_any_of(words('reasons'))})"
        )
        compiled = [(kind, line, self._compile(line)) for kind, line in phrases]
        self._phrases = [(kind, each) for kind, line, each in compiled if _GAP not in line]
        self._phrases_with_gaps = [(kind, each) for kind, line, each in compiled if _GAP in line]
        self.signs = tuple(data.get("signs", "").split())
        self.signatures = re.compile(
            "|".join(re.escape(word) for word in data.get("signatures", "").split())
            .replace(r"\+", r"\W+") or r"(?!)", re.IGNORECASE,
        )  # fmt: skip

    def fold(self, text: str) -> str:
        """The text as words of the language are compared."""
        text = fold(text).replace("'", " " if self._splits_at_apostrophe else "")
        for pattern, spelling in self._spellings:
            text = pattern.sub(spelling, text)
        return text

    def words_of(self, clause: Clause, *, of_one: bool) -> list[str]:
        """The words of a clause as they are compared, with slips of the finger corrected.

        Args:
            clause: a part of a text.
            of_one: whether it is the whole text.
        """
        words = [word for token in clause.tokens for word in self.fold(token).split()]
        if of_one and "".join(words) in self.commands:
            return ["".join(words)]  # "un subscribe"
        return [word for each in words for word in self._known.corrected(each).split()]

    def share_known(self, clause: Clause, words: Sequence[str]) -> int:
        """How many words of a clause the language knows; a corrected one counts half.

        Args:
            clause: a part of a text.
            words: its words, by `words_of`.
        """
        written = {word for token in clause.tokens for word in self.fold(token).split()}
        return sum(
            2 if word in written else 1
            for word in words
            if len(word) > 1 and word in self._known
        )

    def kinds_of(self, clause: Clause, words: Sequence[str], *, in_capitals: bool) -> set[Kind]:
        """What a clause says.

        Args:
            clause: a part of a text.
            words: its words, by `words_of`.
            in_capitals: whether the whole text is written in capitals.
        """
        text = " " + "".join(f"{word} " for word in words)
        is_question = clause.is_question
        command = self._before_reason.match(text)
        if command and not is_question:
            reason = self._kinds(" " + text[command.end() :], is_question=False)
            return {Kind.OPEN} if Kind.PRAISE in reason else {Kind.COMMAND, *reason} - {Kind.OTHER}
        request = self._request.match(text)
        if request:
            text = " " + text[request.end() :]
            kinds = self._kinds(text, is_question=False)
            return {Kind.QUESTION if kind == Kind.OPEN else kind for kind in kinds}
        kinds = self._kinds(text, is_question=is_question or self._question.match(text) is not None)
        if kinds == {Kind.OTHER}:
            if clause.is_signature:
                return {Kind.COURTESY}
            if not in_capitals and self._command_stands_out(clause):
                return {Kind.OPEN}
        return kinds

    def _command_stands_out(self, clause: Clause) -> bool:
        """Whether a command is written in capitals among other words."""
        return any(token.isupper() and self.fold(token) in self.commands for token in clause.tokens)

    def _kinds(self, text: str, *, is_question: bool) -> set[Kind]:
        kinds, rest = self._find_phrases(text)
        rest = self._filler.sub("", rest)
        words = [word for word in rest.split() if _FOUND not in word and not word.isdecimal()]
        if kinds:
            kinds |= self._commands_among(words)
        else:
            kinds = {self._kind_of_words(words, rest.split())}
        if is_question:
            kinds = {_IN_QUESTION.get(kind, kind) for kind in kinds}
        return kinds

    def _find_phrases(self, text: str) -> tuple[set[Kind], str]:
        """The phrases in a text, and what is left of it.

        Of overlapping ones the first counts, and of those the longest. Phrases with a gap are only
        looked for in what the others leave.
        """
        kinds: set[Kind] = set()
        for phrases in (self._phrases, self._phrases_with_gaps):
            matches = [
                (match.start(), -match.end(), kind)
                for kind, phrase in phrases
                for match in phrase.finditer(text)
            ]
            matches.sort(key=lambda match: match[:2])  # stable: the order of PHRASES decides
            end = 0
            for match_start, match_end, kind in matches:
                if match_start >= end:
                    end = -match_end
                    kinds.add(kind)
                    text = f"{text[:match_start]}{_FOUND * (end - match_start - 1)} {text[end:]}"
        return kinds, text

    def _commands_among(self, words: Sequence[str]) -> set[Kind]:
        """What the words beside phrases say."""
        if words and all(self._command.fullmatch(f"{word} ") for word in words):
            return {Kind.COMMAND}
        if words and all(self._everyday.fullmatch(f"{word} ") for word in words):
            return {Kind.EVERYDAY}
        return set()

    def _kind_of_words(self, words: Sequence[str], with_numbers: Sequence[str]) -> Kind:
        """What the words of a clause without phrases say that are no fillers."""
        if not words:
            return Kind.OTHER if with_numbers else Kind.COURTESY
        commands = [self._command.fullmatch(f"{word} ") is not None for word in words]
        if all(c or self._everyday.fullmatch(f"{w} ") for c, w in zip(commands, words, strict=True)):
            return Kind.COMMAND if any(commands) else Kind.EVERYDAY
        if all(self._start.fullmatch(f"{word} ") for word in words):
            return Kind.START
        has_business = any(self._business.fullmatch(f"{word} ") for word in words)
        may_cancel = self._cancelling.fullmatch(f"{words[0]} ") and not has_business
        if commands[0] or commands[-1] or may_cancel or self._known.is_near(words[0]):
            return Kind.OPEN
        has_praise = any(self._praise.fullmatch(f"{word} ") for word in words)
        return Kind.PRAISE if has_praise else Kind.OTHER

    def _compile(self, phrase: str) -> re.Pattern[str]:
        """The pattern of a phrase, as the README of LANGUAGE_FOLDER explains it."""
        pattern = "(?<= )"
        for element in phrase.split():
            if element == "^":
                pattern = f"^ {self._fillers}"
            elif element == "$":
                pattern += "$"
            elif element == _GAP:
                pattern += r"(?:\S+ ){0,4}"
            elif element == "NAME":
                pattern += rf"(?!{self._known.pattern})\w+ {self._fillers}"
            else:
                names = element.removesuffix("?").split("|")
                words = [
                    word
                    for name in names
                    for word in self._classes.get(name) or [self.fold(name.replace("+", " "))]
                ]
                is_optional = element.endswith("?")
                pattern += f"(?:{_any_of(words)}{self._fillers}){'?' if is_optional else ''}"
        return re.compile(pattern)


_GAP = "…"
_FOUND = "\0"  # stands where a phrase was
# What a question asks is no request; if it has the words of one, a person decides.
_IN_QUESTION = {
    Kind.CLEAR: Kind.DOUBT,
    Kind.COMMAND: Kind.DOUBT,
    Kind.EVERYDAY: Kind.DOUBT,
    Kind.OPEN: Kind.QUESTION,
    Kind.OTHER: Kind.QUESTION,
    Kind.PRAISE: Kind.QUESTION,
    Kind.START: Kind.QUESTION,
}


class _Vocabulary:
    """The words of a language, and which of them a mistyped word could be."""

    def __init__(
        self, words: Iterable[str], *, correctable: Iterable[str], commands: Collection[str]
    ) -> None:
        single = {each for word in words for each in word.split()}
        self._words = {word for word in single if not word.endswith("*")}
        self._stems = tuple(sorted(word[:-1] for word in single if word.endswith("*")))
        self._commands = sorted(commands)
        # Words and stems alike; a stem is compared with the beginning of a word.
        self._correctable = sorted(
            word for each in correctable for word in each.split() if len(word) >= ONE_SLIP
        )
        self.pattern = _any_of(single)
        self.corrected = lru_cache(maxsize=REMEMBERED_WORDS)(self._corrected)

    def __contains__(self, word: str) -> bool:
        return word in self._words or word.startswith(self._stems)

    def _corrected(self, word: str) -> str:
        """The word, or the word or words of the language that were meant."""
        if word in self:
            return word
        for meant in (letters_without_digits(word), letters_for_digits(word), without_repeats(word)):
            if all(each in self for each in meant.split()):
                return meant
        for command in self._commands:
            if is_slip(word, command):
                return command
            glued = word.removeprefix(command)
            if glued != word and len(command) > 3 and len(glued) > 2 and glued in self:
                return f"{command} {glued}"
        return self._nearest(word) if len(word) >= ONE_SLIP else word

    def is_near(self, word: str) -> bool:
        """Whether a word that nobody knows is one letter away from a short command."""
        return word not in self and any(
            edit_distance(word, command, 1) == 1
            for command in self._commands
            if 3 < len(command) < ONE_SLIP
        )

    def _nearest(self, word: str) -> str:
        """The known word with the fewest wrong letters, if they are few enough."""
        best, fewest = word, 3
        for known in self._correctable:
            is_stem = known.endswith("*")
            known = known.removesuffix("*")
            limit = 2 if len(known) >= TWO_SLIPS and word[0] == known[0] else 1
            length = len(known)
            beginnings = {word[: length + more] for more in (-1, 0, 1)} if is_stem else {word}
            distance = min(edit_distance(each, known, limit) for each in beginnings)
            if distance <= limit and distance < fewest:
                best, fewest = known, distance
        return best


def _any_of(words: Iterable[str]) -> str:
    """A pattern of words, each with the blank after it; a `*` stands for any ending."""
    patterns = {re.escape(word).replace(r"\*", r"\w*") + " " for word in words if word}
    longest_first = sorted(patterns, key=lambda each: (-len(each), each))
    return f"(?:{'|'.join(longest_first)})" if longest_first else "(?!)"


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(_any_of(words))


@cache
def _languages() -> tuple[Language, list[Language]]:
    """What every language understands, and the languages; compiled once a process."""
    files = {path.stem: tomllib.loads(path.read_text()) for path in LANGUAGE_FOLDER.glob("*.toml")}
    shared = files.pop(SHARED)
    return Language(shared, shared), [Language(data, shared) for _, data in sorted(files.items())]
