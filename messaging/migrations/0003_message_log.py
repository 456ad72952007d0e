"""The message log finds batches by store and time, and messages in no batch."""
import django.db.models.functions.comparison
from django.contrib.postgres.operations import AddIndexConcurrently
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False
    dependencies = [
        ('contacts', '0002_contact_search'),
        ('messaging', '0002_submission_counter_database_identity'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", ""),
        AddIndexConcurrently(
            model_name='batch',
            index=models.Index(models.F('kind'), django.db.models.functions.comparison.Coalesce('submitted_at', 'created_at'), models.F('id'), name='batch_log'),
        ),
        AddIndexConcurrently(
            model_name='batch',
            index=models.Index(models.F('owner'), models.F('kind'), django.db.models.functions.comparison.Coalesce('submitted_at', 'created_at'), models.F('id'), name='batch_log_of_store'),
        ),
        AddIndexConcurrently(
            model_name='directmessage',
            index=models.Index(condition=models.Q(('error_code', ''), _negated=True), fields=['batch', 'id'], name='directmessage_log'),
        ),
        AddIndexConcurrently(
            model_name='directmessage',
            index=models.Index(condition=models.Q(('batch', None)), fields=['created_at', 'id'], name='directmessage_unsent'),
        ),
        AddIndexConcurrently(
            model_name='directmessage',
            index=models.Index(condition=models.Q(('batch', None)), fields=['owner', 'created_at', 'id'], name='directmessage_unsent_own'),
        ),
    ]
