"""Store which PHONE_HASH_KEY made the hash of a suppression, so that the key can be changed."""

from django.db import migrations, models

import contacts.phones


class Migration(migrations.Migration):

    dependencies = [("contacts", "0002_import_attempts_and_kept_rows")]

    operations = [
        # The suppressions that there are were made with the present key.
        migrations.AddField(
            model_name="suppression",
            name="key_id",
            field=models.CharField(
                db_index=True,
                default=contacts.phones.present_key_id,
                editable=False,
                help_text="Which PHONE_HASH_KEY made the hash.",
                max_length=8,
            ),
        ),
    ]
