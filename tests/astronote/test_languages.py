"""Which language a store and a visitor are addressed in."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.test import RequestFactory

from astronote.common.languages import (
    LANGUAGE_BY_COUNTRY,
    Language,
    language_of_store_or_country,
    preferred_language_or_default,
)
from astronote.models import User
from contacts.phones import phone_region_of_store_or_default
from tests.support.factories import make_store


@pytest.mark.parametrize(
    ("language", "region", "found"),
    [("", "GR", "el"), ("", "CY", "el"), ("", "AT", "de"), ("", "FR", "fr"), ("", "MX", "es"),
     ("", "IT", "it"), ("", "GB", "en"), ("", "SE", "en"), ("", "", "de"), ("en", "GR", "en"),
     ("fr", "", "fr")],
)  # fmt: skip
def test_a_store_has_its_own_language_or_that_of_its_country(language, region, found, settings):
    settings.DEFAULT_PHONE_REGION = "DE"
    store = User(language=language, phone_region=region)
    assert language_of_store_or_country(store) == found
    assert (
        LANGUAGE_BY_COUNTRY.get(phone_region_of_store_or_default(store), "en") == found or language
    )


@pytest.mark.parametrize(
    ("accepted", "found"),
    [("el-GR,el;q=0.9,en;q=0.8", "el"), ("de-CH", "de"), ("EN", "en"), ("", "it"), ("*", "it"),
     ("sv,fi", "it"), ("sv, es;q=0.5", "es"), ("fr;q=0.3,es;q=0.7", "es"), ("fr;q=0", "it"),
     ("sv,*;q=0.5,en;q=0.1", "it"), ("not a header", "it"), ("fr," * 400, "fr")],
)  # fmt: skip
def test_a_visitor_gets_the_first_language_that_we_have_or_the_stores(accepted, found):
    request = RequestFactory().get("/", headers={"Accept-Language": accepted})
    assert preferred_language_or_default(request, Language.ITALIAN) == found


@pytest.mark.django_db(transaction=True)
def test_a_store_has_no_language_that_we_do_not_have():
    with pytest.raises(ValidationError, match="not a valid choice"):
        User.objects.create_user("alice@example.com", language="sv")
    store = make_store()
    with pytest.raises(IntegrityError, match="user_language_known"):
        User.objects.filter(pk=store.pk).update(language="sv")
