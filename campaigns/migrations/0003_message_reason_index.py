"""Finds the messages of one campaign with one reason, and those that did not reach anybody."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0002_message_fillfactor")]

    operations = [
        migrations.AddIndex(
            "campaignmessage",
            models.Index(
                fields=["campaign", "error_code", "contact"],
                name="campaignmessage_reason",
                condition=~models.Q(error_code=""),
            ),
        ),
    ]
