"""Which encoding a text without a mark is written in, by the words it makes (rules.md#import).

Every encoding that is in use for lists of customers reads the bytes; a reading is plausible if
each of its words could be one of a language that the encoding is for. Where plausible readings
differ, the one that fewer languages explain wins, and if that does not decide, nobody guesses.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import NamedTuple

# Letters beyond ASCII of each language, in lower case.
_ALPHABETS = {
    "de": "äöüß", "fr": "àâæçéèêëîïôœùûüÿ", "es": "áéíñóúü", "pt": "áâãàçéêíóôõú", "it":
    "àèéìíîòóùú", "nl": "éèëïöüá", "sv": "åäöé", "da": "æøåé", "fi": "äöåšž", "is": "áðéíóúýþæö",
    "ca": "àçéèíïóòúü", "pl": "ąćęłńóśźż", "cs": "áčďéěíňóřšťúůýž", "sk": "áäčďéíĺľňóôŕšťúýž",
    "hu": "áéíóöőúüű", "ro": "ăâîşţșț", "hr": "čćđšž", "sq": "çë", "tr": "çğıiöşü", "lt":
    "ąčęėįšųūž", "lv": "āčēģīķļņšūž", "et": "äõöüšž", "el":
    "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ", "ru": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя", "bg":
    "абвгдежзийклмнопрстуфхцчшщъьюя", "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя", "sr":
    "абвгдђежзијклљмнњопрстћуфхцчџш",
}  # fmt: skip
_WESTERN = ("de", "fr", "es", "pt", "it", "nl", "sv", "da", "fi", "is", "ca", "sq")
_CENTRAL = ("pl", "cs", "sk", "hu", "ro", "hr", "de", "sq")
_CYRILLIC = ("ru", "bg", "uk", "sr")
# Encodings and the languages they are for. Those of Windows and the web come before those of DOS
# and the old Macintosh: between readings that are alike in all else, if there are words enough.
_WINDOWS = {
    "cp1252": _WESTERN, "cp1253": ("el",), "iso8859_7": ("el",), "cp1250": _CENTRAL, "iso8859_2":
    _CENTRAL, "cp1251": _CYRILLIC, "koi8_r": ("ru", "bg"), "cp1254": ("tr", "de"), "cp1257":
    ("lt", "lv", "et", "de"), "iso8859_5": _CYRILLIC, "iso8859_15": _WESTERN,
}  # fmt: skip
_OLDER = {
    "iso8859_5": _CYRILLIC, "cp850": _WESTERN, "cp437": _WESTERN, "mac_roman": _WESTERN, "cp737":
    ("el",), "cp852": _CENTRAL, "cp866": ("ru", "bg"), "cp857": ("tr",), "mac_greek": ("el",),
    "mac_latin2": _CENTRAL, "mac_cyrillic": _CYRILLIC, "mac_turkish": ("tr",), "cp869": ("el",),
    "cp775": ("lt", "lv", "et"),
}  # fmt: skip
_EAST_ASIAN = {
    "shift_jis": ("JP",), "euc_jp": ("JP",), "euc_kr": ("KR",), "gb18030": ("CN", "SG"), "big5":
    ("TW", "HK", "MO"),
}  # fmt: skip
_LANGUAGES_OF_REGION = {
    "PL": "pl", "CZ": "cs", "SK": "sk", "HU": "hu", "RO": "ro", "HR": "hr", "SI": "hr", "BA": "hr",
    "TR": "tr", "LT": "lt", "LV": "lv", "EE": "et", "GR": "el", "RU": "ru", "BG": "bg", "UA": "uk",
    "RS": "sr", "DE": "de", "AT": "de", "FR": "fr", "ES": "es", "PT": "pt", "IT": "it", "NL": "nl",
    "SE": "sv", "DK": "da", "NO": "da", "FI": "fi", "IS": "is", "CY": "el", "BR": "pt", "MX": "es",
}  # fmt: skip
MIN_WORDS = 3
_MAX_SAMPLE_BYTES = 1 << 16
_RARE_LETTERS = frozenset("ĺŕÿ")
_BASES = {"ø": "o", "æ": "e", "œ": "e", "й": "й"}
_VOWELS = frozenset("aeiouyαεηιουωаеёиоуыэюяєіїı")
# Marks that may stand beside letters, and those that may not.
_APOSTROPHES = "’ʼ´"
_FREE_MARKS = frozenset("“”„«»‘’´–—…•·€£$°ªº®™©§¿¡½¼¾²³±×\u00a0\u00ad")
_AFTER_LETTER = frozenset("”»’…°ªº®™€\u00a0")
_BEFORE_LETTER = frozenset("“«‘„¿¡€\u00a0’")
# `Mª` and `Nº` are abbreviations: what Unicode counts as letters of them are marks here.
_ORDINALS = frozenset("ªº")
MAX_ABBREVIATION = 2
_WORD = re.compile(r"[^\W\d_ªº]+(?:[’´'ʼ][^\W\d_ªº]+)*")


class _Reading(NamedTuple):
    encoding: str
    text: str
    languages: frozenset[str]  # those that explain all words, or a few that do together
    word_count: int
    # What speaks against the reading: marks in strange places, how many languages it needs, words
    # without a capital, rare letters, and words that are hard to say.
    faults: tuple[int, ...]

    @property
    def mark_count(self) -> int:
        """How many marks stand in strange places."""
        return self.faults[0]

    @property
    def language_count(self) -> int:
        """How many languages it takes to explain all words."""
        return self.faults[1]


def detect_legacy_encoding_or_empty(non_ascii_lines: bytes, region: str = "") -> str:
    """The encoding of lines that are not ASCII, nor UTF-8 or UTF-16; empty if it is not sure.

    Args:
        non_ascii_lines: whole lines of the text that hold other bytes than ASCII.
        region: two-letter country of the store, which decides between readings; empty if unknown.
    """
    non_ascii_lines = non_ascii_lines[:_MAX_SAMPLE_BYTES]
    readings = [
        reading
        for encoding, languages in (_WINDOWS | _OLDER).items()
        if (reading := _decode_if_plausible(non_ascii_lines, encoding, languages))
    ]
    return (
        _best_encoding_or_empty_if_tied(readings, region)
        if readings
        else _east_asian_encoding_of_region_or_empty(non_ascii_lines, region)
    )


def _best_encoding_or_empty_if_tied(readings: list[_Reading], region: str) -> str:
    """The encoding of the best reading; of those with the same text, the first.

    It is not sure if the country speaks for one that needs several languages, and the words for
    another: `Yıldız` in a list of Germans.
    """
    local = _LANGUAGES_OF_REGION.get(region)
    best = _all_with_lowest_key(
        readings, lambda reading: (local not in reading.languages, *reading.faults)
    )
    if best[0].language_count > 1 and any(
        reading.language_count == 1 and reading.mark_count <= best[0].mark_count
        for reading in readings
        if reading.text != best[0].text and reading.encoding in _WINDOWS
    ):
        return ""
    if len({reading.text for reading in best}) > 1 and best[0].word_count >= MIN_WORDS:
        best = [reading for reading in best if reading.encoding in _WINDOWS] or best
    return best[0].encoding if len({reading.text for reading in best}) == 1 else ""


def _all_with_lowest_key(
    readings: list[_Reading], key: Callable[[_Reading], tuple[int, ...]]
) -> list[_Reading]:
    lowest = min(map(key, readings))
    return [reading for reading in readings if key(reading) == lowest]


def _east_asian_encoding_of_region_or_empty(sample: bytes, region: str) -> str:
    """The encoding of the store's country, if it can read the bytes as letters."""
    for encoding, regions in _EAST_ASIAN.items():
        if region in regions:
            try:
                text = sample.decode(encoding)
            except UnicodeDecodeError:
                continue
            if all(c < "\x80" or c.isalpha() or c in "　、。・ー" for c in text):
                return encoding
    return ""


def _decode_if_plausible(sample: bytes, encoding: str, languages: Iterable[str]) -> _Reading | None:
    """What the bytes say in an encoding; None if they do not make words of its languages."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return None
    marks = 0
    for at, character in enumerate(text):
        if character > "\x7f" and not _is_letter(character):
            if not _is_punctuation_plausible_at(text, at):
                return None
            marks += _is_punctuation_rare_at(text, at)
    words = {
        word
        for whole in _WORD.findall(unicodedata.normalize("NFC", text))
        for word in re.split("[’´'ʼ]", whole)
        if word and not word.isascii()
    }
    per_word = []
    for word in words:
        explained = {
            language
            for language in languages
            if _has_letters_and_capitals_of_language(word, language)
        }
        if not explained:
            return None
        per_word.append(explained)
    common = frozenset.intersection(*map(frozenset, per_word)) if per_word else frozenset()
    needed = common or _few_languages_explaining_all(per_word)
    faults = (
        marks,
        1 if common else len(needed),
        sum(word[0].islower() for word in words),
        sum(letter in _RARE_LETTERS for word in words for letter in word.lower()),
        sum(map(_hard_to_pronounce_score, words)),
    )
    return _Reading(encoding, text, needed, len(words), faults)


def _is_letter(character: str) -> bool:
    return character.isalpha() and character not in _ORDINALS


def _is_punctuation_plausible_at(text: str, index: int) -> bool:
    """Whether a mark may stand where it does: `D’Angelo`, `N°`, but not `Mu–oz`."""
    mark = text[index]
    if mark not in _FREE_MARKS:
        return False
    before, after = text[index - 1 : index] if index else "", text[index + 1 : index + 2]
    letters = text[max(0, index - MAX_ABBREVIATION - 1) : index]
    if mark in _ORDINALS and letters.isalpha() and len(letters) > MAX_ABBREVIATION:
        return False  # `Mª`, not `Groº`
    if _is_letter(before[-1:]) and _is_letter(after):
        return mark in _APOSTROPHES or (mark in "–\u00a0" and after.isupper())
    if _is_letter(before[-1:]):
        return mark in _AFTER_LETTER
    return not _is_letter(after) or mark in _BEFORE_LETTER


def _is_punctuation_rare_at(text: str, index: int) -> bool:
    """Whether a mark stands where it is possible and rare: `Mar’a`, not `D’Angelo`."""
    before, after = text[max(0, index - 3) : index], text[index + 1 : index + 2]
    if text[index] == "€":
        return _is_letter(after) and not after.isascii()
    return before.isalpha() and len(before) == 3 and after.islower() and before[-2:] != "ll"


def _has_letters_and_capitals_of_language(word: str, language: str) -> bool:
    lower = word.lower().replace("\u0307", "")
    alphabet = _ALPHABETS[language]
    is_latin = alphabet[0] not in "αа"
    if is_latin:
        if any(letter > "\x7f" and letter not in alphabet for letter in lower):
            return False
        if _longest_letter_run(lower, vowels=True) >= 4 or "ß" in lower[:1]:
            return False
        if language == "pt" and "õ" in lower.replace("õe", ""):
            return False
    elif any(letter not in alphabet for letter in lower):
        return False
    if language == "el" and sum(letter in "άέήίόύώΐΰ" for letter in lower) > 1:
        return False  # a Greek word has one accent
    if language == "el" and ("ς" in lower[:-1] or (lower[-1:] == "σ" and not word.isupper())):
        return False
    # Upper, lower or capitalised; a second capital only after a small prefix: `McÉvoy`, `DeÁngelo`.
    if word.isupper() or word.islower() or (word[0].isupper() and word[1:].islower()):
        return True
    capitals = [at for at, letter in enumerate(word) if letter.isupper()]
    return is_latin and all(word[at] < "\x7f" for at in capitals[1:]) and len(capitals) == 2


def _few_languages_explaining_all(languages_per_word: list[set[str]]) -> frozenset[str]:
    """A small set of languages that together explain every word."""
    chosen: set[str] = set()
    left = languages_per_word
    while left:
        counts: dict[str, int] = {}
        for explained in left:
            for language in explained:
                counts[language] = counts.get(language, 0) + 1
        best = max(sorted(counts), key=counts.__getitem__)
        chosen.add(best)
        left = [explained for explained in left if best not in explained]
    return frozenset(chosen)


def _letter_without_accents(letter: str) -> str:
    """The letter without its marks, except where they make a vowel a consonant."""
    return _BASES.get(letter) or unicodedata.normalize("NFD", letter)[0]


def _longest_letter_run(word: str, *, vowels: bool) -> int:
    longest = run = 0
    for letter in word:
        run = run + 1 if (_letter_without_accents(letter) in _VOWELS) == vowels else 0
        longest = max(longest, run)
    return longest


def _hard_to_pronounce_score(word: str) -> int:
    """How much of a word is hard to say: many vowels or consonants in a row, a strange end."""
    lower = word.lower().replace("\u0307", "")
    is_latin = len(lower) > 3 and lower[0] < "\u0370"
    is_greek = "\u0370" <= lower[0] < "\u0400"
    return (
        (_longest_letter_run(lower, vowels=True) >= 3)
        + (_longest_letter_run(lower, vowels=False) >= (3 if is_latin else 4))
        + (is_greek and _letter_without_accents(lower[-1]) not in _VOWELS | {"ν", "ς", "σ"})
    )


def is_mojibake(text: str) -> bool:
    """Whether a text was read in another encoding than it was written in: `JosÃ©`, `Ãéþñãïò`."""
    odd_count = len(_NO_TEXT.findall(text)) + len(_ACCENTS_ALONE.findall(text))
    if odd_count * MIN_LINES_OF_MOJIBAKE > text.count("\n") + 1:
        return True
    count = sum(character > "\x7f" for character in text)
    broken = sum(len(match) for match in _MOJIBAKE.findall(text))
    return broken >= 2 and broken * 2 >= count


# What no name has: a replaced letter, a control character, a part of a box.
_NO_TEXT = re.compile("[\ufffd\u0080-\u0084\u0086-\u009f\u2500-\u259f]")
# Four accented Latin letters in a row: Greek read as Western.
_ACCENTS_ALONE = re.compile("[À-ÖØ-öø-ÿ]{4,}")
# One such word or letter in so many lines is enough; fewer are single damaged letters.
MIN_LINES_OF_MOJIBAKE = 20
_CONTINUATIONS = "".join(bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xC0))
_CONTINUATION = f"[{re.escape(_CONTINUATIONS)}\u0080-\u009f]"
# The first byte of a letter says how many follow, so `áš` in Odhlášen is no damage.
_MOJIBAKE = re.compile(
    f"[\u00c2-\u00df]{_CONTINUATION}|[\u00e0-\u00ef]{_CONTINUATION}{{2}}"
    f"|[\u00f0-\u00f4]{_CONTINUATION}{{3}}"
)
