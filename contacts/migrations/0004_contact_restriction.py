"""Let a contact be restricted, so that its data is stored and nothing else (GDPR, article 18)."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("contacts", "0003_suppression_key")]

    operations = [
        migrations.AddField(
            model_name="contact",
            name="restricted_at",
            field=models.DateTimeField(
                blank=True,
                help_text="Since then the contact is only stored: no messages, no changes, no retention.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="contact",
            name="restricted_reason",
            field=models.CharField(blank=True, db_default="", max_length=200),
        ),
    ]
