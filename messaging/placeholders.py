"""What in a text was to be replaced and was not: `[Nom de la boutique]`, `(First Name)`, `XX%`.

A phrase in brackets is told by its words: each stands for a kind of thing (a name, a link, a date),
says of what, or joins two. An ordinary word in brackets, such as `[SALE]`, is none of them. Tags,
also those of other programs, are read in `text.py`.
"""

from __future__ import annotations

import re
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
_THINGS = (
    _NAMES
    | _STORES
    | _folded(
        _words_of("phone", "mobile") + " link links url lien liens enlace collegamento σύνδεσμος "
        "συνδέσμου λινκ odkaz bağlantı bağlantısı linki линк линка ссылка ссылку länk länken "
        "website webseite webadresse ιστοσελίδα ιστοσελίδας сайт сайта strona strony "
        "address adresse adresa adres adresi indirizzo dirección διεύθυνση διεύθυνσης адрес "
        "date dates fecha datum datumet ημερομηνία ημερομηνίας tarih tarihi dato data дата датата "
        "time uhrzeit heure hora horario orario ώρα saat saati godzina čas час klockslag "
        "code código codice kod kodu kode kods koden κωδικός κωδικού код кода "
        "percent percentage prozent prozentsatz pourcentage porcentaje percentuale ποσοστό yüzde "
        "procent procenty процент amount betrag montant importe cantidad importo ποσό ποσότητα "
        "tutar tutarı kwota kwotę сума сумма belopp bedrag price preis prix precio prezzo τιμή "
        "fiyat fiyatı cena ceny pris цена цената preț prețul product produkt produktu produit "
        "producto prodotto προϊόν προϊόντος ürün ürünün продукт продукта "
        "city stadt ville ciudad città πόλη şehir miasto град"
    )
)
# Of what a thing is; no thing by itself, since `[OFFER]`, `[EVENT]` and `[AD]` are ordinary.
_OF_WHAT = _folded(
    "offer offers angebot offre oferta ofertas oferty offerta προσφορά προσφοράς teklif оферта "
    "discount rabatt remise descuento descuentos sconto έκπτωση έκπτωσης indirim rabat rabatu "
    "zniżki отстъпка отстъпката korting promo promotion promocode promoción promozione coupon "
    "kupon gutschein voucher sale event start end ending expiry expiration deadline début inicio "
    "inizio έναρξη έναρξης beginn ende fin fine λήξη λήξης koniec końca bitiş край slut landing "
    "page web online booking appointment rendez vous termin cita appuntamento ραντεβού randevu "
    "order commande pedido ordine παραγγελία παραγγελίας sipariş tracking gift full short new "
    "first last customer customers kunde kunden client clients cliente clienti πελάτη πελάτης "
    "müşteri klienta клиента клиент kundens item category service salon restaurant hotel staff "
    "employee ad here burada hier aquí ici εδώ qui"
)
_JOINING = frozenset(_words_of("glue").split()) | _folded("na do w z ve на в за av")
_ASKING = _folded(
    "your insert enter add put type fill write votre insérer insérez ajouter insertar inserta "
    "añadir inserisci inserire aggiungi tuo tua vostro ihr ihre ihren ihrer dein deine deinen "
    "einfügen eingeben einsetzen εισάγετε εισαγωγή βάλτε βάλε συμπληρώστε γράψτε wstaw wpisz twój "
    "twoja twojego wasz vlož vložte ekle ekleyin yaz yazın girin въведете въведи вашия вашето "
    "вашият вставьте добавете infoga skriv ditt invoegen vul jouw uw introdu"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_IN_BRACKETS = re.compile(
    r"\[(?P<blank>\.{2,}|…|_+|[XΧХ]{1,3})\]|\[(?P<square>[^\W\d_][^\[\]\n]{0,58})\]|<(?P<angle>[^\W\d_][^<>\n/=]{0,58})>"
    r"|\((?P<round>[^\W\d_][^()\n]{0,38})\)"
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
_AFTER_LABEL = re.compile(r"([^\W\d_]+)\s?[:=.]?\s?[XΧХ]{3,}(?!\w)")
_BLANK = re.compile(r"(?<!\w)_{3,}(?!\w)")
_DECORATED_LINE = re.compile(r"[\s_]*|\s*__+.*__+\s*")
_LABEL = re.compile(r"([^\W\d_]+)\s*[:=]?\s*\Z")
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
    found += _MISSING_NUMBER.finditer(text)
    found += [match for match in _AFTER_LABEL.finditer(text) if _is_thing(match[1])]
    found += [match for match in _BLANK.finditer(text) if _is_blank_to_fill(match, text)]
    return sorted(found, key=re.Match.start)


def _names_a_name(phrase: str) -> bool:
    """Whether a phrase in round brackets, which many ordinary words are in, asks for a name."""
    words = _fold(phrase)
    allowed = _NAMES | _STORES | _OF_WHAT | _JOINING
    return not _NAMES.isdisjoint(words) and allowed.issuperset(words)


@lru_cache(maxsize=1024)
def _names_what_to_write(phrase: str) -> bool:
    """Whether a phrase in square or angle brackets names a kind of thing that is to stand there."""
    words = _fold(phrase)
    if not words or re.search(r"\d", phrase):
        return False
    if words[0] in _ASKING and len(words) > 1:
        return True
    if any(map(_is_thing, words)) and all(map(_is_known, words)):
        return True
    is_name_of = words[0] in _NAMES and len(words) > 2 and words[1] in _JOINING
    is_some_name = words[-1] in _NAMES and len(words) > 1
    return is_name_of or is_some_name


def _fold(phrase: str) -> list[str]:
    """The words of a phrase, folded, with compounds in parts; `L'adresse` is two words."""
    words: list[str] = []
    for word in _WORD.findall(phrase):
        for part in re.split("['’]", fold_case_and_accents(word)):
            words += [part] if _is_known(part) else compound_parts_or_empty(part) or (part,)
    return words


def _is_known(word: str) -> bool:
    return _is_thing(word) or word in _OF_WHAT or word in _JOINING or word in _ASKING


def _is_thing(word: str) -> bool:
    return fold_case_and_accents(word) in _THINGS


def _is_blank_to_fill(blank: re.Match[str], text: str) -> bool:
    """Whether a blank is the store's to fill in: no line of decoration, and no form for customers.

    A customer is asked for a name, an address or a birthday (`Name: ____`), and for nothing else.
    """
    line_start = text.rfind("\n", 0, blank.start()) + 1
    line = text[line_start:].partition("\n")[0]
    if _DECORATED_LINE.fullmatch(line):
        return False
    label = _LABEL.search(text[line_start : blank.start()])
    return not label or read_heading(label[1]).meaning not in _PERSONAL
