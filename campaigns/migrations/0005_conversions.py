"""Keeps the purchase that a conversion is, and its value."""

import campaigns.signup.models
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


INDEX = "conversionevent_once_per_purchase"


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('campaigns', '0004_redemptions'),
        ('contacts', '0002_contact_search'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='conversionevent',
            name='customer_event',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, to='contacts.customerevent', verbose_name='purchase'),
        ),
        migrations.AddField(
            model_name='conversionevent',
            name='value',
            field=models.DecimalField(blank=True, decimal_places=2, help_text='of the purchase', max_digits=11, null=True),
        ),
        migrations.AlterField(
            model_name='conversionevent',
            name='nfc_tag',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='campaigns.nfctag'),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL("SET lock_timeout = 0", ""),
                migrations.RunSQL(
                    f"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {INDEX} ON"
                    " campaigns_conversionevent (customer_event_id)"
                    " WHERE customer_event_id IS NOT NULL",
                    f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}",
                ),
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name='conversionevent',
                    constraint=models.UniqueConstraint(condition=models.Q(('customer_event__isnull', False)), fields=('customer_event',), name='conversionevent_once_per_purchase'),
                ),
            ],
        ),
    ]
