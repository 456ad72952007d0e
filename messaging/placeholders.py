"""What in a text was to be replaced and was not: `[Nom de la boutique]`, `(First Name)`, `XX%`.

A phrase in brackets is told by its words: each stands for a kind of thing (a name, a link, a date),
says of what, or joins two. An ordinary word in brackets, such as `[SALE]`, is none of them. Tags,
also those of other programs, are read in `text.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from contacts.importing.heading_words import (
    CONCEPTS,
    compound_parts_or_empty,
    fold_case_and_accents,
)
from contacts.importing.headings import Meaning, read_heading
from messaging.addresses import find_web_addresses_except_bare_hosts


def _words_of(*concepts: str) -> str:
    return " ".join(CONCEPTS[concept] for concept in concepts)


# Words as `fold_case_and_accents` writes them, in the languages of the customers of stores.
def _folded(words: str) -> frozenset[str]:
    return frozenset(fold_case_and_accents(words).split())


# Words in the languages of the customers of stores.
_NAMES = _folded(
    _words_of("name", "first_name", "last_name")
    + " nazwa nazwy nazwę adınız isminiz numele namnet "
    "název názov името название названието наименование"
)
_STORES = _folded(
    "store shop tienda negozio magasin boutique κατάστημα καταστήματος μαγαζί μαγαζιού mağaza "
    "mağazası mağazanın dükkan sklep sklepu butik butiken butikens butikk winkel obchod obchodu "
    "magazinului магазин магазина магазинът geschäft laden business company firma firmy "
    "firmanızın entreprise empresa azienda επιχείρηση επιχείρησης εταιρεία εταιρείας şirket фирма "
    "фирмата brand marque marca marka marke μάρκα"
)
_LINKS = _folded(
    "link links url lien liens enlace collegamento σύνδεσμος συνδέσμου λινκ odkaz bağlantı "
    "bağlantısı linki линк линка ссылка ссылку länk länken"
)
_NUMBERS = _folded(
    "number numbers numéro número numero nummer numer numeru numara numarası αριθμός αριθμό номер "
    "номера číslo numărul szám"
)
_SHORT_FOR_NUMBERS = frozenset(("no", "nr", "id"))
_THINGS = (
    _NAMES
    | _STORES
    | _LINKS
    | _NUMBERS
    | _folded(
        _words_of("phone", "mobile")
        + " website webseite webadresse ιστοσελίδα ιστοσελίδας сайт сайта strona strony "
        "address adresse adresa adres adresi indirizzo dirección διεύθυνση διεύθυνσης адрес "
        "date dates fecha datum datumet ημερομηνία ημερομηνίας tarih tarihi dato data дата датата "
        "time uhrzeit heure hora horario orario ώρα saat saati godzina čas час klockslag "
        "code cod codul código codice κωδ kod kodu kode kods koden κωδικός κωδικού код кода "
        "percent percentage prozent prozentsatz pourcentage porcentaje percentuale ποσοστό yüzde "
        "procent procenty процент amount betrag montant importe cantidad importo ποσό ποσότητα "
        "tutar tutarı kwota kwotę сума сумма belopp bedrag price preis prix precio prezzo τιμή "
        "fiyat fiyatı cena ceny pris цена цената preț prețul product produkt produktu produit "
        "producto prodotto προϊόν προϊόντος ürün ürünün продукт продукта "
        "location standort ubicación konum τοποθεσία city stadt ville ciudad città πόλη şehir "
        "miasto miasta град"
    )
)
# Of what a thing is; no thing by itself, since `[OFFER]`, `[EVENT]` and `[AD]` are ordinary. In
# some languages it is before the thing (`discount code`), in others after it (`kod rabatowy`).
_BEFORE_THING = _folded(
    "offer angebot teklif discount rabatt korting indirim promo promotion coupon kupon gutschein "
    "voucher sale gift event start end ending expiry expiration deadline landing page web booking "
    "appointment termin randevu order bestell bestel sipariş tracking customer customers kunde "
    "kunden kundens client müşteri item category service salon restaurant hotel staff employee ad"
)
_AFTER_THING = _folded(
    "offre oferta ofertas oferty offerta προσφορά προσφοράς оферта remise descuento descuentos "
    "sconto έκπτωση έκπτωσης rabatu rabatowy zniżki отстъпка отстъпката promoción promozione promo "
    "début inicio inizio έναρξη έναρξης fin fine λήξη λήξης koniec końca край rendez vous "
    "cita appuntamento ραντεβού commande pedido ordine παραγγελία παραγγελίας поръчка zamówienia "
    "cliente clienti client clients πελάτη πελάτης klienta клиента клиент salon restaurant hotel "
    "employee aquí ici εδώ qui here hier burada"
)
_JOINING = _folded(
    "of the a an for in on at to and or de du des d l la le les el los las lo il i gli un une una "
    "uno di da del della dell dei delle degli al au aux à en et e y ou o vers hacia verso und oder "
    "der die das des dem den eines einer ein eine von vom zum zur für im mit του της των το τα τη "
    "τον την ο η οι με σε στο στη στην για προς και ή na do w z dla ve ile на в за към и по av til "
    "och för naar van het een voor bij către din pentru"
)
_ASKING = _folded(
    "your insert enter add put type fill write votre insérer insérez ajouter insertar inserta "
    "añadir inserisci inserire aggiungi tuo tua vostro ihr ihre ihren ihrer dein deine deinen "
    "einfügen eingeben einsetzen εισάγετε εισαγωγή βάλτε βάλε συμπληρώστε γράψτε wstaw wpisz twój "
    "twoja twojego wasz vlož vložte ekle ekleyin yaz yazın girin въведете въведи вашия вашето "
    "вашият σας σου вставьте добавете infoga skriv ditt invoegen vul jouw uw introdu"
)
_KNOWN = _THINGS | _BEFORE_THING | _AFTER_THING | _JOINING | _ASKING
_IN_ROUND_BRACKETS = (
    (_KNOWN - _THINGS - _ASKING) | _NAMES | _STORES | {"first", "last", "full", "your"}
)
_CAMEL_CASE = re.compile(r"(?<=[^\W\dA-Z_]{2})(?=[A-Z])")  # CouponNo, and not iPhone
_LINKING_LETTERS = ("", "s", "n", "en")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_IN_BRACKETS = re.compile(
    r"\[(?P<blank>\.{2,}|…|_+|[XΧХ]{1,3})\]|\[(?P<square>[^\W\d_][^\[\]\n]{0,58})\]"
    r"|<(?P<angle>[^\W\d_][^<>\n/=]{0,58})>|\((?P<round>[^\W\d_][^()\n]{0,38})\)"
)
_X = "(?:[xXχΧхХ]{2,}|[XΧХ])"
_SIGN = "[%٪€$£₺₽₴]"
_CURRENCY = r"(?:euros?|eur|ευρώ|usd|gbp|chf|pln|zł|kč|kr|kn|lei|ron|ft|tl|лв|лева|бгн)\b"
# A number that is missing: before or after a sign of percent or money that has no other one, and in
# a time, a date or a price.
_MISSING_NUMBER = re.compile(
    rf"(?<![\w.,/])-?{_X}\s?{_SIGN}(?!\s?\d)|(?<!\d)(?<!\d\s){_SIGN}\s?{_X}(?!\w)"
    rf"|(?<![\w.,/])-?(?:__|(?:\[\s*\]|\#{{2,}})\s?)(?:{_SIGN}|{_CURRENCY})(?!\s?\d)"
    rf"|(?<![\w.,/])-?[xXχΧхХ]{{2,}}\s?{_CURRENCY}|(?<![\w.,/])(?<!\d\s)-?0{{2,}}\s?%"
    r"|(?<!\w)(?:[xXχΧхХ]{2}|__)(?P<between>[:./,])(?:[xXχΧхХ]{2}|__)(?:(?P=between)\w+)?(?!\w)",
    re.IGNORECASE,
)
# What one of those has; most texts have none.
_MAY_MISS_NUMBER = re.compile(rf"[xXχΧхХ_#0]{{2}}|[XΧХx]\s?{_SIGN}|{_SIGN}\s?[XΧХx]|\[\s*\]")
_ROW_OF_X = re.compile(r"(?<!\w)[XΧХ]{3,}(?!\w|[\s-]?[\dXΧХ])")
# A phone number with X for most of its digits: XXX-XXXX, (XXX) XXX XXXX, 69XXXXXXXX. In that of a
# card, `4532 XXXX XXXX 1234`, they are meant.
_NUMBER_OF_X = re.compile(
    r"(?<![\w+])(?:\+?\(?\d{0,4}[XΧХ]{2,}\)?(?:[ ./-]{1,2}[XΧХ]{2,})+|\+?\d{2,4}[XΧХ]{4,}"
    r"|x{2,}(?:[.-]x{2,})+)(?!\w|[\s-]?\d)"
)
_FEWEST_OF_NUMBER = 7
# A day or a time in the letters of its parts: TT.MM.JJJJ, gg/aa/yyyy, ΩΩ:ΛΛ.
_DAY_OR_TIME_IN_LETTERS = re.compile(
    r"(?<![\w.:/-])([^\W\d_])\1(?:(?P<between>[./-])([^\W\d_])\3(?P=between)(?:YY|([^\W\d_])\4{3})"
    r"|:([^\W\d_])\5)(?!\w|[.:/-]\w)"
)
_BEGINNING_OF_NUMBER = re.compile(r"(?<![\dXΧХ])\+?\d{2,}[\s-]\Z")
_EMPTY_BRACKETS = re.compile(r"\[[^\S\n]*\]")
_BLANK = re.compile(r"(?<!\w)_{3,}(?!\w)")
_DECORATED_LINE = re.compile(r"[\s_]*|\s*__+.*__+\s*")
_LABEL = re.compile(r"([^\W\d_]+)\s*[:=.]?\s*\Z")
_LONGEST_LABEL = 30
_PERSONAL = frozenset(
    {Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.FULL_NAME, Meaning.NAME, Meaning.EMAIL,
     Meaning.BIRTHDAY, Meaning.PHONE}
)  # fmt: skip


def find_placeholder_or_empty(text: str) -> str:
    """The first thing in a text that was to be replaced; addresses have none.

    Args:
        text: a text with tags.
    """
    addresses = None
    for match in _candidates(text):
        if addresses is None:
            addresses = find_web_addresses_except_bare_hosts(text)
        if not any(address.start < match.start() < address.end for address in addresses):
            return match[0]
    return ""


def _candidates(text: str) -> list[re.Match[str]]:
    found = [
        match
        for match in _IN_BRACKETS.finditer(text)
        if match["blank"]
        or (match["round"] and _names_a_name(match["round"]))
        or ((words := match["square"] or match["angle"]) and _names_what_to_write(words))
    ]
    if _MAY_MISS_NUMBER.search(text):
        found += _MISSING_NUMBER.finditer(text)
    found += [match for match in _ROW_OF_X.finditer(text) if _is_number_to_fill(match, text)]
    found += [match for match in _BLANK.finditer(text) if _is_blank_to_fill(match, text)]
    found += [
        match
        for match in _NUMBER_OF_X.finditer(text)
        if sum(map(str.isalnum, match[0])) >= _FEWEST_OF_NUMBER
    ]
    found += [
        match for match in _DAY_OR_TIME_IN_LETTERS.finditer(text) if not _asks_for_birthday(text)
    ]
    empty_brackets = list(_EMPTY_BRACKETS.finditer(text))
    if len(empty_brackets) == 1:  # `[ ] yes [ ] no` is a choice
        found += empty_brackets
    return sorted(found, key=re.Match.start)


def _names_a_name(phrase: str) -> bool:
    """Whether a phrase in round brackets, which many ordinary words are in, asks for a name."""
    words = _fold(phrase)
    return not _NAMES.isdisjoint(words) and _IN_ROUND_BRACKETS.issuperset(words)


def _names_what_to_write(phrase: str) -> bool:
    """Whether a phrase in square or angle brackets names a kind of thing that is to stand there."""
    words = _fold(phrase)
    if not words or re.search(r"\d", phrase):
        return False
    if len(words) == 1:
        return words[0] in _THINGS
    certain = _NAMES | _NUMBERS | _LINKS
    is_name_of = words[0] in certain and words[1] in _JOINING and len(words) > 2
    is_variable = phrase.isidentifier() and not _THINGS.isdisjoint(set(words) - _STORES)
    return (
        words[0] in _ASKING
        or words[-1] in certain
        or is_name_of
        or is_variable  # ExpiryDate; one word of a language is not split
        or any(_is_thing_with_what_belongs_to_it(words, at) for at in range(len(words)))
    )


def _is_thing_with_what_belongs_to_it(words: Sequence[str], at: int) -> bool:
    """Whether all of a phrase is about one word. `[La Boutique]` may be the name of a store."""
    around = _THINGS | _JOINING - {"to"} | _ASKING
    may_be_meant = _THINGS if not _ASKING.isdisjoint(words) else _THINGS - _STORES
    return (
        (words[at] in may_be_meant or words[at] in _SHORT_FOR_NUMBERS)
        and (around | _BEFORE_THING).issuperset(words[:at])
        and (around | _AFTER_THING).issuperset(words[at + 1 :])
    )


@lru_cache(maxsize=1024)
def _fold(phrase: str) -> tuple[str, ...]:
    """The words of a phrase, folded, with compounds in parts; `L'adresse` is two words."""
    words: list[str] = []
    for word in _WORD.findall(_CAMEL_CASE.sub(" ", phrase)):
        for part in re.split("['’]", fold_case_and_accents(word)):
            words += [part] if part in _KNOWN else _parts_of_compound(part) or (part,)
    return tuple(words)


def _parts_of_compound(word: str) -> tuple[str, ...]:
    """The two known words of which a compound is made, such as `winkelnaam`; else nothing."""
    for at in range(3, len(word) - 2):
        if word[at:] in _THINGS:
            for link in _LINKING_LETTERS:
                first = word[:at].removesuffix(link)
                if first in _KNOWN:
                    return first, word[at:]
    return compound_parts_or_empty(word)


def _is_blank_to_fill(blank: re.Match[str], text: str) -> bool:
    """Whether a blank is the store's to fill in: no line of decoration, and no form for customers.

    A customer is asked for a name, an address or a birthday (`Name: ____`), and for nothing else.
    """
    line_start = text.rfind("\n", 0, blank.start()) + 1
    line = text[line_start:].partition("\n")[0]
    if _DECORATED_LINE.fullmatch(line):
        return False
    return read_heading(_label_of(blank, text)).meaning not in _PERSONAL


def _asks_for_birthday(text: str) -> bool:
    """Whether a text may ask customers for their birthday, and say how to write it."""
    return any(read_heading(word).meaning is Meaning.BIRTHDAY for word in _WORD.findall(text))


def _is_number_to_fill(row: re.Match[str], text: str) -> bool:
    """Whether a row of X stands for the rest of a phone number, or for what a word before names."""
    before = text[max(0, row.start() - _LONGEST_LABEL) : row.start()]
    is_rest_of_number = len(row[0]) > 3 and _BEGINNING_OF_NUMBER.search(before)
    return bool(is_rest_of_number) or _label_of(row, text) in _THINGS


def _label_of(match: re.Match[str], text: str) -> str:
    """The word before what a match found, folded, which says what it stands for; else empty."""
    label = _LABEL.search(text[max(0, match.start() - _LONGEST_LABEL) : match.start()])
    return fold_case_and_accents(label[1]) if label else ""
