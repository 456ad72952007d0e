"""What a clause of a reply says, by the words and phrases of one language.

They are in `reply_languages/`, a file a language; its README explains them. What the clauses of a
text ask for together is decided in `reply_reading.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from messaging.reply_text import (
    Clause,
    edit_distance_up_to_limit,
    fold,
    has_two_near_letters_swapped,
    latin_if_all_greek_capitals_look_latin,
    letter_runs_between_digits,
    replace_digits_if_token_has_letters,
    without_repeated_letters,
)

# A word of so many letters may have one wrong letter, and one of so many two.
ONE_SLIP, TWO_SLIPS = 6, 9
MOST_FILLERS = 5  # between two words of a phrase
REMEMBERED_WORDS = 2048
GAP = "…"
_FOUND = "\0"  # stands where a phrase was
# Words that only make the language known, or a reply a question, a request or a compliment.
_OTHER_LISTS = (
    "fillers",
    "ordinary",
    "business",
    "praise",
    "questions",
    "requests",
    "reasons",
)


class Kind(StrEnum):
    """What a clause says. The first six are the kinds of phrases in the files."""

    CLEAR = "clear"  # asks to stop in so many words: "stop texting me"
    KEEP = "keep"  # has such words and does not ask: "don't stop"
    UNRELATED = "unrelated"  # has such words in another meaning: "bus stop"
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


PHRASES = (Kind.CLEAR, Kind.KEEP, Kind.UNRELATED, Kind.DOUBT, Kind.START, Kind.INSTRUCTION)
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
# "Opt out: https://…" is how a marketing text ends that somebody sends back.
_BEFORE_ADDRESS = dict.fromkeys((Kind.CLEAR, Kind.COMMAND, Kind.EVERYDAY), Kind.INSTRUCTION)


class _Phrase(NamedTuple):
    """A phrase of a file. A text that has it has a term of each of `terms_of_elements`."""

    kind: Kind
    written: str
    terms_of_elements: list[frozenset[str]]


class Language:
    """The words and phrases of one language, with those that every language understands."""

    def __init__(self, data: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
        """Read the words and phrases.

        Args:
            data: the language's file.
            shared: the file of what every language understands.
        """
        self._spellings = [(re.compile(a), b) for a, b in data.get("spellings", ())]
        self._is_written_in_latin = data.get("script", "Latin") == "Latin"
        self._splits_at_apostrophe = data.get("splits_at_apostrophe", False)
        sources = (data,) if data is shared else (data, shared)

        def words(*names: str) -> list[str]:
            return [
                word
                for name in names
                for each in sources
                for word in self._folded_terms_or_empty(each, name)
            ]

        self.commands = frozenset(words("commands"))
        self.yes = frozenset(words("yes"))
        self.signs = tuple(data.get("signs", "").split())
        self.signatures = re.compile(
            "|".join(r"\W+".join(each.split("+")) for each in data.get("signatures", "").split())
            or "(?!)"
        )
        self._classes = {
            name: [
                word
                for each in sources
                for word in self._folded_terms_or_empty(each.get("words", {}), name)
            ]
            for name in data["words"]
        } | {"BUSINESS": words("business")}
        acting = words("commands", "everyday", "cancelling", "starts")
        acting += [word for each in self._classes.values() for word in each]
        in_phrases = [
            self.fold(word)
            for lines in data.get("phrases", {}).values()
            for word in re.findall(r"[^\W\d_]+\*?", lines)
            if word not in self._classes
        ]
        self._known = _Vocabulary(
            [*acting, *words(*_OTHER_LISTS), *in_phrases],
            correctable=acting,
            commands=self.commands,
        )
        self._command = _compile_pattern_of_any_word_and_blank(self.commands)
        self._everyday = _compile_pattern_of_any_word_and_blank(words("everyday", "cancelling"))
        self._cancelling = _compile_pattern_of_any_word_and_blank(words("cancelling"))
        self._business = _compile_pattern_of_any_word_and_blank(words("business"))
        self._start, self._praise = (
            _compile_pattern_of_any_word_and_blank(words("starts")),
            _compile_pattern_of_any_word_and_blank(words("praise")),
        )
        self._filler = re.compile(f"(?<= ){_pattern_of_any_word(words('fillers'))}")
        self._fillers = f"(?:{_pattern_of_any_word(words('fillers'))}){{0,{MOST_FILLERS}}}"
        self._question = re.compile(f" {_pattern_of_any_word(words('questions'))}")
        self._request = re.compile(f" {self._fillers}{_pattern_of_any_word(words('requests'))}")
        self._before_reason = re.compile(
            f" {self._fillers}{_pattern_of_any_word(self.commands)}{self._fillers}"
            f"(?={_pattern_of_any_word(words('reasons'))})"
        )
        self._phrases: tuple[list[_Phrase], ...] = ([], [], [])
        for kind in PHRASES:
            for each in sources:
                for phrase in each.get("phrases", {}).get(kind, "").strip().splitlines():
                    is_of_one_word = any("+" not in each for each in phrase.split("|"))
                    turn = 1 if GAP in phrase else 2 if " " not in phrase and is_of_one_word else 0
                    self._phrases[turn].append(
                        _Phrase(kind, phrase, self._terms_of_elements(phrase))
                    )
        self._terms_of_phrases = frozenset(
            term
            for phrases in self._phrases
            for phrase in phrases
            for terms in phrase.terms_of_elements
            for term in terms
        )
        self._longest_term = max(map(len, self._terms_of_phrases), default=0)
        # A language has hundreds of phrases, and compiling one takes a millisecond or more: each is
        # compiled when a text may have it.
        self._phrase_pattern = lru_cache(maxsize=None)(self._compile_phrase_pattern)

    def _folded_terms_or_empty(self, source: Mapping[str, str], name: str) -> list[str]:
        return [self.fold(word.replace("+", " ")) for word in source.get(name, "").split()]

    def fold(self, text: str) -> str:
        """The text as words of the language are compared."""
        text = fold(text).replace("'", " " if self._splits_at_apostrophe else "")
        for pattern, spelling in self._spellings:
            text = pattern.sub(spelling, text)
        return text

    def corrected_words_of_clause(self, clause: Clause, *, is_whole_text: bool) -> list[str]:
        """The words of a clause as they are compared, with slips of the finger corrected.

        Args:
            clause: a part of a text.
            is_whole_text: whether it is the whole text.
        """
        words = [
            word
            for token in self._tokens_in_script_of_language(clause)
            for word in self.fold(token).split()
        ]
        if is_whole_text and "".join(words) in self.commands:
            return ["".join(words)]  # "un subscribe"
        return [word for each in words for word in self._known.corrected(each).split()]

    def _tokens_in_script_of_language(self, clause: Clause) -> Sequence[str]:
        """The words as written; Greek capitals that look Latin are Latin if the language is."""
        if not self._is_written_in_latin:
            return clause.tokens
        return [latin_if_all_greek_capitals_look_latin(token) for token in clause.tokens]

    def known_words_score(self, clause: Clause, words: Sequence[str]) -> int:
        """How many words of a clause the language knows; a corrected one counts half.

        Args:
            clause: a part of a text.
            words: its words, by `corrected_words_of_clause`.
        """
        written = {
            word
            for token in self._tokens_in_script_of_language(clause)
            for word in self.fold(token).split()
        }
        known = (word for word in words if len(word) > 1 and word in self._known)
        return sum(2 if word in written else 1 for word in known)

    def classify_clause(
        self, clause: Clause, words: Sequence[str], *, in_capitals: bool
    ) -> set[Kind]:
        """What a clause says.

        Args:
            clause: a part of a text.
            words: its words, by `corrected_words_of_clause`.
            in_capitals: whether the whole text is written in capitals.
        """
        kinds = self._classify_clause_ignoring_addresses(clause, words, in_capitals=in_capitals)
        if clause.has_address:
            kinds = {_BEFORE_ADDRESS.get(kind, kind) for kind in kinds}
        return kinds

    def _classify_clause_ignoring_addresses(
        self, clause: Clause, words: Sequence[str], *, in_capitals: bool
    ) -> set[Kind]:
        text = " " + "".join(f"{word} " for word in words)
        command = self._before_reason.match(text)
        if command and not clause.is_question:
            reason = self._classify_text(" " + text[command.end() :], is_question=False)
            return {Kind.OPEN} if Kind.PRAISE in reason else {Kind.COMMAND, *reason} - {Kind.OTHER}
        request = self._request.match(text)
        if request:
            kinds = self._classify_text(" " + text[request.end() :], is_question=False)
            return {Kind.QUESTION if kind == Kind.OPEN else kind for kind in kinds}
        is_question = clause.is_question or self._question.match(text) is not None
        kinds = self._classify_text(text, is_question=is_question)
        if kinds == {Kind.OTHER}:
            if clause.is_signature:
                return {Kind.COURTESY}
            if not in_capitals and self._has_command_in_capitals(clause):
                return {Kind.OPEN}
        return kinds

    def _has_command_in_capitals(self, clause: Clause) -> bool:
        """Whether a command is written in capitals among other words."""
        return any(token.isupper() and self.fold(token) in self.commands for token in clause.tokens)

    def _classify_text(self, text: str, *, is_question: bool) -> set[Kind]:
        kinds, rest = self._find_phrase_kinds_and_text_left(text)
        words = [word for word in self._filler.sub("", rest).split() if _FOUND not in word]
        if kinds:
            kinds |= self._command_or_everyday_if_all_words_are_of_it(words)
        else:
            kinds = {self._classify_words_without_phrases(words)}
        if is_question:
            kinds = {_IN_QUESTION.get(kind, kind) for kind in kinds}
        return kinds

    def _find_phrase_kinds_and_text_left(self, text: str) -> tuple[set[Kind], str]:
        """The phrases in a text, and what is left of it.

        Of overlapping ones the first counts, and of those the longest. Those with a gap, and then
        those of a single word, are only looked for in what the others leave.
        """
        kinds: set[Kind] = set()
        terms = self._phrase_terms_in(text)
        for phrases in self._phrases:
            matches = [
                (match.start("phrase"), -match.end(), phrase.kind)
                for phrase in phrases
                if not any(map(terms.isdisjoint, phrase.terms_of_elements))
                for match in self._phrase_pattern(phrase.written).finditer(text)
            ]
            matches.sort(key=lambda match: match[:2])  # stable: the order of PHRASES decides
            end = 0
            for match_start, match_end, kind in matches:
                if match_start >= end:
                    end = -match_end
                    kinds.add(kind)
                    text = f"{text[:match_start]}{_FOUND * (end - match_start - 1)} {text[end:]}"
        return kinds, text

    def _command_or_everyday_if_all_words_are_of_it(self, words: Sequence[str]) -> set[Kind]:
        if words and _all_match_any_pattern(words, self._command):
            return {Kind.COMMAND}
        if words and _all_match_any_pattern(words, self._everyday):
            return {Kind.EVERYDAY}
        return set()

    def _classify_words_without_phrases(self, words: Sequence[str]) -> Kind:
        """What the words of a clause without phrases say that are no fillers."""
        named = [word for word in words if not word.isdecimal()]
        if not named:
            return Kind.OTHER if words else Kind.COURTESY
        if _all_match_any_pattern(named, self._command, self._everyday):
            is_command = any(_all_match_any_pattern([word], self._command) for word in named)
            return Kind.COMMAND if is_command else Kind.EVERYDAY
        if _all_match_any_pattern(named, self._start):
            return Kind.START
        if (
            _all_match_any_pattern(named[:1], self._command)
            or _all_match_any_pattern(named[-1:], self._command)
            or (
                _all_match_any_pattern(named[:1], self._cancelling)
                and not _any_match(named, self._business)
            )
            or self._known.is_one_letter_off_short_command(named[0])
        ):
            return Kind.OPEN
        return Kind.PRAISE if _any_match(named, self._praise) else Kind.OTHER

    def _compile_phrase_pattern(self, phrase: str) -> re.Pattern[str]:
        """The pattern of a phrase, as the README of the files explains it."""
        beginning, pattern = "(?<= )", ""
        for element in phrase.split():
            if element == "^":
                beginning = f"^ {self._fillers}"
            elif element == "$":
                pattern += "$"
            elif element == GAP:
                pattern += r"(?:\S+ ){0,4}"
            else:
                unknown = (
                    rf"(?!{self._known.pattern})\w+ |" if _may_be_unknown_word(element) else ""
                )
                words = self._words_of_element(element)
                pattern += f"(?:(?:{unknown}{_pattern_of_any_word(words)}){self._fillers})"
                pattern += "?" if element.endswith("?") else ""
        return re.compile(f"{beginning}(?P<phrase>{pattern})")

    def _words_of_element(self, element: str) -> list[str]:
        """The words of which one stands for an element of a phrase."""
        return [
            word
            for name in element.removesuffix("?").split("|")
            for word in self._classes.get(name) or [self.fold(name.replace("+", " "))]
        ]

    def _terms_of_elements(self, phrase: str) -> list[frozenset[str]]:
        """For each element that a phrase cannot miss, how the words begin that stand for it."""
        return [
            frozenset(
                _first_word_or_stem_with_star(word)
                for word in self._words_of_element(element)
                if word
            )
            for element in phrase.split()
            if element not in ("^", "$", GAP)
            and element[-1] != "?"
            and not _may_be_unknown_word(element)
        ]

    def _phrase_terms_in(self, text: str) -> set[str]:
        """The terms of phrases that a text has."""
        words = set(text.split())
        stems = {f"{word[:length]}*" for word in words for length in range(self._longest_term)}
        return (words | stems) & self._terms_of_phrases


class _Vocabulary:
    """The words of a language, and which of them a mistyped word could be."""

    def __init__(
        self, words: Iterable[str], *, correctable: Iterable[str], commands: Collection[str]
    ) -> None:
        single = {each for word in words for each in word.split()}
        self._words = {word for word in single if not word.endswith("*")}
        self._stems = tuple(sorted(word[:-1] for word in single if word.endswith("*")))
        self._commands = sorted(commands)
        self._correctable = sorted(
            {word for each in correctable for word in each.split() if len(word) >= ONE_SLIP}
        )
        self.pattern = _pattern_of_any_word(single)
        self.corrected = lru_cache(maxsize=REMEMBERED_WORDS)(self._corrected_word_or_words)

    def __contains__(self, word: str) -> bool:
        return word in self._words or word.startswith(self._stems)

    def _corrected_word_or_words(self, word: str) -> str:
        """The word, or the word or words of the language that were meant."""
        if word in self:
            return word
        for undo in (
            letter_runs_between_digits,
            replace_digits_if_token_has_letters,
            without_repeated_letters,
        ):
            meant = undo(word).split()
            if meant and all(each in self for each in meant):
                return " ".join(meant)
        for command in self._commands:
            if has_two_near_letters_swapped(word, command):
                return command
            glued = word.removeprefix(command)
            if glued != word and len(command) > 3 and len(glued) > 2 and glued in self:
                return f"{command} {glued}"
        return self._nearest_known_word_or_same(word) if len(word) >= ONE_SLIP - 1 else word

    def is_one_letter_off_short_command(self, word: str) -> bool:
        """Whether a word that nobody knows is one letter away from a short command."""
        return word not in self and any(
            edit_distance_up_to_limit(word, command, 1) == 1
            for command in self._commands
            if 3 < len(command) < ONE_SLIP
        )

    def _nearest_known_word_or_same(self, word: str) -> str:
        """The known word with the fewest wrong letters, if they are few enough."""
        best, fewest = word, 3
        for known in self._correctable:
            is_stem = known.endswith("*")
            known = known.removesuffix("*")
            if len(word) < ONE_SLIP and (is_stem or len(known) < ONE_SLIP):
                continue  # a word of five letters may lack one of six
            limit = 2 if len(known) >= TWO_SLIPS and word[0] == known[0] else 1
            lengths = (len(known) - 1, len(known), len(known) + 1)
            beginnings = {word[:length] for length in lengths} if is_stem else {word}
            distance = min(edit_distance_up_to_limit(each, known, limit) for each in beginnings)
            if distance <= limit and distance < fewest:
                best, fewest = known, distance
        return best


def _may_be_unknown_word(element: str) -> bool:
    """Whether a word that nobody knows may stand for an element of a phrase."""
    return "NAME" in element.removesuffix("?").split("|")


def _first_word_or_stem_with_star(word: str) -> str:
    """What a text has that has a word: its first word, or the stem of it with a `*`."""
    stem, star, _ = word.split()[0].partition("*")
    return stem + star


def _pattern_of_any_word(words: Iterable[str]) -> str:
    """A pattern of words, each with the blank after it; a `*` stands for any ending."""
    patterns = {re.escape(word).replace(r"\*", r"\w*") + " " for word in words if word}
    longest_first = sorted(patterns, key=lambda each: (-len(each), each))
    return f"(?:{'|'.join(longest_first)})" if longest_first else "(?!)"


def _compile_pattern_of_any_word_and_blank(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(_pattern_of_any_word(words))


def _all_match_any_pattern(words: Sequence[str], *patterns: re.Pattern[str]) -> bool:
    return all(any(each.fullmatch(f"{word} ") for each in patterns) for word in words)


def _any_match(words: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return any(pattern.fullmatch(f"{word} ") for word in words)
