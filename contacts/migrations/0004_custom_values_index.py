"""The index by which segments find contacts by their custom fields."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("contacts", "0003_custom_fields")]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", ""),
        AddIndexConcurrently(
            model_name="contact",
            index=GinIndex(
                fields=["custom_values"],
                name="contact_custom",
                condition=~models.Q(custom_values={}),
            ),
        ),
    ]
