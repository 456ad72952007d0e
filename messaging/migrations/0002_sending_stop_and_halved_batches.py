from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('messaging', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SendingState',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('refused_calls', models.IntegerField(db_default=0, default=0, help_text='calls that Mitto refused since it last accepted one')),
                ('refused_at', models.DateTimeField(help_text='when Mitto last refused a call', null=True)),
                ('stopped_at', models.DateTimeField(null=True)),
                ('reason', models.CharField(db_default='', help_text="in words, with Mitto's", max_length=500)),
                ('probes', models.IntegerField(db_default=0, default=0, help_text='probes since then that Mitto did not accept')),
                ('next_probe_at', models.DateTimeField(null=True)),
                ('resumed_at', models.DateTimeField(help_text='when sending last went on after a stop', null=True)),
            ],
            options={
                'verbose_name': 'sending',
                'verbose_name_plural': 'sending',
            },
        ),
        migrations.AddField(
            model_name='batch',
            name='halved_from',
            field=models.BigIntegerField(blank=True, help_text='the batch of whose messages it is a part, because Mitto refused them together', null=True),
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(fields=['settled_at'], name='batch_settled'),
        ),
        migrations.AddIndex(
            model_name='batch',
            index=models.Index(condition=models.Q(('halved_from__isnull', False)), fields=['halved_from'], name='batch_halved_from'),
        ),
        migrations.AddConstraint(
            model_name='sendingstate',
            constraint=models.CheckConstraint(condition=models.Q(('id', 1)), name='sendingstate_one_row'),
        ),
    ]
