"""Let a store answer opt-outs by SMS."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('astronote', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='confirms_opt_outs',
            field=models.BooleanField(default=False, help_text='Answer an opt-out by SMS with one message; it costs credits.'),
        ),
    ]
