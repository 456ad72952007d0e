"""The words of headings: what each stands for, in six languages, and how it may be written.

What a heading means by its words is decided in `headings.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache

from contacts.importing.consent_words import REFUSED, WITHDRAWN
from contacts.importing.other_languages import REFUSED_BEGINNINGS

# The words of each concept, as `canonical_heading_words` writes them.
CONCEPTS = {
    "phone": (
        "phone phones telephone telephones telephonic tel tele telno telefon telefono telefoni "
        "telefonos telefonnr telefoon τηλ τηλεφωνο τηλεφωνου τηλεφωνα τηλεφωνων τηλεφωνικοσ ph "
        "puhelin puhelinnumero телефон telefonas talrunis telefonu telefonni telefonszam fon fone "
        "rufnummer rufnr msisdn phonenr τηλε telf tfno tlf tfn telefonico telefonica telefonique "
        "telefonisch "
        "电话 電話 电话号码 電話番号 電話號碼 전화 전화번호 연락처 טלפון הטלפון هاتف الهاتف "
        "telepon talrunis "
        "телефони телефону հեռախոս"
    ),
    "mobile": (
        "mobile mobiles mobil mobill mobiel mob cell cellphone cells cellular cellulare cellulari "
        "cel celular celulares handy handys portable portables port movil moviles κινητο κινητου "
        "κινητα κιν κινητη mobilfunk mobiltelefon gsm natel smartphone mobilnummer "
        "telemovel komorka komorkowy mobitel matkapuhelin мобилен мобильный мобильний "
        "手机 手機 手机号 手机号码 手機號碼 携帯 携帯番号 携帯電話 携帯電話番号 휴대폰 "
        "휴대폰번호 휴대전화 휴대전화번호 핸드폰 נייד הנייד "
        "جوال الجوال موبايل المحمول мобилни farsimi mobiil mobilais"
    ),
    "sms": (
        "sms text texts texting txt textmessage mms ημσ μηνυμα μηνυματα μηνυματων σμσ textos texto"
    ),
    "whatsapp": "whatsapp viber wa",
    "landline": (
        "landline fixed festnetz fixe fijo fisso σταθερο σταθερου land vast sabit stacjonarny "
        "pevna fasttelefon fastnet lankapuhelin"
    ),
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
        "fornitore fournisseur προμηθευτησ μητερα πατερασ συζυγοσ κηδεμονασ eltern elternteil "
        "seller stylist "
        "therapist doctor driver owner sales employee mitarbeiter berater dipendente empleado "
        "courier carrier receptionist instructor trainer teacher school bank "
        "insurance hotel parents guardians tuteur tutor genitore dealer broker"
    ),
    "guardian": (
        "parent parents guardian guardians mother father mutter vater madre padre mere pere "
        "tuteur tutor genitore μητερα πατερασ κηδεμονασ eltern elternteil "
        "γονεασ γονεα γονεισ γονεων"
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
        "passenger registrant buyer account person people persons lead shopper attendee "
        "συνδρομητησ μελοσ "
        "μελουσ ασθενησ empfanger destinataire destinatario abonnent miembro socio membro ospite "
        "huesped invitato inscrit adherent konto cuenta personne persona teilnehmer student "
        "prospect usuario utente utilisateur benutzer profile card loyalty klient клиент клієнт "
        "asiakas zakaznik musteri ugyfel klijent stranka klientas klients klienta kunder "
        "klanten klant"
    ),
    "contact": (
        "recapito recapiti contact contacts kontakt kontakte contacto contactos contatto contatti "
        "επαφη επαφησ επικοινωνια επικοινωνιασ contacter contactar contattare kontaktieren"
    ),
    "name": (
        "name names nom noms nombre nombres nome nomi ονομα ονοματα namen naam namn nm nume "
        "navn nafn nimi nev ime име имя vardas vards meno isim emri"
    ),
    "given": "given fore christian forenames vor givenname μικρο baptismal rufname",
    "first": "first 1st erster primer primero primo premier πρωτο",
    "last": (
        "last final letzter letzte letztes letzten ultimo ultima ultimos dernier derniere "
        "τελευταιο τελευταια senaste sidste siste laatste ostatnia ostatni posledni utolso ultim "
        "последно последний останній zadnji zadnja son viimeisin viimane pedejais paskutinis"
    ),
    "first_name": (
        "firstname forename forenames fname vorname vornamen prenom prenoms voornaam μικροονομα "
        "givenname firstnames imie jmeno krestni prenume adi fornamn fornavn etunimi keresztnev "
        "utonev eesnimi eiginnafn"
    ),
    "last_name": (
        "lastname lastnames surname surnames lname nachname nachnamen familienname zuname "
        "apellido apellidos cognome cognomi επωνυμο επιθετο επωνυμα sur achternaam nomdefamille "
        "nazwisko prijmeni soyadi soyad efternamn efternavn etternavn sukunimi vezeteknev "
        "csaladnev perekonnanimi priezvisko priimek prezime презиме фамилия прізвище pavarde "
        "uzvards soyisim perenimi sobrenome apelido mbiemri kenninafn"
    ),
    "paternal": "paterno paternal",
    "maternal": "materno maternal",
    "family": "family familien famille familia famiglia οικογενειακο",
    "full": (
        "nominativo full whole complete completo complet voller vollstandiger display fullname "
        "ονοματεπωνυμο ονοματεπωνυμου displayname adsoyad фио піб"
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
    "gender": (
        "gender sex sexe sexo sesso genre genero genere geschlecht φυλο φυλον geslacht plec "
        "cinsiyet pohlavi"
    ),
    "title": (
        "titel title titles anrede salutation salutations civilite titre titolo tratamiento "
        "προσφωνηση honorific aanhef courtesy"
    ),
    "birth": (
        "birth born geburt geburts geb geboren gebdat gebdatum naissance naiss nacimiento nac "
        "nacido nacida nascita nasc nato nata γεννησησ γεννηση γεν γενν γεννηθηκε γεννηθεισ "
        "γεννησεωσ geboorte nacim naissances gebursdatum urodzenia urodz nasterii nastere "
        "nascimento narozeni narodenia dogum rojstva rodenja "
        "рождения рождение раждане народження рођења syntymaaika "
        "syntymapaiva fodselsdag fodselsdato fodelsedatum fodelsedag szuletesi "
        "szuletesnap szuletes dzimsanas gimimo sunniaeg sunnipaev faeðingardagur "
        "faedingardagur rojstni lahir sinh datelindja datelindjes לידה הלידה "
        "الميلاد ميلاد ծննդյան დაბადების narozenin geboortedag urodziny dogumgunu"
    ),
    "birthday": (
        "birthday birthdate birthdays bday bdate dob geburtstag geburtsdatum geburtstage "
        "anniversaire cumpleanos compleanno γενεθλια γενεθλιων dateofbirth birthdatum "
        "geboortedatum ddn verjaardag "
        "生年月日 誕生日 生日 出生日期 생년월일 생일"
    ),
    "anniversary": (
        "anniversary wedding hochzeit hochzeitstag mariage boda nozze επετειοσ εορτη γιορτη "
        "ονομαστικη nameday onomastico namenstag event"
    ),
    "date": (
        "date dates dat dt datum data fecha ημ ημνια ημερομηνια ημερομηνιασ ημερ ημερα time "
        "timestamp "
        "datetime zeit zeitpunkt uhrzeit heure hora ora ωρα νια at jour tag giorno dia when since "
        "on le am seit desde depuis dal απο "
        "дата датум dato tarih tarihi kuupaev datums tanggal tarikh ngay dzien "
        "תאריך تاريخ ամսաթիվ თარიღი dan ido"
    ),
    "expiry": (
        "until expires expire expired expiry expiration expiring bis ablauf ablaufdatum abgelaufen "
        "ablauft lauft gultig gultigkeit verfall scadenza scade scaduto scaduta fino validita "
        "validite validez jusqu jusque hasta expira caduca caducidad vence vencimiento vigencia "
        "ληξη ληξησ ληγει ληξεωσ ισχυει ισχυσ ισχυοσ μεχρι εωσ"
    ),
    "country": (
        "country countries land landes laender pays pais paese nazione χωρα χωρασ nation iso "
        "countryiso lander "
        "krajina zeme stat drzava orszag tara страна държава країна държави ulke maa "
        "riik valsts salis negara 国 国家 國家 국가 מדינה ארץ الدولة البلد vendi shteti земја "
        "держава"
    ),
    "calling": (
        "prefix calling dial dialing dialling vorwahl landesvorwahl indicatif prefijo prefisso "
        "landervorwahl κλησησ callingcode"
    ),
    "area_code": "ddd ortsvorwahl ortsnetzkennzahl ortskennzahl onkz netzvorwahl lada areacode",
    "area": (
        "area zone region state province provinz provincia bezirk departement νομοσ "
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
        "label labels type types typ art kind tipo τυποσ category categorie kategorie categoria "
        "categorias κατηγορια κατηγοριεσ categories extension "
        "verified validated valid valido valida valable valide provider operator carrier network "
        "brand model os count counts counter format verification"
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
        "consente consiente toestemming acconsento acconsente acconsentito consento "
        "accord accordo συγκατ"
    ),
    "enable": "enable enabled enables active activated actif activo attivo aktiv ενεργο",
    "ended": (
        "banned archived suspended deleted inactive disabled deactivated deceased archiviert "
        "geloscht inaktiv deaktiviert verstorben archive supprime inactif desactive suspendu "
        "decede loschung erasure deletion effacement supresion borrado archivado eliminado "
        "inactivo desactivado suspendido fallecido archiviato "
        "overleden zmarly zmarla zemrel zemrela zomrel zomrela elhunyt decedat decedata починал "
        "починала preminuo preminula umrl umrla преминуо преминула vefat умер умерла помер "
        "померла avliden afdod kuollut surnud miris mirusi falecido falecida verwijderd usuniety "
        "usunieto smazan smazano vymazan vymazane torolt torolve sters изтрит obrisan izbrisan "
        "обрисан silindi silinmis удален удалено удалена видалено borttagen raderad slettet "
        "poistettu kustutatud dzests istrintas apagado "
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
        "verbot verboten interdit prohibido vietato afgemeld uitgeschreven optedoutof quit "
        "abmeldungen austragungen widerspruche "
        "unsubscribers "
        "sperr sperren sperrung exclu exclus exclue exclues widerrufe revoche desabonnements "
        "desinscriptions cancellazioni "
        "εξαιρειται εξαιρουνται διαγραφεσ"
    ),
    "not": (
        "not never kein keine keinen nicht ohne without μη μην δεν οχι χωρισ pas sans sin senza "
        "nessun ningun aucun aucune non ni nein cannot"
    ),
    "topic": (
        "empfang empfangen erhalten versand recevoir recibir ricevere δεχεται δεχομαι λαμβανει "
        "comunicaciones comunicazioni kommunikation communication communications comms "
        "messages message "
        "messaging receive receives ενημερωση ενημερωσεισ λαμβανω λαμβανετε λαμβανουν recevez "
        "recibe "
        "riceve ricevi informieren informiert informer informar informare "
        "ricezione reception recepcion ληψη ληψησ"
    ),
    "advertising": (
        "comerciales commerciali commerciales marketing advertising advertisement ads promo promos "
        "promotion promotions promotional offers campaign campaigns werbung werbe reklame angebote "
        "publicite pub publi publicidad promociones promocional pubblicita promozioni promozionale "
        "publicitario publicitarios publicitaire publicitaires pubblicitari pubblicitario werblich "
        "werbliche aktionen offerte διαφημιση διαφημισεισ διαφημιστικα προωθητικα προωθηση "
        "προσφορεσ μαρκετινγκ"
    ),
    "service": (
        "reminder reminders notification notifications alert alerts updates erinnerung "
        "erinnerungen rappel rappels recordatorio recordatorios promemoria υπενθυμιση "
        "υπενθυμισεισ transactional transaktional transactionnel transactionnels transaccional "
        "transaccionales transazionale transazionali appointment appointments termin termine cita "
        "citas rdv appuntamento appuntamenti ραντεβου"
    ),
    "program": (
        "loyalty card cards karte carte tarjeta tessera treue fidelite fidelidad fedelta καρτα"
    ),
    "privacy": (
        "datenschutzerklarung trattamento traitement dati datos donnees δεδομενων gdpr dsgvo rgpd "
        "privacy datenschutz terms tos conditions rodo kvkk cookie cookies datenverarbeitung "
        "processing lopd "
        "lgpd agb cgv cgu condiciones condizioni οροι ορων ορουσ επεξεργασια επεξεργασιασ"
    ),
    # What a consent may be for, beside messages and the processing of data.
    "profiling": (
        "profiling profilazione profilage profilado perfilado perfiles profilierung profilbildung "
        "προφιλ καταρτιση"
    ),
    # The same: pictures, treatment, sharing with others, direct debit, research.
    "purpose": (
        "photo photos photograph photographs photography picture pictures image images video "
        "videos filming recording recordings "
        "foto fotos fotografie fotografien bild bilder bildrechte aufnahmen filmaufnahmen "
        "photographie photographies droitimage "
        "fotografia fotografias imagen imagenes grabacion grabaciones "
        "fotografie immagine immagini riprese registrazione "
        "φωτογραφια φωτογραφιεσ φωτογραφιων φωτογραφιση εικονα εικονεσ βιντεο βιντεοσκοπηση "
        "treatment treatments behandlung behandlungen traitementmedical tratamientos trattamenti "
        "θεραπεια θεραπειασ θεραπειεσ "
        "sharing disclosure weitergabe ubermittlung partage cesion cessione διαβιβαση κοινοποιηση "
        "debit sepa lastschrift einzug prelevement domiciliacion addebito "
        "research studie forschung recherche investigacion ricerca ερευνα parental "
        "mahnsperre kreditsperre auftragssperre bestellsperre zahlungssperre"
    ),
    "newsletter": (
        "newsletter newsletters nieuwsbrief mailinglist rundbrief boletin ενημερωτικο ενημερωτικα "
        "ενημερωτικων bulletin infolettre infolettres mailings news enews infobrief infomail "
        "biuletyn nyhetsbrev nyhedsbrev uutiskirje hirlevel bulten zpravodaj"
    ),
    "call": (
        "call calls calling anruf anrufe appel appels llamada llamadas chiamata chiamate κλησεισ "
        "phonecall"
    ),
    "post": (
        "post postal letter letters brief briefe push letra lettre lettera ταχυδρομικα katalog "
        "kataloge catalogue catalogues catalogo καταλογοσ"
    ),
    "status": "status state statut estado stato κατασταση zustand stand στατουσ",
    "detail": (
        "source ip method reason form url version page campaignname by via channel comment quelle "
        "grund origine origen origem motivo motif raison λογοσ πηγη language sprache name "
        "ipaddress useragent methode metodo mode channels kanal kanale canal canaux canali canales "
        "καναλι καναλια"
    ),
    "glue": (
        "pref prefs "
        "er nd rd invio envoi zusendung sending "
        "protection proteccion protezione προστασια προστασιασ personali personales personnelles "
        "προσωπικων dei delle degli al au all preferences preference preferencias preferenze "
        "praferenzen προτιμησεισ "
        "kennzeichen kz indicator from all information bulk personnel personale souhaite desea "
        "desidera επιθυμει αποστολη of de di da du del della des der die das den dem do the to "
        "f for per pour par para por a al la le les el los las lo il i gli un une uno una und and "
        "et y e ed και in im ins von vom zu zum zur mit with your our my we s d l st est is are "
        "was has have been will can may wants want wunscht vuole θελει του τησ των τα το η ο σε "
        "για με στο στα τον την από or oder ou o u if any please enter flag yes ja si ναι nein "
        "double single confirmed current currently alle todos us me you format dd mm yyyy yy jj "
        "jjjj tt mmm aaaa aa gg ηη εε εεεε μμ list liste required optional market disturb confirm "
        "would like be being should could mochte wollen durfen wir sie ich vous je "
        "souhaitez voulez aimeriez quiere quieres desea le gustaria vorrei desideri θελετε "
        "θελω να πλεον latest personal personlich eg zb wann new their his her user's на "
        "nos unsere unseren nuestros nuestras nostri nostre μασ ihr ihre ihren ihrer dein deine "
        "deinen deiner euer eure mein meine meinen votre vos ton "
        "tes mes tuo tua tuoi tue suo sua suoi vostro vostra mio mia tu tus su sus mi mis σασ "
        "σου μου what which wie lautet quel quelle qual quale cual ποιο ποια ειναι"
    ),
    "note": (
        "note notes notiz notizen bemerkung bemerkungen anmerkung anmerkungen hinweis hinweise "
        "vermerk comment comments kommentar kommentare commentaire commentaires remarque remarques "
        "nota notas memo description beschreibung observaciones comentario comentarios annotazioni "
        "commenti osservazioni info remark remarks σημειωσεισ σημειωση σχολια σχολιο παρατηρησεισ "
        "παρατηρηση"
    ),
    "other": (
        "note notes notiz notizen bemerkung bemerkungen anmerkung comment comments kommentar "
        "remarque nota notas memo description beschreibung σημειωσεισ σημειωση σχολια "
        "παρατηρησεισ created creation updated modified added registered registration signup "
        "joined join visit visits visited purchase purchases bought order orders ordered spent "
        "spend total totals amount balance points price revenue add sum avg average qty quantity "
        "payment paid invoice erstellt angelegt geandert registriert hinzugefugt letzter besuch "
        "kauf umsatz bestellung bestellungen punkte saldo betrag summe cree creee modifie ajoute "
        "anmeldung anmeldungen visite achat commande commandes montant solde creado creada "
        "modificado agregado alta visita compra pedido pedidos importe puntos creato creata "
        "modificato aggiunto acquisto "
        "ordine ordini importo punti δημιουργια δημιουργιασ εγγραφη εγγραφησ ενημερωθηκε επισκεψη "
        "επισκεψησ αγορα αγορασ παραγγελια παραγγελιεσ υπολοιπο ποσο συνολο ποντοι ιδιοτητα tax "
        "vat ust ustid iban bic swift αφμ αμκα δου αδτ afm amka ssn nif dni cif siret siren "
        "fiscale partita piva passport passnummer steuernummer tva iva mwst tags group groups "
        "gruppe groupe grupo gruppo ομαδα language lang locale sprache langue idioma lingua "
        "γλωσσα currency wahrung timezone photo picture image twitter facebook instagram linkedin "
        "telegram skype age alter edad eta ηλικια occupation department position role beruf "
        "changed change profession profesion professione επαγγελμα website inactive exempt "
        "priority sensitivity "
        "hobby mileage subject directory server billinginformation membership rating score "
        "segment stage lifecycle industry last4 opens clicks open opened clicked sent delivered "
        "delivery bounce bounced sends booking bookings appointment appointments service services "
        "treatment treatments termin termine plan tier level size colour color product products "
        "item items discount coupon gift voucher gutschein credit credits debit limit debt owed "
        "vip blockedby transaction transactions lifetime sessions deleted seen activity "
        "engagement euid leid jahr year years month months birthyear birthmonth monat annee ano "
        "anno ετοσ μηνασ mese mes "
        # Visits, purchases and when a customer was registered, in languages around the six.
        "besok besog bezoek wizyta wizyty navsteva navstevy latogatas vizita vizite vizitas "
        "посещение посещения визит посета відвідування візит posjet obisk ziyaret kaynti "
        "kulastus apmeklejums apsilankymas oprettet opprettet skapad aangemaakt utworzono "
        "vytvoreno letrehozva creat създаден создан kreirano ustvarjeno olusturma luotu loodud "
        "aankoop zakup zakupy nakup vasarlas покупка kupnja kupovina alisveris kop kob osto"
    ),
}
CONCEPTS_BY_WORD: dict[str, set[str]] = {}
for _concept, _words in CONCEPTS.items():
    # As `canonical_heading_words` has them: of Korean, the letters instead of the syllables.
    for _word in unicodedata.normalize("NFKD", _words.replace("ς", "σ")).split():
        CONCEPTS_BY_WORD.setdefault(_word, set()).add(_concept)
for _word_concepts in CONCEPTS_BY_WORD.values():
    if "advertising" in _word_concepts:
        _word_concepts.add("topic")
# Lists in Greek are often typed in Latin letters, by sound or by the look of the letters.
_GREEK_DIGRAPHS = {"ου": "ou", "αυ": "av", "ευ": "ev", "μπ": "mp", "ντ": "nt", "γγ": "gg"}
_LATIN_LETTERS = "a v g d e z i th i k l m n x o p r s t y f ch ps o".split()  # noqa: SIM905
_GREEK_IN_LATIN = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", _LATIN_LETTERS, strict=True))
_LATIN_VARIANTS: tuple[dict[str, str], ...] = (
    {},
    {"υ": "i", "χ": "x"},
    {"υ": "i", "χ": "h"},
    {"η": "h", "υ": "u", "ω": "w", "χ": "x", "ξ": "ks", "θ": "8"},
    {"η": "h", "υ": "y", "ω": "w", "χ": "x"},
    {"η": "h", "υ": "u", "χ": "x"},
)
MIN_TRANSLITERATED_LENGTH = 4


def _greek_words_in_latin_letters() -> dict[str, set[str]]:
    """The concepts of Greek words by their spellings in Latin letters, but those that are known."""
    found: dict[str, set[str]] = {}
    for word, concepts in CONCEPTS_BY_WORD.items():
        if not set(word) <= _GREEK_IN_LATIN.keys() or len(word) < MIN_TRANSLITERATED_LENGTH:
            continue
        for digraph, letters in _GREEK_DIGRAPHS.items():
            word = word.replace(digraph, letters)
        for variant in _LATIN_VARIANTS:
            table = str.maketrans(_GREEK_IN_LATIN | variant)
            latin = word.translate(table)
            if latin not in CONCEPTS_BY_WORD:
                found.setdefault(latin, set()).update(concepts)
    return found


CONCEPTS_BY_WORD |= _greek_words_in_latin_letters()
_LONG_WORDS = [word for word in CONCEPTS_BY_WORD if len(word) >= 5]
_LONG_WORDS_BY_ENDS: dict[tuple[str, str], list[str]] = {}
for _word in _LONG_WORDS:
    _LONG_WORDS_BY_ENDS.setdefault((_word[0], _word[-1]), []).append(_word)
_WORD_BY_LETTERS = {"".join(sorted(word)): word for word in _LONG_WORDS}
# Words that may stand within a compound such as `kundennummer` or `dateofbirth`.
_COMPOUND_PARTS = {word for word in CONCEPTS_BY_WORD if len(word) >= 3} | {
    "no",
    "nr",
    "id",
    "of",
    "de",
    "di",
}
_LINKING_LETTERS = ("", "s", "n", "es", "en")
_MIN_COMPOUND_LENGTH = 6
# The last part of a compound says what it is: `Serienbrief` is a letter, `Vereinsnewsletter` one
# by e-mail, and `Hortfreigabeerlaubnis` a permission.
_HEAD_CONCEPTS = ("post", "call", "newsletter", "optin")
_MIN_HEAD_LENGTH = 5
_FUZZY_MIN_RATIO = 0.86

# Words that mean one thing together, and the word that stands for them.
_PHRASES = {
    tuple(phrase.split()): word
    for word, phrases in {
        "email": "e mail, e mails, e posta, e post",
        "optout": "opt out, opted out, opts out, opting out, out opt",
        "optin": "opt in, opted in, opts in, opt ins",
        "donot": "do not, don t, does not, must not",
        "signup": "sign up, signed up",
        "sms": "text message, text messages, text msg, text msgs, sms msg, sms message",
        "birthdate": "dogum tarihi, ne le, ne e le, nee le, data nascita",
        "cellphone": "cell phone, cep telefonu, cep tel",
        "landline": "land line, fixed line",
        "ime": "ім я",
        "givenname": "nome proprio, krstne meno",
        "adsoyad": "ad soyad, adi soyadi",
        "whatsapp": "whats app",
        "birthday": "birth day, b day",
        "newsletter": "mailing list, boletim informativo",
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
        "privacy": "personal data, personal information, data protection, data processing",
        "blacklist": (
            "black list, block list, stop list, schwarze liste, liste noire, lista nera, "
            "lista negra, μαυρη λιστα"
        ),
    }.items()
    for phrase in phrases.split(", ")
}
_PHRASE_WORDS = frozenset(word for phrase in _PHRASES for word in phrase)
_COMPOUND_PARTS |= {word for word in _PHRASE_WORDS if len(word) >= 3}
_CAMEL_CASE = re.compile(r"(?<=[a-zα-ωа-яіїє])(?=[A-ZΑ-ΩА-ЯІЇЄ])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")
# `SMS` within a word of a script without blanks, or with other ones, such as `SMS配信`.
_SCRIPT_BOUNDARY = re.compile(r"(?<=[a-zA-Z])(?=[\u0590-\uffff])|(?<=[\u0590-\uffff])(?=[a-zA-Z])")


_LETTERS_WITHOUT_DECOMPOSITION = str.maketrans(
    {"ß": "ss", "ς": "σ", "ø": "o", "æ": "ae", "ł": "l", "đ": "d", "ı": "i"}
)


def fold_case_and_accents(text: str) -> str:
    """The text in lower case, without accents, with compatible forms of letters made plain."""
    text = text.lower().translate(_LETTERS_WITHOUT_DECOMPOSITION)
    return _without_accents(text).replace("ς", "σ")


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


_LETTERS_OF_ANSWERS = frozenset(["yn", "jn", "on", "sn"])


@lru_cache(maxsize=10_000)
def canonical_heading_words(heading: str) -> tuple[str, ...]:
    """The words of a heading, folded: `mobilePhone_No.1` gives mobile, phone, no, 1."""
    words: list[str] = []
    text = _SCRIPT_BOUNDARY.sub(" ", _without_accents(heading.replace("№", "No")))
    for word in _WORD.findall(text):
        words += _split_camel_case_or_compound(word)
    joined: list[str] = []
    letters = ""
    for word in [*words, ""]:  # D.O.B. is one word
        if len(word) == 1 and not word.isdigit():
            letters += word
            continue
        is_answer = letters in _LETTERS_OF_ANSWERS  # `(O/N)`
        if (letters in CONCEPTS_BY_WORD and not is_answer) or len(letters) > 2:
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


def _split_camel_case_or_compound(word: str) -> Sequence[str]:
    """What a word is made of, folded: `landLine` is known, `phoneNo` has capitals, `smsopt` not."""
    whole, parts = (
        fold_case_and_accents(word),
        fold_case_and_accents(_CAMEL_CASE.sub(" ", word)).split(),
    )
    if whole in CONCEPTS_BY_WORD or whole in _PHRASE_WORDS:
        return [whole]
    if inflected := _known_singular_or_plural_or_empty(whole):
        return [inflected]
    if len(parts) > 1 and all(map(_is_known_word_or_compound, parts)):
        return parts
    return compound_parts_or_empty(whole) or parts


def _known_singular_or_plural_or_empty(word: str) -> str:
    """The known word of which a word is the singular or plural: `autorisations`, `comercial`."""
    if len(word) < MIN_INFLECTED_LENGTH:
        return ""
    forms = [word + ending for ending in _PLURAL_ENDINGS]
    forms += [word.removesuffix(ending) for ending in _PLURAL_ENDINGS]
    return next(
        (form for form in forms if len(form) >= MIN_INFLECTED_LENGTH and form in CONCEPTS_BY_WORD),
        "",
    )


MIN_INFLECTED_LENGTH = 7
_PLURAL_ENDINGS = ("s", "es", "n", "en")


def _is_known_word_or_compound(word: str) -> bool:
    return word in CONCEPTS_BY_WORD or word in _PHRASE_WORDS or bool(compound_parts_or_empty(word))


@lru_cache(maxsize=10_000)
def _split_or_correct_word(word: str) -> tuple[str, ...]:
    """The word if it is known, else its known parts, else the word it is a misspelling of."""
    if word in CONCEPTS_BY_WORD or len(word) < _MIN_COMPOUND_LENGTH or word.isdigit():
        return (word,)
    if parts := compound_parts_or_empty(word):
        return parts
    if word.startswith((*REFUSED, *WITHDRAWN, *_LONG_REFUSALS)):
        return ("optout",)
    if head := _head_of_compound_or_empty(word):
        return (word.removesuffix(head), head) if _is_consent(head) else (head,)
    if swapped := _WORD_BY_LETTERS.get("".join(sorted(word))):
        return (swapped,)
    # The first letter must be right: `desubscribed` is not `subscribed`.
    similar = [
        known
        for known in _LONG_WORDS_BY_ENDS.get((word[0], word[-1]), ())
        if abs(len(known) - len(word)) <= 2
    ]
    close = get_close_matches(word, similar, 1, _FUZZY_MIN_RATIO)
    return (close[0] if close else _word_cut_short_or_empty(word) or word,)


_LONG_REFUSALS = tuple(word for word in REFUSED_BEGINNINGS if len(word) >= _MIN_COMPOUND_LENGTH)


def _head_of_compound_or_empty(word: str) -> str:
    """The way of contact or the consent that an unknown compound ends with: `Serienbrief`."""
    return next(
        (
            word[at:]
            for at in range(MIN_MODIFIER_LENGTH, len(word) - _MIN_HEAD_LENGTH + 1)
            if not CONCEPTS_BY_WORD.get(word[at:], set()).isdisjoint(_HEAD_CONCEPTS)
        ),
        "",
    )


def _is_consent(word: str) -> bool:
    return "optin" in CONCEPTS_BY_WORD.get(word, ())


MIN_MODIFIER_LENGTH = 4


# A word of consent is not guessed from its beginning: `Public` is not `publicité`.
_CONCEPTS_CUT_SHORT = (
    {"birthday"}, {"birth"}, {"phone"}, {"mobile"}, {"first_name"}, {"last_name"}, {"gender"},
)  # fmt: skip
_MIN_LETTERS_CUT = 3


def _word_cut_short_or_empty(word: str) -> str:
    """The known word that a word begins, if all that it begins mean one thing: `Cumple`."""
    begun = [known for known in _LONG_WORDS if known.startswith(word)]
    concepts = [CONCEPTS_BY_WORD[known] for known in begun]
    is_cut = all(len(known) >= len(word) + _MIN_LETTERS_CUT for known in begun)
    if (
        begun
        and is_cut
        and concepts[0] in _CONCEPTS_CUT_SHORT
        and concepts.count(concepts[0]) == len(begun)
    ):
        return min(begun, key=len)
    return ""


def compound_parts_or_empty(word: str) -> tuple[str, ...]:
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
