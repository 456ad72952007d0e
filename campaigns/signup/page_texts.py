"""The texts of the public pages behind tags, in each language that they are in."""

from __future__ import annotations

from typing import NamedTuple

from astronote.common.languages import Language


class PageTexts(NamedTuple):
    """The texts of the pages in one language; `{shop}` is the shop's name.

    `thanks_...` come after a sign-up, `too_many` to `agree_first` name problems of a form,
    `redeem` and what follows belong to the page on which an offer is used.
    """

    language: str
    other_language: str
    title: str
    headline: str
    blurb: str
    phone: str
    phone_help: str
    first_name: str
    birthday: str
    optional: str
    agree: str
    may_stop: str
    submit: str
    privacy_notice: str
    leave_empty: str
    thanks: str
    thanks_subscribed: str
    thanks_asked: str
    stopped_before: str
    another: str
    too_many: str
    send_again: str
    correct: str
    bad_phone: str
    bad_name: str
    bad_birthday: str
    too_young: str
    agree_first: str
    redeem: str
    redeem_help: str
    code: str
    code_help: str
    use_offer: str
    used_now: str
    used_before: str
    no_offer: str
    busy: str


PAGE_TEXTS = {
    Language.ENGLISH: PageTexts(
        language="English",
        other_language="Language",
        title="Offers of {shop}",
        headline="Get our offers by SMS",
        blurb="Leave your number, and be the first to hear of offers and news.",
        phone="Mobile number",
        phone_help="A number from another country begins with +.",
        first_name="First name",
        birthday="Birthday",
        optional="optional",
        agree="Yes, I agree.",
        may_stop="You can stop the messages at any time by the link in each of them.",
        submit="Sign up",
        privacy_notice="Privacy notice",
        leave_empty="Leave this field empty",
        thanks="Thank you!",
        thanks_subscribed="We have received your sign-up. Offers of {shop} will come by SMS.",
        thanks_asked="One more step: you will get an SMS from {shop}. Tap the link in it to confirm"
        " that the number is yours.",
        stopped_before="Have you stopped our messages before? Then nothing is sent to you. Ask in"
        " the shop to get them again.",
        another="Sign up another number",
        too_many="Too many people are signing up right now. Try again in an hour, or ask in the"
        " shop.",
        send_again="Please check the form and send it once more.",
        correct="Please correct what is marked.",
        bad_phone="This is no mobile number that can get SMS.",
        bad_name="Write your first name in letters.",
        bad_birthday="This is no date of birth.",
        too_young="You must be 18 or older to sign up.",
        agree_first="Tick the box if you agree. Without it we may not write to you.",
        redeem="Use your offer",
        redeem_help="An offer can be used once. Do this in the shop, when you pay.",
        code="Link or code from the SMS",
        code_help="Copy the link from our message and paste it here.",
        use_offer="Use the offer now",
        used_now="The offer is marked as used. Show this page at the till.",
        used_before="This offer has been used already.",
        no_offer="This is no code of an offer of this shop. Copy the whole link from the message,"
        " or ask at the till.",
        busy="This cannot be done right now. Try again in a minute.",
    ),
    Language.GREEK: PageTexts(
        language="Ελληνικά",
        other_language="Γλώσσα",
        title="Προσφορές: {shop}",
        headline="Λάβετε τις προσφορές μας με SMS",
        blurb="Αφήστε τον αριθμό σας και μάθετε πρώτοι τις προσφορές και τα νέα μας.",
        phone="Κινητό τηλέφωνο",
        phone_help="Αριθμός άλλης χώρας αρχίζει με +.",
        first_name="Όνομα",
        birthday="Ημερομηνία γέννησης",
        optional="προαιρετικά",
        agree="Ναι, συμφωνώ.",
        may_stop="Μπορείτε να σταματήσετε τα μηνύματα όποτε θέλετε, από τον σύνδεσμο που έχει κάθε"
        " μήνυμα.",
        submit="Εγγραφή",
        privacy_notice="Πολιτική απορρήτου",
        leave_empty="Αφήστε αυτό το πεδίο κενό",
        thanks="Ευχαριστούμε!",
        thanks_subscribed="Λάβαμε την εγγραφή σας. Θα λαμβάνετε με SMS τις προσφορές: {shop}.",
        thanks_asked="Ένα βήμα ακόμη: θα λάβετε SMS ({shop}). Πατήστε τον σύνδεσμό του για να"
        " επιβεβαιώσετε ότι ο αριθμός είναι δικός σας.",
        stopped_before="Είχατε σταματήσει παλαιότερα τα μηνύματά μας; Τότε δεν σας στέλνουμε"
        " τίποτα. Ρωτήστε στο κατάστημα για να τα λαμβάνετε ξανά.",
        another="Εγγραφή άλλου αριθμού",
        too_many="Γίνονται πολλές εγγραφές αυτή τη στιγμή. Δοκιμάστε ξανά σε μία ώρα ή ρωτήστε στο"
        " κατάστημα.",
        send_again="Ελέγξτε τη φόρμα και στείλτε την ακόμη μία φορά.",
        correct="Διορθώστε ό,τι είναι σημειωμένο.",
        bad_phone="Αυτός δεν είναι αριθμός κινητού που λαμβάνει SMS.",
        bad_name="Γράψτε το όνομά σας με γράμματα.",
        bad_birthday="Αυτή δεν είναι ημερομηνία γέννησης.",
        too_young="Για να εγγραφείτε πρέπει να είστε τουλάχιστον 18 ετών.",
        agree_first="Σημειώστε το κουτί αν συμφωνείτε. Χωρίς αυτό δεν μπορούμε να σας στέλνουμε"
        " μηνύματα.",
        redeem="Χρήση της προσφοράς σας",
        redeem_help="Κάθε προσφορά χρησιμοποιείται μία φορά. Κάντε το στο κατάστημα, όταν"
        " πληρώνετε.",
        code="Σύνδεσμος ή κωδικός από το SMS",
        code_help="Αντιγράψτε τον σύνδεσμο από το μήνυμά μας και επικολλήστε τον εδώ.",
        use_offer="Χρήση της προσφοράς τώρα",
        used_now="Η προσφορά χρησιμοποιήθηκε. Δείξτε αυτή τη σελίδα στο ταμείο.",
        used_before="Αυτή η προσφορά έχει ήδη χρησιμοποιηθεί.",
        no_offer="Αυτός δεν είναι κωδικός προσφοράς του καταστήματος. Αντιγράψτε ολόκληρο τον"
        " σύνδεσμο από το μήνυμα ή ρωτήστε στο ταμείο.",
        busy="Αυτό δεν γίνεται αυτή τη στιγμή. Δοκιμάστε ξανά σε ένα λεπτό.",
    ),
}
