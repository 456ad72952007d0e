"""Fields of contacts that stores define, and their values."""

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("contacts", "0002_contact_search"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CustomField",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(help_text="By which files and segments name it, such as city.", max_length=40, validators=[django.core.validators.RegexValidator("^[a-z][a-z0-9_]*$", "Letters a to z, digits and _ only.")])),
                ("label", models.CharField(help_text="By which people know it.", max_length=80)),
                ("type", models.CharField(choices=[("text", "Text"), ("number", "Number"), ("date", "Date")], default="text", max_length=8)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("owner", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name="store")),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("type__in", ["text", "number", "date"])), name="customfield_type_known"),
                    models.UniqueConstraint(fields=("owner", "key"), name="customfield_once_per_store"),
                ],
            },
        ),
        migrations.AddField(
            model_name="contact",
            name="custom_values",
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict, help_text="Values of the store's custom fields by their keys; a missing one is empty.", verbose_name="custom fields"),
        ),
    ]
