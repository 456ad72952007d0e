from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('contacts', '0003_import_is_called_import'),
    ]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", ""),
        AddIndexConcurrently(
            model_name='consentevent',
            index=models.Index(
                condition=models.Q(('type', 'subscribed'), _negated=True),
                fields=['type', 'id'],
                name='consentevent_type',
            ),
        ),
    ]
