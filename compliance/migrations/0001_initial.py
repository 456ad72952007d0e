import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='RetentionRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='started at')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished at')),
                ('retention_days', models.IntegerField(verbose_name='retention days')),
                ('cutoff', models.DateTimeField(verbose_name='cutoff')),
                ('status', models.CharField(choices=[('running', 'Running'), ('completed', 'Completed'), ('failed', 'Failed')], default='running', max_length=12, verbose_name='status')),
                ('dry_run', models.BooleanField(default=False, verbose_name='only counted')),
                ('counts', models.JSONField(default=dict, verbose_name='counts')),
                ('error', models.CharField(blank=True, max_length=500, verbose_name='error')),
            ],
            options={"verbose_name": 'retention run', "verbose_name_plural": 'retention runs', "constraints": [models.CheckConstraint(condition=models.Q(('status__in', ['running', 'completed', 'failed'])), name='retentionrun_status_known')]},
        ),
        migrations.CreateModel(
            name='RetentionAction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('table', models.CharField(max_length=80, verbose_name='table')),
                ('action', models.CharField(choices=[('nullify', 'Nullify'), ('anonymise', 'Anonymise'), ('delete', 'Delete')], max_length=12, verbose_name='action')),
                ('rows', models.IntegerField(verbose_name='rows')),
                ('first_id', models.BigIntegerField(verbose_name='first id')),
                ('last_id', models.BigIntegerField(verbose_name='last id')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created at')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='compliance.retentionrun', verbose_name='run')),
            ],
            options={"verbose_name": 'retention action', "verbose_name_plural": 'retention actions', "constraints": [models.CheckConstraint(condition=models.Q(('action__in', ['nullify', 'anonymise', 'delete'])), name='retentionaction_action_known')]},
        ),
    ]
