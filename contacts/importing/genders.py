"""Reading genders and salutations, in six languages and words of some others."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext

from contacts.importing.cells import UnusableCell, fold_to_alphanumeric
from contacts.models import Gender

GENDER_WORDS = {
    Gender.MALE: "male man men boy mr sir mister gentleman masc ανδρας αντρας αρρεν αρσενικο αγορι "
    "κοσ κυριοσ herr mann mannl mannlich monsieur homme masculin garcon hombre masculino varon sr "
    "senor don uomo maschio maschile signore signor sig dhr meneer heer "
    "mezczyzna homem barbat erkek muz",
    Gender.FEMALE: "female woman women girl mrs ms miss madam lady fem γυναικα θηλυ θηλυκο κοριτσι "
    "κα κυρια δις δεσποινις frau weibl weiblich fraulein madame mme mlle mademoiselle femme "
    "feminin mujer femenino sra srta senora senorita dona donna femmina femminile signora sigra "
    "signorina vrouw vrouwelijk mevr mevrouw mw dame kobieta mulher feminino femeie "
    "kadin kadın zena",
    Gender.OTHER: "other diverse divers div nonbinary enby mx autre otro altro αλλο "
    "anders genderqueer genderfluid x o",
    Gender.PREFER_NOT_TO_SAY: "prefernottosay prefernottoanswer prefernottodisclose "
    "unknown unspecified notspecified undisclosed notdisclosed notknown unbekannt keineangabe "
    "inconnu nonprecise desconocido sconosciuto nonspecificato αγνωστο na",
}
# Letters that mean the same in every language in which they are used.
_LETTERS = {
    Gender.MALE: "h u α",
    Gender.FEMALE: "f w θ γ",
}
# Words and headings that show the language of a column whose letters differ between languages.
_LANGUAGE_WORDS = {
    "es": "sexo genero hombre mujer varon masculino femenino senor senora sr sra otro",
    "nl": "geslacht vrouw meneer mevrouw vrouwelijk mannelijk aanhef",
    "de": "geschlecht anrede herr frau weiblich mannlich divers",
    "it": "sesso genere uomo donna maschio femmina maschile femminile",
}


def _gender_by_folded_word(words_by_gender: dict[Gender, str]) -> dict[str, str]:
    return {
        fold_to_alphanumeric(word): gender.value
        for gender, words in words_by_gender.items()
        for word in words.split()
    }


_GENDER_BY_WORD = _gender_by_folded_word(GENDER_WORDS) | _gender_by_folded_word(_LETTERS)


class GenderColumn:
    """Reads the cells of one column; its heading and other cells decide what M, V and D mean."""

    def __init__(self, heading: str, sample: Iterable[str]) -> None:
        words = {fold_to_alphanumeric(cell[:40]) for cell in sample}
        shown = words | {fold_to_alphanumeric(heading)}
        languages = {
            language
            for language, names in _LANGUAGE_WORDS.items()
            if shown & set(map(fold_to_alphanumeric, names.split()))
        }
        is_spanish, is_dutch = languages == {"es"}, languages == {"nl"}
        self.genders: dict[str, str | None] = dict(_GENDER_BY_WORD)
        self.genders["v"] = (
            Gender.MALE.value if is_spanish else Gender.FEMALE.value if is_dutch else None
        )
        self.genders["m"] = Gender.MALE.value
        if not words & {"f", "w"} and (words & {"h"} or is_spanish):
            # H and M, V and M: hombre, varón and mujer. M alone may be either.
            pairs_with_male = words & {"h", "v"}
            self.genders["m"] = Gender.FEMALE.value if pairs_with_male else None
        if words & {"w"} or languages == {"de"}:
            self.genders["d"] = Gender.OTHER.value
        elif words & {"u"} or languages == {"it"}:
            self.genders["d"] = Gender.FEMALE.value
        # Most cells are as they stand here, and need not be folded.
        self.genders |= {
            written: gender
            for word, gender in self.genders.items()
            for written in (word.upper(), word.capitalize())
        }

    def parse_or_raise_unusable(self, text: str) -> str | None:
        """The gender, a value of Gender; None for an empty cell.

        Raises:
            UnusableCell: if the word is not known, or its letter may mean two genders.
        """
        word = fold_to_alphanumeric(text)
        if not word:
            return None
        gender = self.genders.get(word)
        if gender is None:
            raise UnusableCell(gettext("not a known gender: male, female, other"))
        return gender
