"""What the heading of a column means: its words, and what they say together (rules.md#import).

A heading is split into words; each word stands for concepts; rules over the concepts give the
meaning. So `Person - Phone - Mobile`, `mobilePhoneNumber` and `Handy-Nr.` need no entry of their
own. Words are those of English, Greek, German, French, Spanish and Italian.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple


class Meaning(StrEnum):
    """What a column holds by its heading."""

    PHONE = "phone"
    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    FULL_NAME = "full_name"
    NAME = "name"  # "Name", "Nom", "Nombre": the full name, or the half that has no other column
    PERSON = "person"  # "Customer", "Recipient": the cells decide
    EMAIL = "email"
    GENDER = "gender"
    TITLE = "title"  # "Title", "Anrede": a gender if the cells are forms of address
    BIRTHDAY = "birthday"
    COUNTRY = "country"
    SMS = "sms"  # "SMS", "Text": a phone number or an answer, by the cells
    CONSENT = "consent"
    OPT_OUT = "opt_out"
    CONSENT_TIME = "consent_time"
    CONSENT_DETAIL = "consent_detail"  # the source, the reason, the form … of a consent
    OPT_OUT_DETAIL = "opt_out_detail"
    UNCLEAR_CONSENT = "unclear_consent"
    STATUS = "status"  # "Status", "Active": a consent if the cells say subscribed or unsubscribed
    ENDED = "ended"  # "Archived", "Deleted at": who is so may be meant to get no messages
    NUMBER = "number"  # "Number" alone: the cells decide
    OTHER = "other"  # a known thing that no contact has
    UNKNOWN = ""


class Channel(StrEnum):
    """What a consent is about."""

    SMS = "sms"
    ANY = "any"  # marketing in general
    OTHER = "other"  # e-mail, calls, letters: its no counts, its yes says nothing about SMS


class Whose(StrEnum):
    """Who a column may be about."""

    CUSTOMER = "customer"
    RECEIVER = "receiver"  # of a delivery
    DEPENDANT = "dependant"  # a pet or a child


class Heading(NamedTuple):
    """The meaning of a heading; of several columns of one meaning, the lowest rank is preferred.

    `whose` is the person that it may be about, if that is another than the customer.
    """

    meaning: Meaning
    rank: int = 0
    channel: Channel = Channel.ANY
    is_sure: bool = True  # every word is known
    whose: Whose = Whose.CUSTOMER


# The words of each concept, as `canonical_heading_words` writes them.
_CONCEPTS = {
    "phone": (
        "phone phones telephone telephones telephonic tel tele telno telefon telefono telefoni "
        "telefonos telefonnr telefoon τηλ τηλεφωνο τηλεφωνου τηλεφωνα τηλεφωνων τηλεφωνικοσ ph "
        "fon fone rufnummer rufnr msisdn phonenr τηλε telf tfno tlf tfn telefonico telefonica "
        "telefonique telefonisch"
    ),
    "mobile": (
        "mobile mobiles mobil mobill mobiel mob cell cellphone cells cellular cellulare cellulari "
        "cel celular celulares handy handys portable portables port movil moviles κινητο κινητου "
        "κινητα κιν κινητη mobilfunk mobiltelefon gsm natel smartphone mobilnummer"
    ),
    "sms": (
        "sms text texts texting txt textmessage mms ημσ μηνυμα μηνυματα μηνυματων σμσ textos texto"
    ),
    "whatsapp": "whatsapp viber wa",
    "landline": "landline fixed festnetz fixe fijo fisso σταθερο σταθερου land",
    "home": (
        "home house private privat priv domicile domicilio particular casa abitazione οικιασ "
        "οικια σπιτιου σπιτι residence residential evening"
    ),
    "work": (
        "work office business dienst dienstlich buro geschaft geschaftlich arbeit bureau travail "
        "pro professionnel trabajo oficina lavoro ufficio εργασιασ εργασια γραφειου γραφειο job "
        "daytime day"
    ),
    "fax": "fax telefax φαξ pager telex telecopie",
    "company": (
        "sociale social company companies organization organisation firma firmen firm entreprise "
        "societe empresa azienda ditta εταιρεια εταιρειασ εταιρια εταιριασ επιχειρηση επωνυμια "
        "employer unternehmen compania corporate arbeitgeber"
    ),
    "dependant": (
        "kids kid baby pet pets child children son daughter dog dogs cat cats puppy horse animal "
        "animals breed species haustier haustiere hund hunde katze rasse tochter sohn kinder "
        "chien chienne enfant enfants animaux espece mascota mascotas perro gato raza especie "
        "hijo hija hijos nino nina cane gatto animale animali razza specie figlio figlia "
        "bambino bambina bambini κατοικιδιο κατοικιδιου σκυλοσ σκυλου γατα γατασ ρατσα ζωο ζωου "
        "παιδι παιδιου παιδια παιδιων"
    ),
    "other_person": (
        "emergency notfall urgence emergencia emergenza εκτακτησ αναγκησ ice "
        "parent guardian mother father mutter vater madre padre mere pere spouse partner wife "
        "husband kin assistant manager staff agent salesperson rep representative "
        "referrer referee reference referred referral vendor supplier lieferant proveedor "
        "fornitore fournisseur προμηθευτησ μητερα πατερασ συζυγοσ κηδεμονα seller stylist "
        "therapist doctor driver owner sales employee mitarbeiter berater dipendente empleado "
        "courier carrier receptionist instructor trainer teacher school bank "
        "insurance hotel parents guardians tuteur tutor genitore dealer broker"
    ),
    "shop": (
        "store shop branch filiale tienda negozio magasin boutique καταστημα καταστηματοσ "
        "υποκαταστημα location website site web webseite domain url salon outlet pos till kasse"
    ),
    "number": "number numbers no nr num numero numeros nummer nummern αριθμοσ αρ αριθ ν n º",
    "id": (
        "id ids uuid guid ident code codes codice codigo κωδικοσ κωδικου kod key ref identifier "
        "external externalid barcode sku pin identification matricule ext"
    ),
    "person": (
        "ansprechpartner ansprechpartnerin customer customers client clients kunde kunden kundin "
        "cliente clienti clientes πελατησ πελατη πελατων πελατεσ member members mitglied "
        "mitglieder guest guests gast gaste user subscriber patient patients patienten recipient "
        "passenger buyer account person people persons lead shopper attendee συνδρομητησ μελοσ "
        "μελουσ ασθενησ empfanger destinataire destinatario abonnent miembro socio membro ospite "
        "huesped invitato inscrit adherent konto cuenta personne persona teilnehmer student "
        "prospect usuario utente utilisateur benutzer profile card loyalty"
    ),
    "contact": (
        "recapito recapiti contact contacts kontakt kontakte contacto contactos contatto contatti "
        "επαφη επαφησ επικοινωνια επικοινωνιασ contacter contactar contattare kontaktieren"
    ),
    "name": "name names nom noms nombre nombres nome nomi ονομα ονοματα namen naam namn nm",
    "given": "given fore christian forenames vor givenname μικρο baptismal rufname",
    "first": "first 1st erster primer primero primo premier πρωτο",
    "last": (
        "last final letzter letzte letztes letzten ultimo ultima ultimos dernier derniere "
        "τελευταιο τελευταια"
    ),
    "first_name": (
        "firstname forename forenames fname vorname vornamen prenom prenoms voornaam μικροονομα "
        "givenname firstnames imie"
    ),
    "last_name": (
        "lastname lastnames surname surnames lname nachname nachnamen familienname zuname "
        "apellido apellidos cognome cognomi επωνυμο επιθετο επωνυμα sur achternaam nomdefamille "
        "nazwisko"
    ),
    "family": "family familien famille familia famiglia οικογενειακο",
    "full": (
        "nominativo full whole complete completo complet voller vollstandiger display fullname "
        "ονοματεπωνυμο ονοματεπωνυμου displayname"
    ),
    "other_name": (
        "middle nick nickname phonetic yomi maiden suffix suffixes prefix initials initial alias "
        "spitzname surnom apodo soprannome deuxieme segundo secondo second additional mittel "
        "zweiter πατρωνυμο πατροσ υποκοριστικο screen login username file short pronunciation "
        "legal preferred nee geburtsname madchenname"
    ),
    "email": (
        "email emails mail mailaddress courriel correo mel eposta ηλεκτρονικη ηλεκτρονικο ημειλ "
        "ιμειλ μειλ ηλεκτρονικου ταχυδρομειου"
    ),
    "gender": "gender sex sexe sexo sesso genre genero genere geschlecht φυλο φυλον geslacht",
    "title": (
        "titel title titles anrede salutation salutations civilite titre titolo tratamiento "
        "προσφωνηση honorific aanhef courtesy"
    ),
    "birth": (
        "birth born geburt geburts geb geboren gebdat gebdatum naissance naiss nacimiento nac "
        "nacido nacida nascita nasc nato nata γεννησησ γεννηση γεν γενν γεννηθηκε γεννηθεισ "
        "γεννησεωσ geboorte nacim naissances gebursdatum"
    ),
    "birthday": (
        "birthday birthdate birthdays bday bdate dob geburtstag geburtsdatum geburtstage "
        "anniversaire cumpleanos compleanno γενεθλια γενεθλιων dateofbirth birthdatum "
        "geboortedatum ddn verjaardag"
    ),
    "anniversary": (
        "anniversary wedding hochzeit hochzeitstag mariage boda nozze επετειοσ εορτη γιορτη "
        "ονομαστικη nameday onomastico namenstag event"
    ),
    "date": (
        "date dates datum data fecha ημ ημνια ημερομηνια ημερομηνιασ ημερ ημερα time timestamp "
        "datetime zeit zeitpunkt uhrzeit heure hora ora ωρα νια at jour tag giorno dia when since "
        "on le am seit desde depuis dal απο"
    ),
    "country": (
        "country countries land landes laender pays pais paese nazione χωρα χωρασ nation iso "
        "countryiso lander"
    ),
    "calling": (
        "prefix calling dial dialing dialling vorwahl landesvorwahl indicatif prefijo prefisso "
        "landervorwahl κλησησ callingcode"
    ),
    "area": (
        "area ortsvorwahl zone region state province provinz provincia bezirk departement νομοσ "
        "περιφερεια county district canton kanton regione bundesland"
    ),
    "place": (
        "city town stadt ort ville ciudad citta πολη πολησ address addresses adresse adressen "
        "direccion indirizzo διευθυνση διευθυνσησ street strasse str calle rue via οδοσ zip "
        "postcode postal plz postleitzahl cap τκ ταχυδρομικοσ place lieu luogo lugar τοποσ "
        "geburtsort latitude longitude suburb comune poblacion hausnummer address1 address2 "
        "civico wohnort"
    ),
    "billing": (
        "billing bill invoice rechnung rechnungs facturation facturacion fatturazione τιμολογησησ "
        "χρεωσησ default primary main principal haupt principale κυριο hauptkontakt standard "
        "mailing"
    ),
    "shipping": (
        "shipping ship delivery liefer lieferung livraison envio spedizione consegna αποστολησ "
        "παραδοσησ recipientphone"
    ),
    "secondary": (
        "secondary alternate alternative alt other another zweit weitere autre otro altro αλλο "
        "δευτερο εναλλακτικο extra backup secundario secondario secondaire andere sonstige"
    ),
    "label": (
        "label labels type types typ art kind tipo τυποσ category categorie kategorie extension "
        "verified validated valid provider operator carrier network brand model os count counts "
        "counter format verification"
    ),
    "value": "value wert valor valore valeur field custom attribute urn property crm merge tag",
    "optin": (
        "erwunscht gewunscht akzeptiert optin optins optedin consent consents consented "
        "consenting accept accepts accepted acceptance accepting agree agrees agreed agreement "
        "allow allows allowed permission permissions permit permitted approve approved approval "
        "subscribed subscribe subscribes subscriptions subscription optinstatus authorized "
        "authorised authorization einwilligung einwilligungen zustimmung zugestimmt "
        "einverstandnis einverstanden erlaubt erlaubnis genehmigt angemeldet abonniert "
        "eingewilligt consentement accepte accepter acceptation acceptee autorise autorisation "
        "autorisee abonne abonnee abonnes abonnement inscription consentimiento acepta aceptado "
        "aceptacion aceptar suscrito suscrita suscripcion permiso autoriza autorizado "
        "autorizacion consenso consensi accetta accettato accettazione iscritto iscritta "
        "iscrizione autorizza autorizzato autorizzazione συγκαταθεση συγκαταθεσησ συναινεση "
        "συναινεσησ συναινει αποδοχη αποδεχεται αποδεχομαι εγγεγραμμενοσ εγγεγραμμενη συμφωνει "
        "συμφωνω συμφωνια επιτρεπει επιτρεπεται εγκριση αδεια willing ok okay bestatigt permite "
        "consente consiente toestemming "
        "accord accordo"
    ),
    "enable": "enable enabled enables active activated actif activo attivo aktiv ενεργο",
    "ended": (
        "banned archived suspended deleted inactive disabled deactivated deceased archiviert "
        "geloscht inaktiv deaktiviert verstorben archive supprime inactif desactive suspendu "
        "decede archivado eliminado inactivo desactivado suspendido fallecido archiviato "
        "eliminato inattivo disattivato sospeso deceduto αρχειοθετημενοσ ανενεργοσ "
        "απενεργοποιημενοσ αποβιωσασ"
    ),
    "optout": (
        "optout optouts optedout unsubscribed unsubscribe unsubscribes unsubscription unsub "
        "unsubs donot dont dnd dnc dnm dnt stop stopped stopp block blocked blocks blacklist "
        "blacklisted blocklist blocklisted suppressed suppression suppress exclude excluded "
        "exclusion refuse refused refuses decline declined declines withdrawn withdrawal withdraw "
        "revoked revoke objection objected objects removed removal deregistered donotcontact "
        "abgemeldet abmeldung abgelehnt ablehnung ausgetragen abbestellt werbesperre sperre "
        "gesperrt sperrvermerk widerspruch widerrufen widerruf widersprochen werbewiderspruch "
        "austragung desabonne desabonnee desabonnes desabonnement desinscrit desinscrite "
        "desinscription refus opposition oppose bloque bloquee retrait baja bajas bloqueado "
        "bloqueada rechaza rechazado rechazo desuscrito desuscripcion revocado revocacion "
        "disiscritto disiscritta disiscrizione cancellato cancellazione revoca revocato revocata "
        "rifiuta rifiutato rifiuto bloccato bloccata opposizione διαγραφη διαγραφησ διεγραμμενοσ "
        "διεγραμμενη διαγραφηκε διαγραμμενοσ απεγγραφη απεγγραφησ αποκλεισμοσ αποκλεισμενοσ "
        "εξαιρεση αρνηση αρνειται αρνηθηκε ανακληση ανακλησησ αποχωρηση αντιρρηση στοπ robinson "
        "afgemeld uitgeschreven optedoutof quit"
    ),
    "not": (
        "not never kein keine keinen nicht ohne without μη μην δεν οχι χωρισ pas sans sin senza "
        "nessun ningun aucun aucune non ni nein cannot"
    ),
    "topic": (
        "empfang empfangen erhalten versand recevoir recibir ricevere δεχεται δεχομαι λαμβανει "
        "comunicaciones comunicazioni kommunikation communication communications messages message "
        "messaging receive receives ενημερωση ενημερωσεισ"
    ),
    "advertising": (
        "comerciales commerciali commerciales marketing advertising advertisement ads promo promos "
        "promotion promotions promotional offers campaign campaigns werbung werbe reklame angebote "
        "publicite pub publicidad promociones promocional pubblicita promozioni promozionale "
        "offerte διαφημιση διαφημισεισ διαφημιστικα προωθητικα προωθηση προσφορεσ μαρκετινγκ"
    ),
    "service": (
        "reminder reminders notification notifications alert alerts updates erinnerung "
        "erinnerungen rappel rappels recordatorio recordatorios promemoria υπενθυμιση "
        "υπενθυμισεισ transactional transaktional transactionnel transactionnels transaccional "
        "transaccionales transazionale transazionali"
    ),
    "program": (
        "loyalty card cards karte carte tarjeta tessera treue fidelite fidelidad fedelta καρτα"
    ),
    "privacy": (
        "datenschutzerklarung trattamento traitement dati datos donnees δεδομενων gdpr dsgvo rgpd "
        "privacy datenschutz terms tos conditions cookie cookies datenverarbeitung processing"
    ),
    "newsletter": (
        "newsletter newsletters mailinglist rundbrief boletin ενημερωτικο ενημερωτικα "
        "ενημερωτικων bulletin infolettre mailings"
    ),
    "call": (
        "call calls calling anruf anrufe appel appels llamada llamadas chiamata chiamate κλησεισ "
        "phonecall"
    ),
    "post": "post postal letter letters brief briefe push letra lettre lettera ταχυδρομικα",
    "status": "status state statut estado stato κατασταση zustand stand στατουσ",
    "detail": (
        "source ip method reason form url version page campaignname by via channel comment quelle "
        "grund origine origen origem motivo motif raison λογοσ πηγη language sprache name "
        "ipaddress useragent methode metodo mode"
    ),
    "glue": (
        "kennzeichen kz indicator from all information bulk personnel personale souhaite desea "
        "desidera επιθυμει αποστολη of de di da du del della des der die das den dem do the to "
        "f for per pour par para por a al la le les el los las lo il i gli un une uno una und and "
        "et y e ed και in im ins von vom zu zum zur mit with your our my we s d l st est is are "
        "was has have been will can may wants want wunscht vuole θελει του τησ των τα το η ο σε "
        "για με στο στα τον την από or oder ou o u if any please enter flag yes ja si ναι nein "
        "double single confirmed current currently alle todos us me you format dd mm yyyy yy jj "
        "jjjj tt mmm aaaa aa gg ηη εε εεεε μμ list liste required optional market disturb confirm "
        "latest personal personlich eg zb wann new their his her user's"
    ),
    "other": (
        "note notes notiz notizen bemerkung bemerkungen anmerkung comment comments kommentar "
        "remarque nota notas memo description beschreibung σημειωσεισ σημειωση σχολια "
        "παρατηρησεισ created creation updated modified added registered registration signup "
        "joined join visit visits visited purchase purchases bought order orders ordered spent "
        "spend total totals amount balance points price revenue add sum avg average qty quantity "
        "payment paid invoice erstellt angelegt geandert registriert hinzugefugt letzter besuch "
        "kauf umsatz bestellung bestellungen punkte saldo betrag summe cree creee modifie ajoute "
        "visite achat commande commandes montant solde creado creada modificado agregado alta "
        "visita compra pedido pedidos importe puntos creato creata modificato aggiunto acquisto "
        "ordine ordini importo punti δημιουργια δημιουργιασ εγγραφη εγγραφησ ενημερωθηκε επισκεψη "
        "επισκεψησ αγορα αγορασ παραγγελια παραγγελιεσ υπολοιπο ποσο συνολο ποντοι ιδιοτητα tax "
        "vat ust ustid iban bic swift αφμ αμκα δου αδτ afm amka ssn nif dni cif siret siren "
        "fiscale partita piva passport passnummer steuernummer tva iva mwst tags group groups "
        "gruppe groupe grupo gruppo ομαδα language lang locale sprache langue idioma lingua "
        "γλωσσα currency wahrung timezone photo picture image twitter facebook instagram linkedin "
        "telegram skype age alter edad eta ηλικια occupation department position role beruf "
        "profession profesion professione επαγγελμα website inactive exempt priority sensitivity "
        "hobby mileage subject directory server billinginformation membership rating score "
        "segment stage lifecycle industry last4 opens clicks open opened clicked sent delivered "
        "delivery bounce bounced sends booking bookings appointment appointments service services "
        "treatment treatments termin termine plan tier level size colour color product products "
        "item items discount coupon gift voucher gutschein credit credits debit limit debt owed "
        "vip blockedby transaction transactions lifetime sessions deleted seen activity "
        "engagement euid leid jahr year years month months birthyear birthmonth monat annee ano "
        "anno ετοσ μηνασ mese mes"
    ),
}
_WORDS: dict[str, set[str]] = {}
for _concept, _words in _CONCEPTS.items():
    for _word in _words.replace("ς", "σ").split():
        _WORDS.setdefault(_word, set()).add(_concept)
for _word_concepts in _WORDS.values():
    if "advertising" in _word_concepts:
        _word_concepts.add("topic")
_LONG_WORDS = [word for word in _WORDS if len(word) >= 5]
_LONG_WORDS_BY_ENDS: dict[tuple[str, str], list[str]] = {}
for _word in _LONG_WORDS:
    _LONG_WORDS_BY_ENDS.setdefault((_word[0], _word[-1]), []).append(_word)
_WORD_BY_LETTERS = {"".join(sorted(word)): word for word in _LONG_WORDS}
# Words that may stand within a compound such as `kundennummer` or `dateofbirth`.
_COMPOUND_PARTS = {word for word in _WORDS if len(word) >= 3} | {"no", "nr", "id", "of", "de", "di"}
_LINKING_LETTERS = ("", "s", "n", "es", "en")
_MIN_COMPOUND_LENGTH = 6
_FUZZY_MIN_RATIO = 0.86

# Words that mean one thing together, and the word that stands for them.
_PHRASES = {
    tuple(phrase.split()): word
    for word, phrases in {
        "email": "e mail, e mails",
        "optout": "opt out, opted out, opts out, opting out, out opt",
        "optin": "opt in, opted in, opts in, opt ins",
        "donot": "do not, don t, does not, must not",
        "signup": "sign up, signed up",
        "sms": "text message, text messages",
        "birthdate": "ne le, ne e le, nee le, data nascita",
        "cellphone": "cell phone",
        "landline": "land line, fixed line",
        "whatsapp": "whats app",
        "birthday": "birth day, b day",
        "newsletter": "mailing list",
        "username": "user name",
        "date": "data di, data de",
        "zip": "zip code, postal code",
        "postcode": "post code",
        "optin optout": "opt in out",
        "post": "per post",
        "nameday": "name day",
        "area": "state region",
        "baja": "dado de baja",
        "title": "name prefix",
    }.items()
    for phrase in phrases.split(", ")
}
_PHRASE_WORDS = frozenset(word for phrase in _PHRASES for word in phrase)
_COMPOUND_PARTS |= {word for word in _PHRASE_WORDS if len(word) >= 3}
_CAMEL_CASE = re.compile(r"(?<=[a-zα-ω])(?=[A-ZΑ-Ω])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")


def fold_case_and_accents(text: str) -> str:
    """The text in lower case, without accents, with compatible forms of letters made plain."""
    text = text.lower().replace("ß", "ss").replace("ς", "σ").replace("ø", "o").replace("æ", "ae")
    return _without_accents(text).replace("ς", "σ")


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


@lru_cache(maxsize=10_000)
def canonical_heading_words(text: str) -> tuple[str, ...]:
    """The words of a heading, folded: `mobilePhone_No.1` gives mobile, phone, no, 1."""
    words: list[str] = []
    for word in _WORD.findall(_without_accents(text.replace("№", "No"))):
        words += _split_word(word)
    joined: list[str] = []
    letters = ""
    for word in [*words, ""]:  # D.O.B. is one word
        if len(word) == 1 and not word.isdigit():
            letters += word
            continue
        if letters in _WORDS or len(letters) > 2:
            joined.append(letters)
        else:
            joined += letters
        letters = ""
        if word:
            joined.append(word)
    result: list[str] = []
    at = 0
    while at < len(joined):
        for length in (3, 2):
            phrase = _PHRASES.get(tuple(joined[at : at + length]))
            if phrase:
                result += phrase.split()
                at += length
                break
        else:
            result += _split_or_correct_word(joined[at])
            at += 1
    return tuple(result)


def _split_word(word: str) -> Sequence[str]:
    """What a word is made of, folded: `landLine` is known, `phoneNo` has capitals, `smsopt` not."""
    whole, parts = (
        fold_case_and_accents(word),
        fold_case_and_accents(_CAMEL_CASE.sub(" ", word)).split(),
    )
    if whole in _WORDS or whole in _PHRASE_WORDS:
        return [whole]
    if len(parts) > 1 and all(map(_is_known, parts)):
        return parts
    return _compound_parts(whole) or parts


def _is_known(word: str) -> bool:
    return word in _WORDS or word in _PHRASE_WORDS or bool(_compound_parts(word))


@lru_cache(maxsize=10_000)
def _split_or_correct_word(word: str) -> tuple[str, ...]:
    """The word if it is known, else its known parts, else the word it is a misspelling of."""
    if word in _WORDS or len(word) < _MIN_COMPOUND_LENGTH or word.isdigit():
        return (word,)
    if parts := _compound_parts(word):
        return parts
    if swapped := _WORD_BY_LETTERS.get("".join(sorted(word))):
        return (swapped,)
    # The first letter must be right: `desubscribed` is not `subscribed`.
    similar = [
        known
        for known in _LONG_WORDS_BY_ENDS.get((word[0], word[-1]), ())
        if abs(len(known) - len(word)) <= 2
    ]
    close = get_close_matches(word, similar, 1, _FUZZY_MIN_RATIO)
    return (close[0] if close else word,)


def _compound_parts(word: str) -> tuple[str, ...]:
    """The fewest known words that make up a compound; nothing if there are none."""
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(2, len(word) + 1):
        for start in range(end):
            before = best[start]
            if before is None:
                continue
            for link in _LINKING_LETTERS if start else ("",):
                part = word[start + len(link) : end]
                if not word.startswith(link, start) or part not in _COMPOUND_PARTS:
                    continue
                current = best[end]
                if current is None or len(before) + 1 < len(current):
                    best[end] = (*before, part)
    return best[-1] or ()


@lru_cache(maxsize=10_000)
def read_heading(text: str) -> Heading:
    """The meaning of a heading.

    Args:
        text: the heading as it stands in the file.
    """
    words = canonical_heading_words(text)
    without_answers = _without_yes_no_pair(words)
    asks = without_answers != words
    words = without_answers
    concepts: set[str] = set()
    unknown = 0
    for word in words:
        known = _WORDS.get(word, set())
        concepts |= known
        unknown += not known and not word.isdigit()
    if not words:
        return Heading(Meaning.UNCLEAR_CONSENT if asks else Meaning.UNKNOWN)
    consent = _read_consent_heading(words, concepts, is_sure=not unknown)
    if consent:
        return consent
    meaning = _meaning_of_non_consent_heading(words, concepts)
    if asks and meaning == Meaning.EMAIL:
        return Heading(Meaning.CONSENT, 0, Channel.OTHER, is_sure=not unknown)
    rank = (
        _phone_rank_penalty(words, concepts)
        if meaning == Meaning.PHONE
        else _rank_penalty(words, concepts)
    )
    whose = Whose.CUSTOMER
    if "dependant" in concepts:
        whose = Whose.DEPENDANT
    elif "shipping" in concepts:
        whose = Whose.RECEIVER
    if unknown and meaning in _NEEDS_KNOWN_WORDS:
        return Heading(Meaning.OTHER, is_sure=False, whose=whose)  # such as `Pony name`
    if meaning != Meaning.UNKNOWN and unknown:
        rank += 100
    return Heading(meaning, rank, is_sure=not unknown, whose=whose)


_ANSWER_PAIRS = (
    "yes no, ναι οχι, ja nein, oui non, si no, y n, j n, o n, s n, ν ο, ν χ, true false, "
    "wahr falsch"
)
_YES_AND_NO = frozenset(frozenset(pair.split()) for pair in _ANSWER_PAIRS.split(", "))
_OR = frozenset(["or", "η", "oder", "ou", "o"])


def _without_yes_no_pair(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words without the answers that a heading offers: `SMS (yes/no)`, `ναι ή όχι`."""
    for at in range(len(words) - 1):
        for length in (3, 2):
            part = words[at : at + length]
            pair = frozenset((part[0], part[-1]))
            if pair in _YES_AND_NO and (length == 2 or (len(part) == 3 and part[1] in _OR)):
                return words[:at] + words[at + length :]
    return words


_NEEDS_KNOWN_WORDS = frozenset(
    {Meaning.FIRST_NAME, Meaning.LAST_NAME, Meaning.FULL_NAME, Meaning.NAME, Meaning.BIRTHDAY}
)


def _meaning_of_non_consent_heading(words: Sequence[str], concepts: set[str]) -> Meaning:  # noqa: C901 - a table
    """The meaning of a heading that does not speak of consent; the first rule that fits."""
    strange = concepts & {"company", "other_person", "dependant", "fax"}
    if concepts & {"phone", "mobile", "whatsapp"} or concepts >= {"contact", "number"}:
        if concepts & {"country", "calling"} and not concepts & {"area"}:
            return Meaning.COUNTRY
        if (
            strange
            or concepts
            & {"label", "status", "other", "area", "anniversary", "shop", "detail"} - {"detail"}
            or (concepts & {"date", "last"} and "number" not in concepts and "work" not in concepts)
            or (concepts & {"id"} and "number" not in concepts)
        ):
            return Meaning.OTHER
        return Meaning.PHONE
    if "sms" in concepts:
        if "number" in concepts and "no" not in words:
            return Meaning.PHONE
        return (
            Meaning.SMS
            if not concepts & {"other", "date", "id", "label", "detail"}
            else Meaning.OTHER
        )
    if concepts & {"birthday"} or "birth" in concepts:
        others = concepts & {
            "place",
            "country",
            "area",
            "name",
            "other",
            "label",
            "anniversary",
            "id",
            "topic",
        }
        if strange or others - ({"anniversary"} if "anniversaire" in words else set()):
            return Meaning.OTHER
        return Meaning.BIRTHDAY
    if "email" in concepts:
        if strange or concepts & {
            "label",
            "status",
            "other",
            "last",
            "id",
            "detail",
            "date",
        } - _date_if_only_from_prepositions(words):
            return Meaning.OTHER
        return Meaning.EMAIL
    if "gender" in concepts:
        return Meaning.OTHER if strange or concepts & {"label"} else Meaning.GENDER
    if "title" in concepts:
        if strange or concepts & {"other", "work", "shop", "id"}:
            return Meaning.OTHER
        return Meaning.TITLE
    if strange or concepts & {"shop", "anniversary"}:
        return Meaning.OTHER
    return _meaning_of_name_or_other_heading(words, concepts)


def _date_if_only_from_prepositions(words: Sequence[str]) -> set[str]:
    """Whether `date` comes from a small word such as `at` or `on` only."""
    return {"date"} if not set(words) & set(_DATE_WORDS) else set()


_DATE_WORDS = frozenset(_CONCEPTS["date"].split()) - {
    "at",
    "on",
    "le",
    "am",
    "since",
    "seit",
    "desde",
    "tag",
}


def _meaning_of_name_or_other_heading(words: Sequence[str], concepts: set[str]) -> Meaning:  # noqa: C901 - a table
    is_first = bool(
        concepts & {"first_name"} or (concepts & {"given", "first"} and "name" in concepts)
    )
    is_last = bool(
        concepts & {"last_name"} or (concepts & {"last", "family"} and "name" in concepts)
    )
    if concepts & {"first_name", "last_name", "name", "full"}:
        if concepts & {
            "other",
            "place",
            "label",
            "country",
            "date",
        } - _date_if_only_from_prepositions(words):
            return Meaning.OTHER
        if "id" in concepts or (concepts & {"other_name"} and not is_first) or concepts & {"area"}:
            return Meaning.OTHER
        if "other_name" in concepts:
            return Meaning.OTHER
        if is_last and (is_first or "given" in concepts or _names_first_and_last_name(words)):
            return Meaning.FULL_NAME
        if is_first and _names_first_and_last_name(words):
            return Meaning.FULL_NAME
        if is_first:
            return Meaning.FIRST_NAME
        if is_last:
            return Meaning.LAST_NAME
        if "number" in concepts or {"list", "liste", "lista", "tag"} & set(words):
            return Meaning.OTHER
        if "full" in concepts:
            return Meaning.FULL_NAME
        return Meaning.NAME
    if len(words) == 1 and "first" in concepts:
        return Meaning.FIRST_NAME
    if len(words) == 1 and concepts & {"last", "family"}:
        return Meaning.LAST_NAME
    if "given" in concepts and not concepts - {"given", "glue"}:
        return Meaning.FULL_NAME if "family" in concepts else Meaning.FIRST_NAME
    if concepts & {"country", "calling"}:
        is_part = concepts & {"area"} and "country" not in _WORDS.get(words[0], ())
        if is_part or concepts & {"other", "other_name", "label"}:
            return Meaning.OTHER
        return Meaning.COUNTRY
    if concepts & {"person", "contact"} and not concepts - {"person", "contact", "glue", "billing"}:
        return Meaning.PERSON
    if concepts & {"status", "enable"} and not concepts - _OF_STATUS:
        return Meaning.STATUS
    if "ended" in concepts and all(
        _WORDS.get(word, set()) & (_OF_STATUS | {"ended", "date"}) for word in words
    ):
        return Meaning.ENDED
    if concepts == {"number"} or concepts == {"number", "glue"}:
        return Meaning.NUMBER
    if concepts - {"glue", "detail"}:
        return Meaning.OTHER
    return Meaning.UNKNOWN


_OF_STATUS = {"status", "enable", "person", "contact", "glue"}


def _names_first_and_last_name(words: Sequence[str]) -> bool:
    """Whether the heading names both parts of a name: `Name, Vorname`, `Apellidos y nombre`."""
    parts = [
        word for word in words if _WORDS.get(word, set()) & {"name", "first_name", "last_name"}
    ]
    if len(parts) < 2:
        return False
    # `Nom de famille` and `Prénom nom`: a plain name beside a first or a last name is the other one
    # unless it belongs to it, as in `first name`.
    return not {"first", "last", "given", "family"} & {c for w in words for c in _WORDS.get(w, ())}


def _rank_penalty(words: Sequence[str], concepts: set[str]) -> int:
    rank = 0
    numbers = [int(word) for word in words if word.isdigit()][:1]
    if numbers and numbers[0] != 1:
        rank += 10
    if concepts & {"shipping", "secondary"}:
        rank += 40
    if "place" in concepts and "email" not in concepts:
        rank += 20
    if "billing" in concepts:
        rank += 5
    if "label" in concepts:
        rank += 50
    return rank


def _phone_rank_penalty(words: Sequence[str], concepts: set[str]) -> int:
    """Mobile before general, before those of a place, before those that receive no SMS."""
    rank = _rank_penalty(words, concepts)
    if concepts & {"sms"}:
        return rank
    if "mobile" in concepts:
        return rank + 1
    if concepts & {"landline"}:
        return rank + 400
    if concepts & {"work"}:
        return rank + 300
    if concepts & {"home"}:
        return rank + 200
    return rank + (60 if "whatsapp" in concepts else 100)


_BY = frozenset(["by", "via", "per", "par", "por", "μεσω", "με", "mit"])
_MEANS = frozenset({"sms", "email", "post", "call", "phone", "whatsapp"})
# Alone, these may approve an account, an address or a treatment.
_APPROVALS = (
    "approved approve approval authorized authorised authorization bestatigt genehmigt autorise "
    "autorisee autorizado autorizzato permitted allowed inscription abonnement subscription"
)
_ANY_APPROVAL = frozenset(_APPROVALS.split())


def _read_consent_heading(  # noqa: C901 - a table of rules
    words: Sequence[str], concepts: set[str], *, is_sure: bool
) -> Heading | None:
    """What a heading says of consent; None if it does not speak of it."""
    negative = "optout" in concepts or _negates(words)
    positive = "optin" in concepts or bool(
        concepts & {"enable"} and concepts & {"sms", "topic", "newsletter"}
    )
    if "contact" in concepts and set(words) & _BY and concepts & _MEANS:
        positive = True  # `Contact by SMS`
    if not (positive or negative) and "privacy" in concepts and not concepts & {"date", "id"}:
        return Heading(Meaning.UNCLEAR_CONSENT, channel=Channel.OTHER)
    if positive and len(words) == 1 and words[0] in _ANY_APPROVAL:
        return Heading(Meaning.UNCLEAR_CONSENT)
    topical = bool(concepts & {"topic", "newsletter"}) or {"sms", "service"} <= concepts
    if "sms" in concepts and "status" in concepts:
        topical = True
    if "email" in concepts and "status" in concepts and not concepts & {"other", "label"}:
        topical = True
    if not (negative or positive or topical):
        return None
    if not (negative or positive) and concepts & {
        "other",
        "id",
        "place",
        "name",
        "number",
        "date",
        "last",
        "label",
    }:
        return Heading(Meaning.OTHER)
    if concepts & {"company", "other_person", "dependant"} and not (negative or positive):
        return Heading(Meaning.OTHER)
    channel = _channel(concepts)
    if (
        "number" in concepts
        and "optout" not in concepts
        and not negative
        and concepts & {"phone", "mobile", "sms"}
    ):
        return None  # `SMS opt-in number` is a phone number
    if "other" in concepts and set(words) & set(_EVENT_WORDS):
        return Heading(Meaning.OTHER)
    is_sure = is_sure and "other" not in concepts
    has_time = bool(set(words) & set(_DATE_WORDS | {"at", "on", "since", "seit", "desde"}))
    # `by SMS` names the channel, `by whom` the person.
    detail = _WORDS_OF_DETAIL & set(words) and not (
        set(words) & {"by", "via"} and channel != Channel.ANY
    )
    if (
        negative
        and positive
        and "optout" in concepts
        and ("optin" in words or "subscribed" in words)
    ):
        return Heading(Meaning.UNCLEAR_CONSENT, channel=channel)
    if "optout" in concepts and any(
        "not" in _WORDS.get(word, ()) or word == "no" for word in words
    ):
        return Heading(Meaning.UNCLEAR_CONSENT, channel=channel)  # `not unsubscribed`
    if negative:
        meaning = Meaning.OPT_OUT_DETAIL if detail and not has_time else Meaning.OPT_OUT
    elif has_time:
        meaning = Meaning.CONSENT_TIME
    elif detail or concepts & {"id", "label"}:
        meaning = Meaning.CONSENT_DETAIL
    else:
        meaning = Meaning.CONSENT
    return Heading(meaning, 0, channel, is_sure)


_WORDS_OF_DETAIL = frozenset(
    [
        "source",
        "ip",
        "method",
        "reason",
        "form",
        "url",
        "version",
        "page",
        "by",
        "via",
        "comment",
        "quelle",
        "grund",
        "origine",
        "origen",
        "motivo",
        "motif",
        "raison",
        "λογος",
        "πηγη",
        "useragent",
        "methode",
        "metodo",
    ]
)
_EVENT_WORDS = frozenset(
    ["sent", "delivered", "opened", "clicked", "opens", "clicks", "bounced", "sends", "open"]
)


def _negates(words: Sequence[str]) -> bool:
    """Whether a word such as `no` stands before what it negates: `no marketing`, not `SMS no`."""
    for at, word in enumerate(words):
        after = {concept for later in words[at + 1 :] for concept in _WORDS.get(later, ())}
        if word == "no" and after & {
            "optin",
            "topic",
            "newsletter",
            "sms",
            "email",
            "call",
            "post",
        }:
            return True
        if "not" in _WORDS.get(word, ()):
            if after & {"optin", "topic", "newsletter", "sms", "email", "call", "contact"}:
                return True
            before = {concept for w in words[:at] for concept in _WORDS.get(w, ())}
            if before & {"optin", "topic", "newsletter"} or before & {"sms"}:
                return True
    return False


def _channel(concepts: set[str]) -> Channel:
    if "service" in concepts and "advertising" not in concepts:
        return Channel.OTHER  # a yes to reminders is none to marketing
    if "sms" in concepts:
        return Channel.SMS
    if concepts & {"email", "newsletter", "post", "call", "privacy", "whatsapp", "phone"}:
        return Channel.OTHER
    return Channel.ANY


_SPLIT = re.compile(r"[^\W_]+")
_CLEAR_NO = frozenset(
    [
        "optout",
        "optedout",
        "unsubscribed",
        "unsubscribe",
        "unsub",
        "notsubscribed",
        "nonsubscribed",
        "neversubscribed",
        "donotcontact",
        "donottext",
        "donotsms",
        "abgemeldet",
        "werbesperre",
        "werbewiderspruch",
        "abbestellt",
        "desabonne",
        "desabonnee",
        "desinscrit",
        "desinscrite",
        "desuscrito",
        "disiscritto",
        "disiscritta",
        "απεγγραφη",
        "διεγραμμενοσ",
        "διεγραμμενη",
        "dnc",
        "blacklisted",
    ]
)


_NEGATING_WORDS = (
    {"stop", "no", "dont", "don"}
    | {word for word, concepts in _WORDS.items() if "not" in concepts}
    # `Opt out` may be two words.
    | {word[:end] for word in _CLEAR_NO for end in range(2, len(word) + 1)}
)


@lru_cache(maxsize=10_000)
def _may_say_no(word: str) -> bool:
    """Whether a cell with this word may say no; most words of addresses and notes do not."""
    words = _SPLIT.findall(fold_case_and_accents(word.replace("_", " ")))
    return not _NEGATING_WORDS.isdisjoint(words)


# What somebody may say no to, beside SMS, newsletters and contact.
_UNWANTED_WORDS = (
    "marketing werbung publicite publicidad pubblicita send sending message messages messaging "
    "senden schicken schreiben envoyer ecrire enviar escribir inviare mandare scrivere στελνετε "
    "στειλετε στελνουμε στειλουμε στελνω"
)
_UNWANTED = frozenset(_UNWANTED_WORDS.split())


def cell_refuses_messages(text: str) -> bool:
    """Whether a cell of any column says that somebody wants no messages: `no SMS`, `unsubscribed`.

    Args:
        text: the cell.
    """
    if not any(_may_say_no(word) for word in text.split() if not word.isdigit()):
        return False
    words = _SPLIT.findall(fold_case_and_accents(text.replace("_", " ")))
    joined = {first + second for first, second in pairwise(words)}
    if _CLEAR_NO & ({*words} | joined):
        return True
    if words == ["stop"]:
        return True
    for at, word in enumerate(words):
        if word in ("no", "dont", "don") or "not" in _WORDS.get(word, ()):
            after = words[at + 1 : at + 4]
            concepts = {concept for later in after for concept in _WORDS.get(later, ())}
            if concepts & {"sms", "newsletter", "contact"} or not _UNWANTED.isdisjoint(after):
                return True
    return False
