"""Stores choose whether they get weekly exports."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('astronote', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='weekly_exports',
            field=models.BooleanField(db_default=False, default=False, help_text='Each Monday, files of its contacts, messages, visits and ledger are made.'),
        ),
    ]
