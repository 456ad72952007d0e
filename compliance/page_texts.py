"""The texts of the page behind an opt-out link, in each language."""

from __future__ import annotations

from typing import NamedTuple

from astronote.common.languages import Language


class PageTexts(NamedTuple):
    """The texts of the page in one language; `from_shop` is followed by the shop's name.

    `..._effect` says what the button changes, `service_stays` what it does not change.
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
        unknown_link="Questo link non funziona",
        unknown_link_help="È scaduto o è stato copiato solo in parte. Lo tocchi di nuovo nel"
        " messaggio ricevuto, risponda STOP al messaggio o chieda al negozio.",
    ),
}
