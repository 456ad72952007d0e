"""The words that a customer wrote in a reply: without quoted texts and signatures, in clauses.

Look-alike letters, letters set apart and wrong encodings are undone here. What the words ask for is
decided in `reply_reading.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

# Rows of letters that look alike in Latin, Greek and Cyrillic; a blank where a script has none.
_LATIN, _GREEK, _CYRILLIC = (
    "ABCEHIJKMNOPSTXYZaceijkoprstuvxy  ",
    "ΑΒ ΕΗΙ ΚΜΝΟΡ ΤΧΥΖα ει κορ  τυνχ ΠΓ",
    "АВСЕНІЈКМ ОРЅТХУ асеіјкор ѕт  хуПГ",
)
_LATIN_CAPITALS = {
    ord(greek): latin
    for greek, latin in zip(_GREEK, _LATIN, strict=True)
    if greek.isupper() and latin.isupper()
}
_LOOKS_LATIN = re.compile(f"[{''.join(map(chr, _LATIN_CAPITALS))}]+")
_SCRIPTS = {"LATIN": _LATIN, "GREEK": _GREEK, "CYRILLIC": _CYRILLIC}
_DIGITS_FOR_LETTERS = str.maketrans("01345$@", "oieassa")

_QUOTED_LINE = re.compile(r"^\s*[>|].*$", re.MULTILINE)
# A quotation of so many words is somebody else's text, such as the message that is answered.
_QUOTED_WORDS = 5
LONGEST_NAME = 3  # words
_QUOTATION = re.compile('[“„"«‹].+?[”“"»›]', re.DOTALL)
_ADDRESS = re.compile(
    r"\s*:?\s*(?:(?:https?://|www\.)\S+|[^\s@]{1,64}@[^\s@]+\.\S+)", re.IGNORECASE
)
_AN_ADDRESS = "\1"  # stands where an address was
_LETTERS_APART = re.compile(r"(?<!\w)[^\W\d_](?:[ .,*~|/-]{1,2}[^\W\d_](?!\w)){2,}", re.IGNORECASE)
# Between two words of one sentence that was written over two lines.
_LINE_BREAK = re.compile(r"(?<=\w)\s*\n\s*(?=\w)")
_MARKS = str.maketrans("’´`ʼ‘′_", "'''''' ")
_END = re.compile(r"([.!?;:…\n\1|•·()\[\]{}\ufffd¿]+|\s[-–—]+\s|[–—])")
_TOKEN = re.compile(r"[\w']+")


class Clause(NamedTuple):
    """A part of a text between full stops, lines, emoji and the like.

    Args:
        tokens: its words as written.
        is_question: whether a question mark ends it.
        has_address: whether an address ends it, as in our own texts.
        is_signature: whether it stands where a name does, below or after a greeting.
    """

    tokens: tuple[str, ...]
    is_question: bool
    has_address: bool
    is_signature: bool


def split_into_clauses_without_quotes(
    text: str, signatures: re.Pattern[str], *, joins_lines: bool = False
) -> list[Clause]:
    """The clauses of what the customer wrote, without quoted texts.

    Args:
        text: the reply.
        signatures: matches what a signature begins with.
        joins_lines: whether a sentence goes on in the next line; if not, each line ends one.
    """
    text = _without_quoted_texts_unless_all_quoted(_without_formatting(text))
    if joins_lines:
        text = _LINE_BREAK.sub(" ", text)
    text = re.sub(rf"(?<!\w)(?:{signatures.pattern})(?!\w)", "\n", text, flags=re.IGNORECASE)
    text = _ADDRESS.sub(_AN_ADDRESS, text)
    text = _LETTERS_APART.sub(lambda match: re.sub(r"[\W_]", "", match[0]) + " ", text)
    text = "".join(f"\n{c}" if unicodedata.category(c) in ("So", "Sk") else c for c in text)
    pieces = [*_END.split(text), ""]
    clauses: list[Clause] = []
    for piece, end in zip(pieces[::2], pieces[1::2], strict=True):
        parts = piece.split(",")
        for number, part in enumerate(parts):
            tokens = tuple(map(_convert_to_one_script, _TOKEN.findall(part)))
            is_last = number == len(parts) - 1
            if tokens:
                is_question = is_last and ("?" in end or (";" in end and _has_greek_letters(part)))
                has_address = is_last and _AN_ADDRESS in end
                is_name = len(tokens) <= LONGEST_NAME and all(t[0].isupper() for t in tokens)
                is_signature = bool(clauses) and is_name
                clauses.append(Clause(tokens, is_question, has_address, is_signature))
    return clauses


def _without_formatting(text: str) -> str:
    """The text in plain characters: nothing invisible, no cut emoji, no letters of fonts."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    text = unicodedata.normalize("NFKC", text).translate(_MARKS)
    return "".join(c for c in text if unicodedata.category(c) != "Cf")


def _without_quoted_texts_unless_all_quoted(text: str) -> str:
    """The text without what others wrote; the whole text if nothing else is left."""
    own = _QUOTED_LINE.sub("", text)
    own = _QUOTATION.sub(lambda match: " " if _is_long_quotation(match[0]) else match[0], own)
    return own if _TOKEN.search(own) else text


def _is_long_quotation(quotation: str) -> bool:
    return len(_TOKEN.findall(quotation)) >= _QUOTED_WORDS


def _has_greek_letters(text: str) -> bool:
    """Whether a semicolon after the text is a Greek question mark."""
    return any("\u0370" <= letter < "\u0400" for letter in text)


def _convert_to_one_script(token: str) -> str:
    """A word of mixed scripts, or of Cyrillic letters, in the script that it looks like."""
    scripts = {unicodedata.name(c, "?").split()[0] for c in token if c.isalpha()}
    if len(scripts) < 2 and scripts != {"CYRILLIC"}:
        return token
    for script in ("LATIN", "GREEK"):
        alike = {
            other: own
            for row in _SCRIPTS.values()
            for own, other in zip(_SCRIPTS[script], row, strict=True)
            if own != " " != other
        }
        if all(c in alike or _is_letter_of_script(c, script) for c in token if c.isalpha()):
            return "".join(alike.get(c, c) for c in token)
    return token


def latin_if_all_greek_capitals_look_latin(token: str) -> str:
    """A word of Greek capitals that all look Latin, in Latin letters; any other as it is."""
    return token.translate(_LATIN_CAPITALS) if _LOOKS_LATIN.fullmatch(token) else token


def _is_letter_of_script(letter: str, script: str) -> bool:
    return unicodedata.name(letter, "").startswith(script)


def fold(text: str) -> str:
    """The text in lower case and without accents."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def replace_digits_if_token_has_letters(token: str) -> str:
    """A word in which digits stand for letters, as in `st0p`, with the letters."""
    return token.translate(_DIGITS_FOR_LETTERS) if re.search(r"[^\W\d_]", token) else token


def letter_runs_between_digits(token: str) -> str:
    """The parts of a word between digits, as in `stop2end`."""
    return " ".join(re.findall(r"[^\W\d]+", token))


def without_repeated_letters(token: str) -> str:
    """A word without letters that are held down: `stoooop` is `stop`."""
    return re.sub(r"(.)\1+", r"\1", token)


def has_two_near_letters_swapped(token: str, word: str) -> bool:
    """Whether two letters, at most one other between them, were typed in the wrong order."""
    if len(token) != len(word) or sorted(token) != sorted(word):
        return False
    differing = [at for at, (a, b) in enumerate(zip(token, word, strict=True)) if a != b]
    return len(differing) == 2 and differing[1] - differing[0] <= 2


def edit_distance_up_to_limit(left: str, right: str, limit: int) -> int:
    """The letters to insert, remove, change or swap with the next; more than `limit` is cut."""
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: Sequence[int] = []
    row: Sequence[int] = range(len(right) + 1)
    for i, a in enumerate(left):
        following = [i + 1]
        for j, b in enumerate(right):
            cost = min(row[j] + (a != b), row[j + 1] + 1, following[j] + 1)
            if i and j and a == right[j - 1] and left[i - 1] == b:
                cost = min(cost, before[j - 1] + 1)
            following.append(cost)
        before, row = row, following
        if min(row) > limit:
            return limit + 1
    return row[-1]
