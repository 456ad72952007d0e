"""Reading cells of columns that speak of consent (rules.md#import).

A yes is only what is known to be one. Whatever else is written gives no consent, and whatever looks
like a no is one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Set
from datetime import datetime, tzinfo
from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

from django.utils.translation import gettext

from contacts.importing.cells import KnownCells, UnusableCell, fold_to_alphanumeric
from contacts.importing.code_legends import meaning_by_code
from contacts.importing.consent_words import ENDED, GRANTED, MISSING, REFUSED, WITHDRAWN
from contacts.importing.dates import NoDate, parse_datetime_none_if_ambiguous_or_raise
from contacts.importing.headings import Meaning, read_heading
from contacts.importing.names import is_placeholder_for_no_value
from contacts.importing.other_languages import (
    GRANTED_BEGINNINGS,
    NO,
    POLITE,
    REFUSED_BEGINNINGS,
    UNANSWERED_BEGINNINGS,
    UNSUBSCRIBED_BEGINNINGS,
    YES,
)
from contacts.importing.other_languages import (
    NEGATIONS as NEGATIONS_ELSEWHERE,
)

MAX_LENGTH = 200
MAX_LETTER_LENGTH = 10  # with blanks and signs around it
MAX_KNOWN = 1000


class Consent(IntEnum):
    """What a person's cells say about marketing; of several cells or rows the highest counts."""

    SILENT = 0  # nothing was said
    AGREES = 1
    WITHHELD = 2  # neither yes nor no, such as a subscription that waits for confirmation
    OPTED_OUT = 3


class ConsentCell(NamedTuple):
    """What one cell says, when it was said if the cell tells, and what could not be understood."""

    consent: Consent
    at: datetime | None = None
    problem: str = ""


# Answers to a question, in English, German, French, Spanish, Italian and Greek. In a column of
# opt-outs the yes is the opt-out.
YES_WORDS = (
    "1 y yes yep yeah ok okay t true on x checked ticked granted enabled activated j ja jawohl "
    "wahr oui vrai si verdadero cierto vero nai ναι αληθησ αληθεσ"
)
NO_WORDS = (
    "0 n no nee nope never f false off unchecked unticked nie jamais nunca mai ποτε nein falsch "
    "non faux falso οχι ψευδησ ψευδεσ δεν μη oxi ohi nessuno ninguno aucun aucune keins keine "
    "κανενα "
    "κανενασ καμια"
)
# States of what a heading names: of the person under `Status`, of the opt-out under `DND`.
ACTIVE_OR_NOT_WORDS = (
    "active inactive aktiv inaktiv actif inactif activo inactivo attivo inattivo disabled "
    "deactivated ενεργοσ ανενεργοσ ενεργη ανενεργη"
)
# States of a subscription. They mean the same in every column.
SUBSCRIBED_WORDS = (
    "consent einwilligung zustimmung consentement accord autoriza autorizo autorizza autorizzo "
    "acconsento acconsente consiente consiento acepto accetto συναινω συναινει allow zulassen "
    "subscribed subscribe optin optedin doubleoptin doubleoptedin singleoptin confirmedoptin "
    "optinconfirmed active agreed accepted accepts consented consentgiven allowed permitted aktiv "
    "angemeldet abonniert zugestimmt eingewilligt erlaubt abonne inscrit accepte actif suscrito "
    "acepta aceptado activo iscritto accetta accettato attivo εγγεγραμμενοσ εγγεγραμμενη ενεργοσ "
    "ενεργη συμφωνω συμφωνει αποδοχη υπογραφη"
)
# The verbs of `consent_words` are known beside these.
UNSUBSCRIBED_WORDS = (
    "stop stopped stopall block inactive deactivated disabled complained complaint complainer spam "
    "abuse reportedspam dnd donotcontact donotmarket notsubscribed unconsented inaktiv inactif "
    "inactivo inattivo ανενεργοσ ανενεργη στοπ retire retiree retires muted quit left unreachable "
    "exclu exclue exclus exclues"
)
# Forms of giving that are too short to be known by their beginning.
GRANTED_WORDS = (
    "dato data dati dado dada given obtained gegeben vorhanden liegtvor vorliegend εχειδωσει δοθει"
)
WITHHELD_WORDS = (
    "neversubscribed nonsubscribed pending unconfirmed notconfirmed awaitingconfirmation waiting "
    "requested invited bounced bounce hardbounced hardbounce softbounced cleaned invalid "
    "undeliverable undelivered "
    "transactional transactionalonly email emailonly ausstehend unbestatigt ungultig enattente "
    "nonconfirme pendiente noconfirmado rimbalzato inattesa nonconfermato σεεκκρεμοτητα εκκρεμει"
)
# One of these among other words makes a no: `did not agree`, `kein SMS`, `ne pas contacter`.
NEGATIONS = (
    "not no never dont doesnt didnt hasnt wont cannot without nicht kein keine keinen nie ohne "
    "nein non ne pas jamais sans nunca sin mai senza οχι δεν μη μην χωρισ ποτε "
    "nothing nichts rien nada niente nulla τιποτα isnt havent couldnt wouldnt cant"
)
# With a negation they say that nobody has answered: `not set`, `no response`, `keine Angabe`. They
# are beginnings of words of knowing, asking, answering, deciding, reaching and recording; those of
# MAX_WHOLE_LENGTH letters are whole words.
UNANSWERED_STEMS = (
    "set specif ask know knew answer respon reply replie defin applicab stated collect provid "
    "inform availab decid reach idea record contacted sure say tell "
    "weiß weiss wissen wusst gefragt befragt antwort geantwort beantwort angab angegeb eingetrag "
    "erfasst ausgefull angekreuzt bekannt entschied entschloss erreich sicher sagen festgelegt "
    "hinterlegt sais sait repond repons demand interrog renseign precis decid joint joignab connu "
    "disponib prononc indiqu coche sur "
    "so sa sapp rispo rispost chiest interpell specific indicat decis raggiung pervenut dichiarat "
    "definit disponibil compilat lo "
    "se sabe contest respond respuest pregunt indicad especific definid decidid localiz consta "
    "ξερ γνωρ απαντ ερωτ ρωτ αποφασ δηλω ορισ γνωστ συμπληρ καταχωρ βρεθ σιγουρ"
)
# What may stand beside them: `has not been asked yet`, `weiß ich noch nicht`.
UNANSWERED_FILLERS = (
    "i we he she they it has have had been be is was were did does do yet so far at all any "
    "ich wir er sie es hat haben habe wurde worden ist war noch bisher bislang kann man das dazu "
    "je j il elle on ne n a de d ont ete est encore pas en se le la l y "
    "io lui lei ha hanno stato stata e ancora lo ci si "
    "yo el ella ha han sido aun todavia lo le "
    "εχει εχουν ηταν ακομα ακομη το την τον μασ ειναι"
)
MAX_WHOLE_LENGTH = 2
# Words that may stand beside a yes or a state: `Subscribed to SMS`, `Yes, by text`.
NEUTRAL_WORDS = (
    "sms text texts message messages marketing by via to for the per par par por an at im am pour "
    "all everything phone mobile i we he she has have is thanks please danke merci gracias grazie "
    "double single since le du de depuis el del desde il dal den vom seit στισ απο"
)
# What people add to a yes: that they want it, gladly, and please. Alone, only those of ASSENT_WORDS
# agree.
POLITE_WORDS = (
    "please pls very much love like to receive would d thing me my sign up do you that with "
    "pleasure go ahead "
    "bitte sehr gern gerne ich mochte will wunsche wir klar unbedingt dankeschon das darf kann "
    "svp plait s il vous te avec plaisir veux bien voudrais souhaite desire aimerais aime je j "
    "suis nous volontiers tout fait sur "
    "favore voglio vorrei desidero piacere volentieri con certo certamente sono lo la io "
    "favor quiero quisiera deseo gustaria gusta gusto encantado encantada con yo me lo claro "
    "supuesto estoy "
    "παρακαλω ευχαριστω θελω θα ηθελα επιθυμω βεβαιωσ βεβαια φυσικα ευχαριστωσ πολυ ειμαι"
)
# These are a yes under a heading of consent. Elsewhere `Vale` and `Gerne` may be anything.
ASSENT_WORDS = (
    "sure gladly absolutely definitely certainly happily happy willing wants "
    "gern gerne selbstverstandlich naturlich freilich klar wunscht "
    "volontiers certainement bienentendu avecplaisir biensur daccord "
    "volentieri certamente certo vabene dacordo daccordo vuole desidera "
    "claro vale perfecto deacuerdo porsupuesto congusto quiere desea encantado encantada "
    "βεβαιωσ βεβαια φυσικα ενταξει θελει δεχεται δεχομαι επιθυμει ευχαριστωσ θελω "
    "inordnung ofcourse goahead signmeup fineby fine pleasedo "
    "prima akkoord gjerne gerne garna chetnie"
)
# Where a cell names the ways that an opt-out is for: `E-mail & SMS`.
SMS_CHANNEL_WORDS = (
    "sms text texts txt textmessage textmessages texto textos μηνυμα μηνυματα mesaj ileti"
)
OTHER_CHANNEL_WORDS = (
    "email emails mail mails post letter letters phone telephone tel call calls telefon anruf "
    "brief whatsapp viber telegram messenger web push app directmail courriel courrier appel "
    "correo llamada llamadas chiamata chiamate posta telefono cartas carta lettera appels "
    "fax telefoon telefonisch brev anrufe postal courriels correos τηλ τηλεφωνο τηλεφωνημα κληση "
    "ταχυδρομειο arama eposta facebook messenger newsletter"
)
# All ways of contact, in a column of them.
ALL_WORDS = (
    "all alle alles tous toutes tout tutti tutte tutto todos todas todo ολα both beide beides "
    "everything ambos ambas entrambi deux lesdeux και δυο"
)
AND_WORDS = (
    "and und et y e και plus oder or ou o oppure η message messages marketing by via per par por "
    "tramite mit με μεσω"
)
ONLY_WORDS = (
    "only just nur ausschliesslich ausschließlich seulement seul seule uniquement exclusivement "
    "solo soltanto esclusivamente unicamente solamente exclusivamente μονο αποκλειστικα"
)
# Pairs of letters for yes and no; they count where a column has both and no other letters.
LETTER_PAIRS = (
    ("s", "n"), ("o", "n"), ("j", "n"), ("y", "n"), ("w", "f"), ("v", "f"), ("t", "f"), ("ν", "ο"),
    ("ν", "χ"),
)  # fmt: skip
GREEK_REGIONS = ("GR", "CY")
_GREEK_LETTER = re.compile("[\u0370-\u03ff\u1f00-\u1fff]")
_TICKS = frozenset("✓✔☑✅👍🗹√🗸")
_CROSSES = frozenset("✗✘❌☐✖🚫👎⛔❎□")
# Marks of a yes and of a no beside it, such as `●` and `○`. What these and crosses mean depends on
# what else the column holds.
_FULL_MARKS = frozenset("#+●⬤⚫◉⦿•■◼⬛▣🟢☒")
_EMPTY_MARKS = frozenset("○◯⚪◌□◻⬜☐🔴")
_MINUS_SIGNS = frozenset("-−–")
_POSSIBLE_MARKS = frozenset("*!#+†‡§★☆▲►◆")
_CROSS_LETTERS = frozenset(["x", "χ", "х", "×"])
BLANK_WORDS = "null none nil nan na notavailable empty blank undefined κενο"
_FLOAT = re.compile(r"([01])[.,]0+")
_WORDS = re.compile(r"\w+")
_DATE_IN_TEXT = re.compile(r"(?<![\d./-])\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?![\d./-])")
_PARTS = re.compile(r"\s*(?:[|;,&\n]|\s/\s)\s*")


def _fold_each_word(words: str) -> frozenset[str]:
    return frozenset(map(fold_to_alphanumeric, words.split()))


_YES, _NO = _fold_each_word(YES_WORDS) | YES, _fold_each_word(NO_WORDS) | NO
_SUBSCRIBED, _UNSUBSCRIBED = _fold_each_word(SUBSCRIBED_WORDS), _fold_each_word(UNSUBSCRIBED_WORDS)
_GRANTED = _fold_each_word(GRANTED_WORDS)
_WITHHELD, _BLANK = _fold_each_word(WITHHELD_WORDS), _fold_each_word(BLANK_WORDS)
_NEGATIONS, _NEUTRAL = _fold_each_word(NEGATIONS), _fold_each_word(NEUTRAL_WORDS)
_UNANSWERED_STEMS = (*UNANSWERED_STEMS.split(), *UNANSWERED_BEGINNINGS)
_UNANSWERED = frozenset(stem for stem in _UNANSWERED_STEMS if len(stem) <= MAX_WHOLE_LENGTH)
_UNANSWERED_LONG = tuple(stem for stem in _UNANSWERED_STEMS if len(stem) > MAX_WHOLE_LENGTH)
_UNANSWERED_FILLERS = _fold_each_word(UNANSWERED_FILLERS)
_POLITE = _fold_each_word(POLITE_WORDS) | POLITE
_ASSENT = _fold_each_word(ASSENT_WORDS)
_NEVER = _fold_each_word("never nie niemals jamais nunca mai ποτε")
_ACTIVE_OR_NOT = _fold_each_word(ACTIVE_OR_NOT_WORDS)
_DENYING = _ACTIVE_OR_NOT | _NEGATIONS | _NO
_SMS_CHANNELS, _ANDS = _fold_each_word(SMS_CHANNEL_WORDS), _fold_each_word(AND_WORDS)
_ONLY, _ALL = _fold_each_word(ONLY_WORDS), _fold_each_word(ALL_WORDS)
_CHANNELS = _SMS_CHANNELS | _fold_each_word(OTHER_CHANNEL_WORDS)


class ConsentColumn:
    """Reads the cells of one column."""

    def __init__(
        self,
        sample: Iterable[str],
        *,
        is_opt_out: bool,
        other_answers: Iterable[str] = (),
        heading: str = "",
        region: str = "",
        date_order: str,
        zone: tzinfo,
        needs_answer: bool = False,
        reads_polite_words: bool = True,
    ) -> None:
        """Decide by the values that the column has what letters, digits and marks mean.

        Args:
            sample: cells of the column.
            is_opt_out: whether the column asks for a no, such as `unsubscribed`.
            other_answers: cells of the file's columns of consent; a letter that this column has
                alone, `S`, may have its opposite there.
            heading: the column's; it may say what codes mean (`1 = no`), or name the opt-out, of
                which `active` may be the state (`DND status`).
            region: two-letter country of the store; empty if unknown.
            date_order: the order of the column's dates, a DateOrder.
            zone: the store's, of times without a zone.
            needs_answer: whether a blank beside cells that say yes withholds consent.
            reads_polite_words: whether `gerne` and words of consent of further languages are
                answers; under headings of something else they may be names.
        """
        self.reads_polite_words = reads_polite_words
        self.is_opt_out, self.date_order, self.zone = is_opt_out, date_order, zone
        meaning = read_heading(heading).meaning
        self.is_state_of_opt_out = is_opt_out and meaning in (
            Meaning.OPT_OUT,
            Meaning.OPT_OUT_DETAIL,
        )
        self.is_expiry = meaning == Meaning.CONSENT_EXPIRY
        self.legend: dict[str, Consent | None] = {}
        texts = {_without_emoji_forms(cell) for cell in sample if len(cell) < MAX_LENGTH}
        texts.discard("")
        letters = _single_letters(texts)
        if len(letters) == 1 and len(both := letters | _single_letters(other_answers)) == 2:
            letters = both
        self.lists_channels = any(
            map(channels_if_cell_lists_only_channels, (*texts, *map(_without_leading_yes, texts)))
        )
        self.yes_marks, self.no_marks = _full_marks_of_yes_and_empty_marks_of_no(texts)
        if is_opt_out:
            self.yes_marks |= _only_mark_or_empty(texts)
        self.yes, self.no = set(_YES), set(_NO)
        if reads_polite_words:
            self.yes |= _ASSENT
        if letters - {"f", "t", "w", "v"}:
            self.no.discard("f")  # the letter of a gender, say
        if region in GREEK_REGIONS:
            self.no.discard("ne")  # `ναι` in Latin letters, too
        is_greek_heading = _GREEK_LETTER.search(heading) is not None
        if letters == {"o", "n"} and (is_greek_heading or region in GREEK_REGIONS):
            # `ναι` and `όχι` in Latin letters; the same mean `oui` and `non` to others.
            self.no.discard("n")
            self.yes |= {"n"} if is_greek_heading else set()
            self.no |= {"o"} if is_greek_heading else set()
        else:
            for yes, no in LETTER_PAIRS:
                if letters == {yes, no}:
                    self.yes.add(yes)
                    self.no.add(no)
        if {"in", "out"} <= set(map(fold_to_alphanumeric, texts)):
            self.yes.add("in")
            self.no.add("out")
        for code, words in meaning_by_code(heading).items():
            self.legend[fold_to_alphanumeric(code)] = self._parse_meaning_of_code(words)
        self._stop_reading_1_as_yes_beside_other_numbers(texts)
        self._set_whether_cross_and_v_mean_yes_or_no(texts)
        self.blank = Consent.SILENT
        if needs_answer and any(
            self._read_answer_or_date_or_note_problem(text).consent == Consent.AGREES
            for text in texts
        ):
            self.blank = Consent.WITHHELD
        self.known = KnownCells(self._read_answer_or_date_or_note_problem, MAX_KNOWN)

    def _stop_reading_1_as_yes_beside_other_numbers(self, texts: Set[str]) -> None:
        """Beside other numbers, 0 and 1 are codes that nobody can tell; -1 is a program's 1."""
        digits = {text for text in texts if text.removeprefix("-").isdecimal()}
        if not self.is_opt_out and digits - {"0", "1"} and digits - {"0", "-1"}:
            self.yes.discard("1")
            self.no.discard("0")

    def _set_whether_cross_and_v_mean_yes_or_no(self, texts: Set[str]) -> None:
        """A cross alone is a yes, beside a yes it is the no, beside others it is unknown."""
        if not any(text.casefold() in {*_CROSS_LETTERS, "v"} for text in texts):
            return
        crosses = {text for text in texts if text.casefold() in _CROSS_LETTERS}
        marks = {text for text in texts if text.casefold() == "v"}
        others = {self._parse_symbols_or_words(text) for text in texts - crosses - marks}
        others.discard(Consent.SILENT)
        yes = Consent.OPTED_OUT if self.is_opt_out else Consent.AGREES
        if marks and yes not in others and None not in others:
            self.yes.add("v")
            others.add(yes)
        if not others:
            # The Greek letter may mean `όχι`.
            self.yes |= _CROSS_LETTERS if self.is_opt_out else _CROSS_LETTERS - {"χ"}
        else:
            self.yes -= _CROSS_LETTERS
        if others == {yes} and not self.is_opt_out:
            self.no |= _CROSS_LETTERS

    def read(self, text: str) -> ConsentCell:
        """What the cell says."""
        return self.known[text]

    def is_understood_or_empty(self, text: str) -> bool:
        """Whether the cell is understood, or empty."""
        return not self.read(text).problem

    def _read_answer_or_date_or_note_problem(self, text: str) -> ConsentCell:
        text = _without_emoji_forms(unicodedata.normalize("NFC", text))
        answer = self._parse_symbols_or_words(text)
        if answer is not None:
            return ConsentCell(self.blank if answer == Consent.SILENT else answer)
        try:
            at = parse_datetime_none_if_ambiguous_or_raise(text, self.date_order, self.zone)
        except NoDate:
            return ConsentCell(self.blank)
        except UnusableCell:
            pass
        else:
            is_past = at is None or at <= datetime.now(self.zone)
            if self.is_opt_out:
                return ConsentCell(Consent.OPTED_OUT, at if is_past else None)
            if self.is_expiry and at is not None:
                return ConsentCell(Consent.WITHHELD if is_past else Consent.AGREES)
            if is_past and not self.is_expiry:
                return ConsentCell(Consent.AGREES, at)
        if (dated := self._read_answer_with_date(text)) is not None:
            return dated
        if self.is_state_of_opt_out and not _is_placeholder_or_could_deny_opt_out(text):
            # Somebody wrote something else under `SMS opt-out`: `see letter`. That may be a no.
            problem = gettext("neither yes nor no, so taken as an opt-out")
            return ConsentCell(Consent.OPTED_OUT, None, problem)
        return ConsentCell(Consent.WITHHELD, None, gettext("neither yes nor no"))

    def _read_answer_with_date(self, text: str) -> ConsentCell | None:
        """What an answer with its date says, `erteilt am 01.02.2021`; None if it is none."""
        dates = _DATE_IN_TEXT.findall(text)
        if len(dates) != 1 or self.is_expiry:
            return None
        answer = self._parse_symbols_or_words(_DATE_IN_TEXT.sub(" ", text).strip(" ,;:-"))
        if answer not in (Consent.AGREES, Consent.OPTED_OUT):
            return None
        try:
            at = parse_datetime_none_if_ambiguous_or_raise(dates[0], self.date_order, self.zone)
        except (NoDate, UnusableCell):
            return None
        if at is None or at <= datetime.now(self.zone):
            return ConsentCell(answer, at)
        return ConsentCell(answer) if answer == Consent.OPTED_OUT else None

    def _parse_symbols_or_words(self, text: str) -> Consent | None:
        """What words and marks say; None if they are not known, or say two things."""
        yes, no = Consent.AGREES, Consent.OPTED_OUT
        if self.is_opt_out:
            yes, no = Consent.OPTED_OUT, Consent.SILENT
        if len(text) > MAX_LENGTH:
            return None
        marks = _distinct_characters_but_blanks_and_punctuation(text)
        if text in self.yes_marks or _has_only_tick_symbols(text):
            return yes
        if text in self.no_marks or (marks and marks <= _CROSSES):
            return no
        if self.is_opt_out and marks & (_TICKS | _CROSSES):
            return None
        if marks & _CROSSES:
            return no
        if (
            "?" not in text
            and (said := self._parse_answer_for_sms_or_channel_list(text)) is not None
        ):
            return said
        text = text.replace("×", "x")
        is_mark = marks and not _WORDS.search(text)
        if is_mark or _has_symbol_question_mark_or_leading_bang(marks - _TICKS - {"×"}, text):
            return None
        return self._parse_words(text, yes, no)

    def _parse_meaning_of_code(self, text: str) -> Consent | None:
        """What a code stands for: an answer, or ways of contact, as in `S = SMS, K = keine`."""
        if not self.is_opt_out and not self.is_expiry:
            words = set(_folded_words(text))
            if words and words <= _ALL:
                return Consent.AGREES
            if channels := channels_if_cell_lists_only_channels(text):
                return Consent.AGREES if "sms" in channels else Consent.WITHHELD
        if read_heading(text).meaning == Meaning.OPT_OUT:
            return Consent.OPTED_OUT  # `red = no advertising`, whatever the column asks
        return self._parse_symbols_or_words(text)

    def _parse_answer_for_sms_or_channel_list(self, text: str) -> Consent | None:
        """What a list of ways of contact says of SMS: `SMS + Mail`, `SMS: yes | Email: no`."""
        if self.is_opt_out:
            return None
        if (answer := _answer_for_sms_in_channel_list_or_none(text)) is not None:
            return self._parse_words(answer, Consent.AGREES, Consent.OPTED_OUT)
        if not self.lists_channels:
            return None
        if _ALL.issuperset(words := _folded_words(text)) and words:
            return Consent.AGREES
        channels = channels_if_cell_lists_only_channels(_without_leading_yes(text))
        if not channels:
            return None
        if "sms" in channels:
            return Consent.AGREES
        return Consent.OPTED_OUT if _ONLY.intersection(words) else Consent.WITHHELD

    def _parse_words(self, text: str, yes: Consent, no: Consent) -> Consent | None:
        if match := _FLOAT.fullmatch(text):
            text = match[1]
        words = _folded_words(text)
        joined = "".join(words)
        if not joined or joined in _BLANK:
            return Consent.SILENT
        if joined in self.legend:
            return self.legend[joined]
        if len(words) == 1 and joined in self.yes:
            return yes
        if len(words) == 1 and joined in self.no:
            return no
        if self.is_state_of_opt_out and joined in _ACTIVE_OR_NOT:
            return None
        if self._names_never_subscribed(words):
            return Consent.WITHHELD
        for states, answer in (
            (_SUBSCRIBED, Consent.SILENT if self.is_opt_out else Consent.AGREES),
            (_GRANTED, None if self.is_opt_out else Consent.AGREES),
            (_UNSUBSCRIBED, Consent.OPTED_OUT),
            (_WITHHELD, Consent.WITHHELD),
        ):
            if joined in states:
                return answer
        if len(words) == 1 and joined.startswith(UNSUBSCRIBED_BEGINNINGS):
            return Consent.OPTED_OUT
        # `ΟΚ` in Greek letters; but `χ` alone may stand for `όχι`.
        if len(words) == 1 < len(joined) and _latin_letters_of_same_look(joined) in self.yes:
            return yes
        return self._parse_phrase(words)

    def _parse_phrase(self, words: list[str]) -> Consent | None:
        """What several words say: a no if one of them is, a yes if nothing else is said."""
        single = set(words)
        if self.is_opt_out and single <= _CHANNELS | _ANDS and single & _SMS_CHANNELS:
            return Consent.OPTED_OUT  # `Unsubscribed from: e-mail, SMS`
        pairs = {first + second for first, second in pairwise(words)}
        if (single | pairs) & _UNSUBSCRIBED or any(
            word.startswith((*REFUSED, *WITHDRAWN, *ENDED)) for word in single | pairs
        ):
            return Consent.OPTED_OUT
        if self.reads_polite_words and any(word.startswith(REFUSED_BEGINNINGS) for word in single):
            return Consent.OPTED_OUT
        if self._says_that_nobody_answered(single):
            return None if self.is_opt_out else Consent.WITHHELD
        if len(words) > 1 and single & (_NEGATIONS | (_NO - {"0", "n", "f"})):
            # `No opt-out` in a column of opt-outs cannot be told from `no, opted out`.
            return None if self.is_opt_out else Consent.OPTED_OUT
        if not self.is_opt_out and any(word.startswith(MISSING) for word in single):
            return Consent.WITHHELD
        agreeing = single & (_YES - {"1", "x", "t", "on"})
        if self.is_opt_out:
            return Consent.OPTED_OUT if agreeing and single <= agreeing | _NEUTRAL else None
        agreeing |= self._agreeing_words_but_plain_yes(words)
        others = single - _NEUTRAL
        if self.reads_polite_words:
            if single & NEGATIONS_ELSEWHERE and agreeing | single & _NEUTRAL != single:
                negated = single - NEGATIONS_ELSEWHERE
                return Consent.OPTED_OUT if negated <= agreeing | _NEUTRAL | _POLITE else None
            others -= _POLITE
        return Consent.AGREES if agreeing and others <= agreeing else None

    def _agreeing_words_but_plain_yes(self, words: list[str]) -> set[str]:
        """The words that give consent, alone or with the word beside them: `d'accord`."""
        single = set(words)
        pairs = {first + second for first, second in pairwise(words)}
        agreeing = single & (_SUBSCRIBED | _GRANTED)
        agreeing |= {word for word in single if word.startswith(GRANTED)}
        if self.reads_polite_words:
            agreeing |= single & _ASSENT
            agreeing |= {word for word in single if word.startswith(GRANTED_BEGINNINGS)}
        if pairs & _SUBSCRIBED:
            agreeing |= single & {"opt", "opted", "in", "consent", "given"}
        known_pairs = _GRANTED | _ASSENT if self.reads_polite_words else _GRANTED
        for first, second in pairwise(words):
            if first + second in known_pairs:
                agreeing |= {first, second}
        return agreeing

    def _says_that_nobody_answered(self, words: Set[str]) -> bool:
        """Whether nobody knows, asked or answered: `has not been asked yet`, `no contesta`."""
        unanswered = {
            word for word in words if word in _UNANSWERED or word.startswith(_UNANSWERED_LONG)
        }
        negations = words & (_NEGATIONS | _NO | NEGATIONS_ELSEWHERE)
        return bool(unanswered - negations and negations) and not (
            words - unanswered - negations - _UNANSWERED_FILLERS
        )

    def _names_never_subscribed(self, words: list[str]) -> bool:
        """Whether somebody has never said anything: `Never subscribed` is no refusal."""
        return (
            len(words) == 2
            and not self.is_opt_out
            and words[0] in _NEVER
            and (words[1] in _SUBSCRIBED or words[1].startswith(GRANTED))
        )


def _single_letters(texts: Iterable[str]) -> set[str]:
    """The letters that are a cell of their own, folded."""
    return {
        letter
        for text in texts
        if len(text) <= MAX_LETTER_LENGTH
        and len(letter := fold_to_alphanumeric(text)) == 1
        and letter.isalpha()
    }


def _is_placeholder_or_could_deny_opt_out(text: str) -> bool:
    """Whether a cell under an opt-out may say that there is none: `inactive`, `No opt-out`."""
    return is_placeholder_for_no_value(text) or not _DENYING.isdisjoint(_folded_words(text))


def _folded_words(text: str) -> list[str]:
    text = _CONTRACTED_NOT.sub("nt", text.replace("_", " "))
    return [fold_to_alphanumeric(word) for word in _WORDS.findall(text)]


_CONTRACTED_NOT = re.compile(r"n['’]t\b")
# Capitals of Greek and Cyrillic that look like Latin ones, folded.
_SAME_LOOK = str.maketrans("αβεζηικμνορτυχавекмнорстух", "abezhikmnoptyxabekmhopctyx")


def _latin_letters_of_same_look(word: str) -> str:
    """The Latin letters that the capitals of a folded word look like: `οκ` in Greek is `ok`."""
    return word.translate(_SAME_LOOK)


def channels_if_cell_lists_only_channels(text: str) -> set[str]:
    """The ways of contact of which a cell is a list, `sms` among them; empty if it is none.

    Args:
        text: such as `E-mail & SMS` or `Post only`.
    """
    words = set(_folded_words(text.replace("-", "")[:MAX_LENGTH]))
    channels = {"sms" if word in _SMS_CHANNELS else word for word in words & _CHANNELS}
    return channels if words <= _CHANNELS | _ANDS | _ONLY else set()


def cell_names_a_limit(text: str) -> bool:
    """Whether a cell says that somebody gets one thing only: `Reminders only`, `nur Termine`.

    Args:
        text: the cell.
    """
    return not _ONLY.isdisjoint(_folded_words(text[:MAX_LENGTH]))


def _without_leading_yes(text: str) -> str:
    """The text after a yes: `Ναι - SMS & Email` gives the list of channels."""
    first = _WORDS.search(text)
    if first and len(first[0]) > 1 and fold_to_alphanumeric(first[0]) in _YES:
        return text[first.end() :]
    return text


def _answer_for_sms_in_channel_list_or_none(text: str) -> str | None:
    """The answer for SMS where a cell has one for each way of contact; None if it has not.

    Args:
        text: such as `SMS: sí | Email: no`, or an object of JSON.
    """
    found: dict[str, str] = {}
    for part in _PARTS.split(text.strip("{}[] ")):
        words = _folded_words(part.replace("-", ""))
        if len(words) != 2 or words[0] not in _CHANNELS or words[1] in _CHANNELS | _ONLY | _ANDS:
            return None
        channel = "sms" if words[0] in _SMS_CHANNELS else words[0]
        if found.setdefault(channel, words[1]) != words[1]:
            return None
    return found.get("sms") if len(found) > 1 or ":" in text or "=" in text else None


def _full_marks_of_yes_and_empty_marks_of_no(texts: Set[str]) -> tuple[Set[str], Set[str]]:
    """The marks of yes and of no among the values of a column, such as `●` and `○`.

    A full mark alone is a yes; an empty one is a no beside it. Several full ones, or other values
    beside them, cannot be told.
    """
    full = texts & _FULL_MARKS
    empty = texts & (_EMPTY_MARKS | (_MINUS_SIGNS if "+" in full else frozenset()))
    others = {
        text
        for text in texts - full - empty
        if text.casefold() not in _CROSS_LETTERS and not is_placeholder_for_no_value(text)
    }
    if len(full) != 1 or others or (full == {"☒"} and not empty):
        return frozenset(), frozenset()
    return full, empty


def _only_mark_or_empty(texts: Set[str]) -> Set[str]:
    """The only value of a column if it is a mark such as `*`; dashes and dots are no marks."""
    return {
        text for text in texts if len(texts) == 1 and len(text) == 1 and text in _POSSIBLE_MARKS
    }


def _without_emoji_forms(text: str) -> str:
    return text.strip().replace("\ufe0e", "").replace("\ufe0f", "")


def _has_only_tick_symbols(text: str) -> bool:
    marks = _distinct_characters_but_blanks_and_punctuation(text)
    return bool(marks) and marks <= _TICKS


def _distinct_characters_but_blanks_and_punctuation(text: str) -> set[str]:
    """The characters of a text, without blanks, forms of an emoji and signs that say nothing."""
    telling = "?*#•†!" if text.startswith("!") else "?*#•†"
    return {
        mark
        for mark in set(text) - set("\ufe0e\ufe0f ")
        if mark in telling or unicodedata.category(mark)[0] != "P"
    }


def _has_symbol_question_mark_or_leading_bang(characters: set[str], text: str) -> bool:
    """Whether there is a sign that says something else than the words: an emoji, `?`, `!yes`."""
    return text.startswith("!") or any(
        mark == "?" or unicodedata.category(mark)[0] == "S" for mark in characters
    )
