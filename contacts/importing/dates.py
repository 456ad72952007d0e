"""Reading birthdays and points in time as people, shops and spreadsheets write them.

A date is read as written, in no time zone. What can be read in two ways is not read
(rules.md#import).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from contacts.importing.cells import UnusableCell, fold_to_alphanumeric
from contacts.importing.import_refused import ImportRefused, Question
from contacts.importing.month_names import months_of_word
from contacts.models import DateOrder

MAX_AGE_YEARS = 120
# Longer cells are not dates; the patterns below never see them.
MAX_DATE_LENGTH = 80
# Where the dates of one order are this many times as many as those of the other, the latter are
# mistakes.
DATE_ORDER_MAJORITY = 20
# Serial numbers of a spreadsheet are read in a column with other dates, or with so many of them.
MIN_SERIALS = 3
FIRST_SERIAL_DAY = date(1899, 12, 30)  # day 0 of a spreadsheet
# A number of days before this year is hardly a birthday.
FIRST_SERIAL_YEAR = 1910

MONTH_NAMES = (
    "january januar jaenner janner janvier enero gennaio ιανουαριοσ ιανουαριου γεναρησ γεναρη",
    "february februar feber fevrier febrero febbraio φεβρουαριοσ φεβρουαριου φλεβαρησ φλεβαρη",
    "march marz maerz mars marzo μαρτιοσ μαρτιου μαρτησ μαρτη",
    "april avril abril aprile απριλιοσ απριλιου απριλησ απριλη",
    "may mai mayo maggio μαιοσ μαιου μαησ μαη",
    "june juni juin junio giugno ιουνιοσ ιουνιου ιουνησ ιουνη",
    "july juli juillet julio luglio ιουλιοσ ιουλιου ιουλησ ιουλη",
    "august aout agosto αυγουστοσ αυγουστου",
    "september septembre septiembre setiembre settembre σεπτεμβριοσ σεπτεμβριου σεπτεμβρησ",
    "october oktober octobre octubre ottobre οκτωβριοσ οκτωβριου οκτωβρησ",
    "november novembre noviembre νοεμβριοσ νοεμβριου νοεμβρησ",
    "december dezember decembre diciembre dicembre δεκεμβριοσ δεκεμβριου δεκεμβρησ",
)
WEEKDAY_NAMES = (
    "monday tuesday wednesday thursday friday saturday sunday "
    "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag "
    "lundi mardi mercredi jeudi vendredi samedi dimanche "
    "lunes martes miercoles jueves viernes sabado domingo "
    "lunedi martedi mercoledi giovedi venerdi sabato domenica "
    "δευτερα τριτη τεταρτη πεμπτη παρασκευη σαββατο κυριακη"
)
MIN_ABBREVIATION = 3
# Words between the day, the month and the year, and endings of ordinal numbers.
FILLERS = (
    "of the de del der den le il el di του τησ st nd rd th er ere o ο η do da d m r g gada г р"
)

# What programs write where they know no year (Square 0000, Apple 1604), and where they know no
# date: the first days of the calendars of .NET, Windows, SQL Server and spreadsheets, and the last.
_YEARS_OF_NO_YEAR = frozenset({0, 1, 1604, 1900})
_NO_DATES = frozenset(
    {
        (1, 1, 1),
        (1601, 1, 1),
        (1753, 1, 1),
        (1899, 12, 30),
        (1899, 12, 31),
        (1900, 1, 0),
        (1900, 0, 1),
        (1900, 1, 1),
        (1904, 1, 1),
        (9999, 12, 31),
    }
)
_FIRST_UNIX_DAY = (1970, 1, 1)

# On at most MAX_DATE_LENGTH characters without runs of blanks, so none of these is slow.
_ISO_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_NUMBERS = re.compile(r"(\d{1,4}) ?([./\- ]) ?(\d{1,2}) ?\2 ?(\d{1,4})\.?")
_COMPACT = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)")
_TIME = re.compile(
    r"(?:T|,? )(\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)"
    r"( ?[AaPp]\.?[Mm]\.?| ?[πμΠΜ]\.?[μΜ]\.?)?( ?Z| ?[A-Z]{3,5})?( ?[+-]\d\d(?::?\d\d)?)?"
    r"(?: \([\w ]+\))?$"
)
_SERIAL = re.compile(r"(\d{4,5})(?:[.,]0+)?")
_DAY_AND_MONTH = re.compile(r"(?:--)?\d{1,2} ?[./\-] ?\d{1,2}[./]?")
_YEAR_ALONE = re.compile(r"(?:19|20)\d\d")
_WORDS = re.compile(r"\d+|[^\W\d_]+")
_TEXTUAL = re.compile(r"[\w .,/'’°\-]+")


def _value_by_prefix_0_if_ambiguous(names_by_value: Iterable[tuple[int, str]]) -> dict[str, int]:
    """Each name and its abbreviations by their value; 0 where two values share one."""
    values: dict[str, int] = {}
    for value, names in names_by_value:
        for name in names.split():
            for length in range(MIN_ABBREVIATION, len(name) + 1):
                prefix = name[:length]
                values[prefix] = value if values.get(prefix, value) == value else 0
    return values


_MONTHS = _value_by_prefix_0_if_ambiguous(enumerate(MONTH_NAMES, 1))


def is_month_name_or_abbreviation(word: str) -> bool:
    """Whether a word, in lower case without accents, is the name of a month or its abbreviation."""
    return word in _MONTHS


_FILLERS = frozenset(FILLERS.split())
_WEEKDAYS = _value_by_prefix_0_if_ambiguous([(1, WEEKDAY_NAMES)])


# So many dates and so many texts show that a spreadsheet has swapped days and months.
MIN_SWAPPED = 2
# So many dates that can be read in both orders are not decided by a single one.
MIN_OUTVOTED = 10


# Why a cell is no birthday. Made once: cells are also read to find out what a column holds.
_NO_DATE_FORM = _("not a date such as 1990-12-31")
_NO_YEAR = _("the date has no year")
_UNIX_DAY = _("1970-01-01 is also what programs write for no date")
_STANDS_FOR_NONE = _("stands for no date")
_YEAR_ONLY = _("the date has no day and no month")
_SHORT_YEAR = _("give the year with four digits")
_TWO_READINGS = _("day or month first? The file's other dates are written as 1990-12-31")
_NO_DAY = _("the day is missing")
_NO_SUCH_DAY = _("no such day")


class YearlessDate(UnusableCell):
    """A date without a certain year or month, or a year alone; the customer is kept without it."""


class NoDate(UnusableCell):
    """A date that programs write where there is none."""


class WrittenDate(NamedTuple):
    """A date as written, not yet checked; `clock` is the text of its time."""

    year: int
    month: int
    day: int
    clock: str = ""


def parse_birthday_or_raise_unusable(
    text: str,
    date_order: str,
    latest_day: date,
    *,
    reads_serials: bool = False,
    is_year_first: bool = False,
) -> date | None:
    """The date as written; None for a cell that stands for no date.

    Args:
        text: the cell.
        date_order: the order of the column's dates, a DateOrder.
        latest_day: the latest birthday.
        reads_serials: whether the column has days counted by a spreadsheet; see
            `has_spreadsheet_serial_dates`.
        is_year_first: whether the column's dates of two digits each begin with the year; see
            `has_short_years_first`.

    Raises:
        YearlessDate: if it gives no year, or none that is certain.
        UnusableCell: if it is not a date, has two readings, or is not within MAX_AGE_YEARS.
    """
    if len(text) == 10 and (match := _ISO_DATE.fullmatch(text)):
        year, month, day = match.groups()
        written = WrittenDate(int(year), int(month), int(day))
    else:
        text = _tidy_or_raise_if_too_long(text)
        if not text.strip("0./-: "):
            return None
        if reads_serials and (match := _SERIAL.fullmatch(text)):
            return FIRST_SERIAL_DAY + timedelta(days=int(match[1]))
        if is_year_first and (short := _three_short_numbers_or_none(_TIME.sub("", text))):
            written = WrittenDate(_year_or_raise_unusable(short[0]), int(short[1]), int(short[2]))
        else:
            written = _parse_date_or_raise_yearless_ambiguous_or_unusable(text, date_order)
    if written[:3] in _NO_DATES:
        return None
    if written.year in _YEARS_OF_NO_YEAR:
        if not written.month or not written.day:
            return None
        raise YearlessDate(_NO_YEAR)
    if written[:3] == _FIRST_UNIX_DAY:
        raise YearlessDate(_UNIX_DAY)
    birthday = _to_date_or_raise_unusable(written)
    if birthday > latest_day or birthday.year < latest_day.year - MAX_AGE_YEARS:
        raise UnusableCell(
            gettext("not within the last %(count)s years") % {"count": MAX_AGE_YEARS}
        )
    return birthday


def parse_datetime_none_if_ambiguous_or_raise(
    text: str, date_order: str, store_zone: tzinfo
) -> datetime | None:
    """The point in time that a cell gives, aware; None for a date that is not certain.

    A time without a zone is one of `store_zone`; a date without a certain time is its noon there.

    Args:
        text: the cell.
        date_order: the order of the column's dates, a DateOrder.
        store_zone: the store's.

    Raises:
        NoDate: if the cell is a date that programs write for none.
        UnusableCell: if it is no date.
    """
    text = _tidy_or_raise_if_too_long(text)
    try:
        written = _parse_date_or_raise_yearless_ambiguous_or_unusable(text, date_order)
    except AmbiguousDate:
        return None
    if written.year in _YEARS_OF_NO_YEAR or written[:3] in (*_NO_DATES, _FIRST_UNIX_DAY):
        raise NoDate(_STANDS_FOR_NONE)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.combine(_to_date_or_raise_unusable(written), time(12))
        if re.fullmatch(r"[\d:]+", written.clock):
            hour, minute, *_ = map(int, written.clock.split(":"))
            if hour < 24 and minute < 60:
                moment = moment.replace(hour=hour, minute=minute)
    else:
        if not written.clock:
            moment = moment.replace(hour=12)
    return moment if moment.tzinfo else moment.replace(tzinfo=store_zone)


class AmbiguousDate(UnusableCell):
    """A date with two readings."""


def _tidy_or_raise_if_too_long(text: str) -> str:
    """The text without outer blanks and runs of blanks.

    Raises:
        UnusableCell: if it is longer than any date.
    """
    text = text.strip()
    if len(text) > MAX_DATE_LENGTH:
        raise UnusableCell(_NO_DATE_FORM)
    return unicodedata.normalize("NFC", " ".join(text.strip("'\"=").split()))


def _parse_date_or_raise_yearless_ambiguous_or_unusable(text: str, date_order: str) -> WrittenDate:
    """The numbers of a date, which need not exist.

    Raises:
        YearlessDate, AmbiguousDate, UnusableCell: if it is no date with one reading.
    """
    clock = ""
    if match := _TIME.search(text):
        text, clock = text[: match.start()], "".join(part or "" for part in match.groups())
    if match := _NUMBERS.fullmatch(text):
        first, _, second, third = match.groups()
        if len(first) >= 3:
            return WrittenDate(int(first), int(second), int(third), clock)
        year = _year_or_raise_unusable(third)
        day, month = _day_month_or_raise_ambiguous(int(first), int(second), date_order)
        return WrittenDate(year, month, day, clock)
    if match := _COMPACT.fullmatch(text):
        # Years begin with 19 or 20, and there is no such month: never both.
        century, first, second, third = map(int, match.groups())
        if second <= 12 and century in (16, 19, 20):
            return WrittenDate(century * 100 + first, second, third, clock)
        day, month = _day_month_or_raise_ambiguous(century, first, date_order)
        return WrittenDate(second * 100 + third, month, day, clock)
    if _DAY_AND_MONTH.fullmatch(text):
        raise YearlessDate(_NO_YEAR)
    if _YEAR_ALONE.fullmatch(text):
        raise YearlessDate(_YEAR_ONLY)
    if _TEXTUAL.fullmatch(text):
        return _parse_date_with_month_name(text, clock)
    raise UnusableCell(_NO_DATE_FORM)


def _year_or_raise_unusable(digits: str) -> int:
    """The year of four digits, or of two as spreadsheets shorten it: the last one that has begun.

    Raises:
        UnusableCell: if there are one or three digits.
    """
    if len(digits) == 4:
        return int(digits)
    if len(digits) != 2:
        raise UnusableCell(_SHORT_YEAR)
    year = date.today().year
    return year - (year - int(digits)) % 100


def _day_month_or_raise_ambiguous(first: int, second: int, date_order: str) -> tuple[int, int]:
    """Day and month, of the two numbers before a year."""
    if date_order == DateOrder.MDY:
        return second, first
    if date_order == DateOrder.DMY or first == second or first > 12:
        return first, second
    if second > 12:
        return second, first
    raise AmbiguousDate(_TWO_READINGS)


def _parse_date_with_month_name(text: str, clock: str) -> WrittenDate:
    """A date whose month is a word, such as `3 May 1990` or `May 3, 1990`."""
    months, numbers = [], []
    for word in _WORDS.findall(text):
        folded = fold_to_alphanumeric(word)
        if word.isdecimal():
            numbers.append(word)
        elif folded in _MONTHS:
            months.append(_MONTHS[folded])
        elif folded not in _FILLERS and folded not in _WEEKDAYS:
            months.append(_month_of_other_language_or_raise(folded, word))
    if len(months) != 1 or not months[0] or not 1 <= len(numbers) <= 2:
        raise UnusableCell(_NO_DATE_FORM)
    years = [number for number in numbers if len(number) == 4]
    days = [number for number in numbers if len(number) <= 2]
    if len(years) == 1 and len(days) == 1:
        return WrittenDate(int(years[0]), months[0], int(days[0]), clock)
    if len(days) == 2 and len(numbers[1]) == 2:
        # `3-May-90`, `May 3, 90`: the year is the last number.
        year = _year_or_raise_unusable(numbers[1])
        return WrittenDate(year, months[0], int(numbers[0]), clock)
    if len(days) == 2:
        raise UnusableCell(_SHORT_YEAR)
    if len(days) == 1:
        raise YearlessDate(_NO_YEAR)
    raise UnusableCell(_NO_DAY)


def _month_of_other_language_or_raise(folded: str, word: str) -> int:
    """The month that a word means.

    Raises:
        YearlessDate: if it is the name of several months.
        UnusableCell: if it is none.
    """
    found = months_of_word(folded)
    if not found:
        raise UnusableCell(_NO_DATE_FORM)
    if len(found) > 1:
        raise YearlessDate(gettext("%(word)s is the name of several months") % {"word": word})
    return min(found)


def _to_date_or_raise_unusable(written: WrittenDate) -> date:
    try:
        return date(written.year, written.month, written.day)
    except ValueError:
        raise UnusableCell(_NO_SUCH_DAY) from None


def has_spreadsheet_serial_dates(cells: Iterable[str], today: date) -> bool:
    """Whether numbers of four or five digits in a column are days counted by a spreadsheet.

    They are if the column has other dates, too, or at least MIN_SERIALS such numbers; and if all of
    them are days between FIRST_SERIAL_YEAR and today.
    """
    serial_count = date_count = 0
    for cell in cells:
        if match := _SERIAL.fullmatch(cell.strip()):
            day = FIRST_SERIAL_DAY + timedelta(days=int(match[1]))
            if day.year < FIRST_SERIAL_YEAR or day > today:
                return False
            serial_count += 1
        else:
            date_count += _NUMBERS.match(cell[:MAX_DATE_LENGTH].strip()) is not None
    return serial_count >= MIN_SERIALS or (serial_count > 0 and date_count > 0)


def has_short_years_first(cells: Iterable[str]) -> bool:
    """Whether the dates of a column that have two digits each begin with the year: `85-03-14`.

    They do if one begins with a number that is no day, and all of them are dates that way.
    """
    shows_year = False
    for cell in cells:
        text = _TIME.sub("", " ".join(cell[:MAX_DATE_LENGTH].split()))
        if not (short := _three_short_numbers_or_none(text)):
            continue
        year, month, day = map(int, short)
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return False
        shows_year |= not 1 <= year <= 31
    return shows_year


def _three_short_numbers_or_none(text: str) -> tuple[str, str, str] | None:
    """The numbers of a date such as `85-03-14`, each of two digits but the day and month."""
    match = _NUMBERS.fullmatch(text)
    if not match or len(match[1]) != 2 or len(match[4]) > 2:
        return None
    return match[1], match[3], match[4]


def _build_date_order_refusal(why: str) -> ImportRefused:
    return ImportRefused(
        Question(
            gettext("%(why)s: choose how dates are written") % {"why": why},
            "--dates dmy for 31/12/1990 or --dates mdy for 12/31/1990",
        )
    )


def detect_date_order_or_iso_or_refuse(values: Iterable[str]) -> DateOrder:
    """The order of day and month in a file's dates; ISO if no value shows it.

    Raises:
        ImportRefused: if every date can be read in both orders, or both orders are common.
    """
    day_first = month_first = ambiguous = iso_early = iso_late = 0
    values = list(values)
    is_year_first = has_short_years_first(values)
    for value in values:
        if len(value) > MAX_DATE_LENGTH:
            continue
        text = _TIME.sub("", " ".join(value.split()))
        if is_year_first and _three_short_numbers_or_none(text):
            continue
        if iso := _ISO_DATE.fullmatch(text):
            iso_early += int(iso[3]) <= 12
            iso_late += int(iso[3]) > 12
        match = _NUMBERS.fullmatch(text)
        if match and len(match[1]) < 3:
            first, second, has_dots = int(match[1]), int(match[3]), match[2] == "."
        elif (match := _COMPACT.fullmatch(text)) and int(match[3]) > 12:
            first, second, has_dots = int(match[1]), int(match[2]), False
        else:
            continue
        # Countries that write dots put the day first.
        day_first += (12 < first <= 31 or has_dots) and second <= 12
        month_first += 31 >= second > 12 >= first
        ambiguous += first <= 12 and second <= 12 and first != second and not has_dots
    if 0 < min(day_first, month_first) * DATE_ORDER_MAJORITY > max(day_first, month_first):
        raise _build_date_order_refusal(gettext("the file writes birthdays in both orders"))
    if min(iso_early, day_first) >= MIN_SWAPPED and not (iso_late or ambiguous or month_first):
        # A spreadsheet turned all that it could read by month into dates, and left the others.
        raise ImportRefused(
            gettext(
                "the birthdays are half dates and half text, split at day 12: a spreadsheet has "
                "swapped day and month of the dates; export the list again, with the column as text"
            )
        )
    if ambiguous >= MIN_OUTVOTED and max(day_first, month_first) == 1:
        raise _build_date_order_refusal(
            gettext("one birthday alone shows the order of day and month")
        )
    if ambiguous and not day_first and not month_first:
        raise _build_date_order_refusal(gettext("birthdays such as 3/4/1990 may be March or April"))
    if day_first or month_first:
        return DateOrder.DMY if day_first > month_first else DateOrder.MDY
    return DateOrder.ISO
