from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('astronote', '0001_initial'),
    ]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", ""),
        AddIndexConcurrently(
            model_name='auditentry',
            index=models.Index(fields=['action', 'id'], name='auditentry_action'),
        ),
        AddIndexConcurrently(
            model_name='auditentry',
            index=models.Index(fields=['owner', 'id'], name='auditentry_owner'),
        ),
        AddIndexConcurrently(
            model_name='auditentry',
            index=models.Index(fields=['actor', 'id'], name='auditentry_actor'),
        ),
    ]
