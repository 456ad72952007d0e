"""Every page of the admin in a real browser, found by the registry, so that none is forgotten."""

import pytest

from astronote.models import User
from tests.support.admin_pages import every_page, fill_installation, pages_of_rows
from tests.support.browser import DESKTOP, PHONE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PARTS = 6  # of the pages, so that workers share them
PASSWORD = "a-long-password-of-mine"


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_is_for_everybody(browser, sandbox, client, part):
    """On a desk and on a phone, in light and in dark; `problems` of the browser are the assertion.

    axe-core finds nothing, no page scrolls sideways, and the console is empty. Its rules of colours
    are all that can tell the second colours of a size from the first.
    """
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    client.force_login(root)
    store = fill_installation()
    pages = [*every_page(client), *pages_of_rows(store)]
    assert len(pages) > 75
    browser.login("root@example.com", PASSWORD)
    too_wide = []
    for page in pages[part::PARTS]:
        browser.in_size(DESKTOP)
        browser.open(page)
        browser.look_for_barriers()
        too_wide += [f"{page} on a desk"] * browser.is_wider_than_screen()
        browser.switch_to_dark()
        browser.look_for_barriers(has_axe=True, colors_only=True)
        browser.in_size(PHONE)
        browser.look_for_barriers(has_axe=True)
        too_wide += [f"{page} on a phone"] * browser.is_wider_than_screen()
        browser.switch_to_light()
        browser.look_for_barriers(has_axe=True, colors_only=True)
    assert not too_wide
