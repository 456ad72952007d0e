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
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('retention_days', models.IntegerField()),
                ('cutoff', models.DateTimeField()),
                ('status', models.CharField(choices=[('running', 'Running'), ('completed', 'Completed'), ('failed', 'Failed')], default='running', max_length=12)),
                ('dry_run', models.BooleanField(default=False, verbose_name='only counted')),
                ('counts', models.JSONField(default=dict)),
                ('error', models.CharField(blank=True, max_length=500)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['running', 'completed', 'failed'])), name='retentionrun_status_known')],
            },
        ),
        migrations.CreateModel(
            name='RetentionAction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('table', models.CharField(max_length=80)),
                ('action', models.CharField(choices=[('nullify', 'Nullify'), ('anonymise', 'Anonymise'), ('delete', 'Delete')], max_length=12)),
                ('rows', models.IntegerField()),
                ('first_id', models.BigIntegerField()),
                ('last_id', models.BigIntegerField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='compliance.retentionrun')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('action__in', ['nullify', 'anonymise', 'delete'])), name='retentionaction_action_known')],
            },
        ),
    ]
