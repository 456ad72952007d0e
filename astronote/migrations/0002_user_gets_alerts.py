"""Operators may get alerts by e-mail."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("astronote", "0001_initial")]

    operations = [
        migrations.AddField(
            "user",
            "gets_alerts",
            models.BooleanField(
                "gets alerts by e-mail",
                default=False,
                editable=False,
                help_text="An operator switches it on the page of the own account.",
            ),
        ),
    ]
