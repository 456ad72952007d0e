"""The texts of customers' pages, in each language: opting out, opting in again, agreeing."""

from __future__ import annotations

from typing import NamedTuple

from astronote.common.languages import Language


class PageTexts(NamedTuple):
    """The texts of the pages in one language; `from_shop` is followed by the shop's name.

    `..._effect` says what the button changes, `service_stays` what it does not change. `code_sms`
    is the text of the message with the code; `no_code`, `busy` and the values of CodeResult name
    problems.
    """

    from_shop: str
    question: str
    opt_out: str
    opt_out_effect: str
    service_stays: str
    opted_out: str
    mistake: str
    opt_in: str
    opt_in_effect: str
    suppressed_everywhere: str
    privacy_notice: str
    agree_again: str
    code_sms: str
    code_sent: str
    code: str
    enter_code: str
    new_code: str
    no_code: str
    busy: str
    wrong: str
    expired: str
    refused: str
    confirm: str
    confirmed: str
    may_stop: str
    confirm_help: str
    unknown_link: str
    unknown_link_help: str


PAGE_TEXTS = {
    Language.ENGLISH: PageTexts(
        from_shop="Messages from",
        question="You get messages with offers from this shop. Do you want to stop them?",
        opt_out="Stop the messages",
        opt_out_effect="The shop will then send no more offers to your number.",
        service_stays="You may still get messages about your orders or appointments.",
        opted_out="Done. You will get no more offers from this shop.",
        mistake="Was this a mistake?",
        opt_in="Get the messages again",
        opt_in_effect="The shop may then send offers to your number again. You can stop them at any"
        " time.",
        suppressed_everywhere="Your number gets no offers: no shop of this service may send you"
        " offers.",
        privacy_notice="Privacy notice of the shop",
        agree_again="I want to get offers from this shop by SMS again.",
        code_sms="{shop}: {{{{opt_in_code}}}} is your code to get offers by SMS again. If you did"
        " not ask for it, ignore this message.",
        code_sent="We have sent you an SMS with six digits. They hold for ten minutes.",
        code="Code from the SMS",
        enter_code="Confirm",
        new_code="Send a new code",
        no_code="No code can be sent now. Try again tomorrow, or ask the shop.",
        busy="This cannot be done right now. Try again in a minute.",
        wrong="This is not the code that we sent.",
        expired="This code does not hold any more. Ask for a new one.",
        refused="You cannot get the messages again on this page. Ask the shop.",
        confirm="Yes, I agree",
        confirmed="Thank you. You will get offers from this shop by SMS.",
        may_stop="You can stop them at any time by the link in each message.",
        confirm_help="It has expired, it was taken back, or only a part of it was copied. Ask the"
        " shop.",
        unknown_link="This link does not work",
        unknown_link_help="It has expired, or only a part of it was copied. Tap it again in the"
        " message that you got, answer the message with STOP, or ask the shop.",
    ),
    Language.GREEK: PageTexts(
        from_shop="Μηνύματα από",
        question="Λαμβάνετε μηνύματα με προσφορές από αυτό το κατάστημα. Θέλετε να σταματήσουν;",
        opt_out="Διακοπή μηνυμάτων",
        opt_out_effect="Το κατάστημα δεν θα στέλνει πια προσφορές στον αριθμό σας.",
        service_stays="Ίσως λαμβάνετε ακόμη μηνύματα για τις παραγγελίες ή τα ραντεβού σας.",
        opted_out="Έγινε. Δεν θα λαμβάνετε πια προσφορές από αυτό το κατάστημα.",
        mistake="Έγινε κατά λάθος;",
        opt_in="Να λαμβάνω ξανά τα μηνύματα",
        opt_in_effect="Το κατάστημα θα μπορεί να στέλνει ξανά προσφορές στον αριθμό σας. Μπορείτε"
        " να τις σταματήσετε όποτε θέλετε.",
        suppressed_everywhere="Ο αριθμός σας δεν λαμβάνει προσφορές: κανένα κατάστημα αυτής της"
        " υπηρεσίας δεν επιτρέπεται να σας στέλνει προσφορές.",
        privacy_notice="Πολιτική απορρήτου του καταστήματος",
        agree_again="Θέλω να λαμβάνω ξανά προσφορές από αυτό το κατάστημα με SMS.",
        code_sms="{shop}: {{{{opt_in_code}}}} είναι ο κωδικός σας για να λαμβάνετε ξανά προσφορές"
        " με SMS. Αν δεν τον ζητήσατε, αγνοήστε το μήνυμα.",
        code_sent="Σας στείλαμε SMS με έξι ψηφία. Ισχύουν για δέκα λεπτά.",
        code="Κωδικός από το SMS",
        enter_code="Επιβεβαίωση",
        new_code="Αποστολή νέου κωδικού",
        no_code="Δεν μπορεί να σταλεί κωδικός τώρα. Δοκιμάστε ξανά αύριο ή ρωτήστε το κατάστημα.",
        busy="Αυτό δεν γίνεται αυτή τη στιγμή. Δοκιμάστε ξανά σε ένα λεπτό.",
        wrong="Αυτός δεν είναι ο κωδικός που στείλαμε.",
        expired="Αυτός ο κωδικός δεν ισχύει πια. Ζητήστε νέο.",
        refused="Δεν μπορείτε να λάβετε ξανά τα μηνύματα από αυτή τη σελίδα. Ρωτήστε το κατάστημα.",
        confirm="Ναι, συμφωνώ",
        confirmed="Ευχαριστούμε. Θα λαμβάνετε προσφορές από αυτό το κατάστημα με SMS.",
        may_stop="Μπορείτε να τις σταματήσετε οποτεδήποτε με τον σύνδεσμο σε κάθε μήνυμα.",
        confirm_help="Έληξε, ανακλήθηκε ή δεν αντιγράφηκε ολόκληρος. Ρωτήστε το κατάστημα.",
        unknown_link="Ο σύνδεσμος δεν λειτουργεί",
        unknown_link_help="Έληξε ή δεν αντιγράφηκε ολόκληρος. Πατήστε τον ξανά στο μήνυμα που"
        " λάβατε, απαντήστε στο μήνυμα με ΣΤΟΠ ή ρωτήστε το κατάστημα.",
    ),
    Language.GERMAN: PageTexts(
        from_shop="Nachrichten von",
        question="Sie erhalten Nachrichten mit Angeboten dieses Geschäfts. Möchten Sie sie"
        " abbestellen?",
        opt_out="Nachrichten abbestellen",
        opt_out_effect="Das Geschäft schickt dann keine Angebote mehr an Ihre Nummer.",
        service_stays="Nachrichten zu Ihren Bestellungen oder Terminen können weiterhin kommen.",
        opted_out="Erledigt. Sie erhalten keine Angebote mehr von diesem Geschäft.",
        mistake="War das ein Versehen?",
        opt_in="Nachrichten wieder erhalten",
        opt_in_effect="Das Geschäft darf dann wieder Angebote an Ihre Nummer schicken. Sie können"
        " sie jederzeit abbestellen.",
        suppressed_everywhere="Ihre Nummer erhält keine Angebote: Kein Geschäft dieses Dienstes"
        " darf Ihnen Angebote schicken.",
        privacy_notice="Datenschutzhinweise des Geschäfts",
        agree_again="Ich möchte wieder Angebote dieses Geschäfts per SMS erhalten.",
        code_sms="{shop}: {{{{opt_in_code}}}} ist Ihr Code, um wieder Angebote per SMS zu erhalten."
        " Wenn Sie ihn nicht angefordert haben, ignorieren Sie diese Nachricht.",
        code_sent="Wir haben Ihnen eine SMS mit sechs Ziffern geschickt. Sie gelten zehn Minuten.",
        code="Code aus der SMS",
        enter_code="Bestätigen",
        new_code="Neuen Code schicken",
        no_code="Zurzeit kann kein Code geschickt werden. Versuchen Sie es morgen wieder oder"
        " fragen Sie das Geschäft.",
        busy="Das geht gerade nicht. Versuchen Sie es in einer Minute noch einmal.",
        wrong="Das ist nicht der Code, den wir geschickt haben.",
        expired="Dieser Code gilt nicht mehr. Fordern Sie einen neuen an.",
        refused="Auf dieser Seite können Sie die Nachrichten nicht wieder erhalten. Fragen Sie das"
        " Geschäft.",
        confirm="Ja, ich bin einverstanden",
        confirmed="Danke. Sie erhalten Angebote dieses Geschäfts per SMS.",
        may_stop="Sie können sie jederzeit über den Link in jeder Nachricht abbestellen.",
        confirm_help="Er ist abgelaufen, wurde zurückgezogen oder nur zum Teil kopiert. Fragen Sie"
        " das Geschäft.",
        unknown_link="Dieser Link funktioniert nicht",
        unknown_link_help="Er ist abgelaufen oder wurde nur zum Teil kopiert. Tippen Sie ihn in der"
        " Nachricht noch einmal an, antworten Sie auf die Nachricht mit STOPP oder fragen Sie das"
        " Geschäft.",
    ),
    Language.FRENCH: PageTexts(
        from_shop="Messages de",
        question="Vous recevez des messages avec les offres de ce magasin. Voulez-vous les"
        " arrêter\xa0?",
        opt_out="Arrêter les messages",
        opt_out_effect="Le magasin n’enverra alors plus d’offres à votre numéro.",
        service_stays="Vous pourrez encore recevoir des messages sur vos commandes ou vos"
        " rendez-vous.",
        opted_out="C’est fait. Vous ne recevrez plus d’offres de ce magasin.",
        mistake="Était-ce une erreur\xa0?",
        opt_in="Recevoir à nouveau les messages",
        opt_in_effect="Le magasin pourra alors de nouveau envoyer des offres à votre numéro. Vous"
        " pourrez les arrêter à tout moment.",
        suppressed_everywhere="Votre numéro ne reçoit pas d’offres\xa0: aucun magasin de ce service"
        " n’a le droit de vous en envoyer.",
        privacy_notice="Politique de confidentialité du magasin",
        agree_again="Je souhaite recevoir à nouveau les offres de ce magasin par SMS.",
        code_sms="{shop}\xa0: {{{{opt_in_code}}}} est votre code pour recevoir à nouveau les offres"
        " par SMS. Si vous ne l’avez pas demandé, ignorez ce message.",
        code_sent="Nous vous avons envoyé un SMS avec six chiffres. Ils sont valables dix minutes.",
        code="Code reçu par SMS",
        enter_code="Confirmer",
        new_code="Envoyer un nouveau code",
        no_code="Aucun code ne peut être envoyé pour le moment. Réessayez demain ou adressez-vous"
        " au magasin.",
        busy="Ce n'est pas possible pour le moment. Réessayez dans une minute.",
        wrong="Ce n’est pas le code que nous avons envoyé.",
        expired="Ce code n’est plus valable. Demandez-en un nouveau.",
        refused="Vous ne pouvez pas recevoir à nouveau les messages par cette page. Adressez-vous"
        " au magasin.",
        confirm="Oui, je suis d’accord",
        confirmed="Merci. Vous recevrez les offres de ce magasin par SMS.",
        may_stop="Vous pouvez les arrêter à tout moment par le lien de chaque message.",
        confirm_help="Il a expiré, a été retiré ou n’a été copié qu’en partie. Adressez-vous au"
        " magasin.",
        unknown_link="Ce lien ne fonctionne pas",
        unknown_link_help="Il a expiré ou n’a été copié qu’en partie. Touchez-le de nouveau dans le"
        " message reçu, répondez STOP au message ou adressez-vous au magasin.",
    ),
    Language.SPANISH: PageTexts(
        from_shop="Mensajes de",
        question="Recibe mensajes con ofertas de esta tienda. ¿Quiere dejar de recibirlos?",
        opt_out="Dejar de recibir mensajes",
        opt_out_effect="La tienda ya no enviará más ofertas a su número.",
        service_stays="Puede seguir recibiendo mensajes sobre sus pedidos o citas.",
        opted_out="Hecho. No recibirá más ofertas de esta tienda.",
        mistake="¿Ha sido un error?",
        opt_in="Volver a recibir los mensajes",
        opt_in_effect="La tienda podrá enviar de nuevo ofertas a su número. Puede darse de baja"
        " cuando quiera.",
        suppressed_everywhere="Su número no recibe ofertas: ninguna tienda de este servicio puede"
        " enviarle ofertas.",
        privacy_notice="Política de privacidad de la tienda",
        agree_again="Quiero volver a recibir por SMS las ofertas de esta tienda.",
        code_sms="{shop}: {{{{opt_in_code}}}} es su código para volver a recibir ofertas por SMS."
        " Si no lo ha pedido, ignore este mensaje.",
        code_sent="Le hemos enviado un SMS con seis cifras. Son válidas durante diez minutos.",
        code="Código del SMS",
        enter_code="Confirmar",
        new_code="Enviar un código nuevo",
        no_code="Ahora no se puede enviar ningún código. Inténtelo mañana o pregunte en la tienda.",
        busy="Ahora no es posible. Inténtelo de nuevo en un minuto.",
        wrong="Este no es el código que enviamos.",
        expired="Este código ya no es válido. Pida uno nuevo.",
        refused="No puede volver a recibir los mensajes desde esta página. Pregunte en la tienda.",
        confirm="Sí, acepto",
        confirmed="Gracias. Recibirá por SMS las ofertas de esta tienda.",
        may_stop="Puede darse de baja cuando quiera con el enlace de cada mensaje.",
        confirm_help="Ha caducado, se retiró o solo se copió una parte. Pregunte en la tienda.",
        unknown_link="Este enlace no funciona",
        unknown_link_help="Ha caducado o solo se copió una parte. Tóquelo de nuevo en el mensaje"
        " que recibió, responda STOP al mensaje o pregunte en la tienda.",
    ),
    Language.ITALIAN: PageTexts(
        from_shop="Messaggi da",
        question="Riceve messaggi con le offerte di questo negozio. Non vuole più riceverli?",
        opt_out="Non ricevere più messaggi",
        opt_out_effect="Il negozio non invierà più offerte al suo numero.",
        service_stays="Potrà ancora ricevere messaggi sui suoi ordini o appuntamenti.",
        opted_out="Fatto. Non riceverà più offerte da questo negozio.",
        mistake="È stato un errore?",
        opt_in="Ricevere di nuovo i messaggi",
        opt_in_effect="Il negozio potrà inviare di nuovo offerte al suo numero. Potrà disiscriversi"
        " in qualsiasi momento.",
        suppressed_everywhere="Il suo numero non riceve offerte: nessun negozio di questo servizio"
        " può inviarle offerte.",
        privacy_notice="Informativa sulla privacy del negozio",
        agree_again="Voglio ricevere di nuovo per SMS le offerte di questo negozio.",
        code_sms="{shop}: {{{{opt_in_code}}}} è il suo codice per ricevere di nuovo le offerte per"
        " SMS. Se non l’ha chiesto, ignori questo messaggio.",
        code_sent="Le abbiamo inviato un SMS con sei cifre. Valgono dieci minuti.",
        code="Codice ricevuto per SMS",
        enter_code="Confermare",
        new_code="Inviare un nuovo codice",
        no_code="Ora non si può inviare nessun codice. Riprovi domani o chieda al negozio.",
        busy="Al momento non è possibile. Riprovi tra un minuto.",
        wrong="Questo non è il codice che abbiamo inviato.",
        expired="Questo codice non vale più. Ne chieda uno nuovo.",
        refused="Da questa pagina non può ricevere di nuovo i messaggi. Chieda al negozio.",
        confirm="Sì, accetto",
        confirmed="Grazie. Riceverà per SMS le offerte di questo negozio.",
        may_stop="Può disiscriversi in qualsiasi momento con il link di ogni messaggio.",
        confirm_help="È scaduto, è stato ritirato o è stato copiato solo in parte. Chieda al"
        " negozio.",
        unknown_link="Questo link non funziona",
        unknown_link_help="È scaduto o è stato copiato solo in parte. Lo tocchi di nuovo nel"
        " messaggio ricevuto, risponda STOP al messaggio o chieda al negozio.",
    ),
}
