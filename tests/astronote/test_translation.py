"""Whatever people see on a screen goes through gettext, so that a translation reaches all of it."""

from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from astronote.accounts.password_links import make_password_link_and_audit
from astronote.queues.recurring import recurring_jobs
from campaigns.signup import signing_up
from contacts.consent import OBJECTION, RECORDED_BY_OPERATOR
from contacts.consent_records import ConsentChannel
from contacts.consent_sources import describe_consent_source
from messaging import opt_in_requests, page_opt_outs, replies, reply_reviews
from messaging.models import InvoiceRecord
from tests.support.admin_pages import every_page, fill_installation, pages_of_rows
from tests.support.marked_language import (
    LETTERS,
    data_of_installation,
    marked_language,
    texts_outside_marks,
    untranslated_texts_of_template,
)

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/templates/**/*.html"))


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_says_nothing_without_gettext(template):
    assert untranslated_texts_of_template((ROOT / template).read_text()) == []


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<p>⟦Send <b>4</b> of them⟧ now</p>", ["now"]),
        ('<p>⟦Send the long tex…</p><p title="Why">⟦Send⟧ 4</p>', ["Why"]),
        ('<input type="submit" value="Go"><input value="Anna"><img alt="⟦A map⟧">', ["Go"]),
        ('<td translate="no">sms</td><td>due</td><script>let x</script>', ["due"]),
    ],
)
def test_texts_without_marks_are_found(page, found):
    assert texts_outside_marks(page) == found


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ('<p>{% translate "Send" %} {% if a %}it{% endif %}</p>', ["it"]),
        ('{% blocktranslate with a=b %}<b title="x">{{ a }}</b>{% endblocktranslate %}', []),
        ("<p>{{ is_on|yesno:'on,off' }} {{ name|default:_('nobody') }}</p>", ["on,off"]),
        ('<input placeholder="name{{ n }}">', ["name"]),
    ],
)
def test_texts_of_a_template_without_gettext_are_found(template, found):
    assert untranslated_texts_of_template(template) == found


def test_every_source_of_consent_has_words_that_are_translated():
    sources = {
        *ConsentChannel.values,
        RECORDED_BY_OPERATOR,
        OBJECTION,
        opt_in_requests.SOURCE,
        page_opt_outs.SOURCE,
        replies.START_SOURCE,
        replies.STOP_SOURCE,
        reply_reviews.SOURCE,
        signing_up.SOURCE,
    }
    with marked_language():
        words = {source: describe_consent_source(source) for source in sources}
    assert words == {source: f"⟦{source.replace('_', ' ')}⟧" for source in sources}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_every_page_says_nothing_without_gettext(admin_client, admin_user, sandbox):
    """Outside of the marks of the marked language stands only what the rows hold."""
    pages = _pages_in_the_language_of_operators(admin_client, fill_installation())
    link = make_password_link_and_audit(admin_user, by="test")
    data = data_of_installation()
    with marked_language():
        answers = {page: admin_client.get(page, follow=True) for page in pages}
        for page in pages:
            if page.endswith("/add/"):
                answers[f"{page} sent empty"] = admin_client.post(page)
        stranger = Client()
        for page in ("/admin/login/", "/nothing/", urlsplit(link).path):
            answers[f"{page} of a stranger"] = stranger.get(page, follow=True)
        answers["/admin/login/ refused"] = stranger.post("/admin/login/", {"username": "nobody"})
    untranslated = defaultdict(list)
    for page, answer in answers.items():
        for text in texts_outside_marks(answer.text):
            if LETTERS.search(data.sub("", text)):
                untranslated[text].append(page)
    report = [
        f"{pages[0]}{f' and {len(pages) - 1} more' if pages[1:] else ''}: {text}"
        for text, pages in untranslated.items()
    ]
    assert len(answers) > 80
    assert not report, "\n".join(["Not translated:", *report])


def _pages_in_the_language_of_operators(client, store):
    """All pages but the invoice to print, which is in the language of the buyer."""
    printed = reverse("invoice_print", args=[InvoiceRecord.objects.latest("pk").pk])
    questions = [f"/admin/run/{job.name}/" for job in recurring_jobs() if job.run_now]
    found = [*every_page(client), *pages_of_rows(store), *questions, "/admin/nothing/"]
    return [page for page in dict.fromkeys(found) if page != printed]
