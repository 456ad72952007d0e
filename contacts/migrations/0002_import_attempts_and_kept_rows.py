"""Count the rows that an import kept without a cell, and the attempts to read its file."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("contacts", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="contactimport",
            name="kept_incomplete",
            field=models.IntegerField(
                default=0,
                help_text="Rows of which an unusable cell was left out; listed as rejected rows.",
            ),
        ),
        migrations.AddField(
            model_name="contactimport",
            name="attempts",
            field=models.IntegerField(
                default=0, help_text="How often a worker began to read since rows were last written."
            ),
        ),
    ]
