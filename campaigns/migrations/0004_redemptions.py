"""Keeps who marked an offer as used."""

import campaigns.signup.models
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0003_sign_up'),
        ('contacts', '0002_contact_search'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='automationredemption',
            name='redeemed_by',
            field=models.ForeignKey(blank=True, db_index=False, help_text='The operator; empty: the customer, at a tag.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='redemption',
            name='redeemed_by',
            field=models.ForeignKey(blank=True, db_index=False, help_text='The operator; empty: the customer, at a tag.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='automationredemption',
            name='evidence_json',
            field=models.JSONField(blank=True, null=True, verbose_name='proof'),
        ),
        migrations.AlterField(
            model_name='automationredemption',
            name='redeemed_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='at'),
        ),
        migrations.AlterField(
            model_name='redemption',
            name='evidence_json',
            field=models.JSONField(blank=True, null=True, verbose_name='proof'),
        ),
        migrations.AlterField(
            model_name='redemption',
            name='redeemed_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='at'),
        ),
    ]
