"""The index by which contacts are found by name, e-mail address and number."""

from django.db import migrations

# `contacts/search.py` searches by exactly this expression; a change of one needs a new index.
CREATE = """
    CREATE FUNCTION contacts_fold(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
    RETURN translate(
        lower(regexp_replace(normalize(value, NFD), U&'[\\0300-\\036F]', '', 'g')),
        U&'\\03C2\\00DF\\0131\\0142\\00F8@._+-', U&'\\03C3si' || U&'lo     '
    );
    CREATE INDEX contact_search ON contacts_contact USING gin (
        to_tsvector('simple', contacts_fold(
            first_name || ' ' || last_name || ' ' || email || ' ' || COALESCE(substr(phone, 2), '')
        ))
    );
"""
DROP = "DROP INDEX contact_search; DROP FUNCTION contacts_fold(text);"


class Migration(migrations.Migration):
    dependencies = [("contacts", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
