"""Makes what public pages of stores need: how they look, who signed up, and types of tags."""

import campaigns.signup.models
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('campaigns', '0002_message_fillfactor'),
        ('contacts', '0002_contact_search'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PublicSignupEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('outcome', models.CharField(choices=[('waiting', 'waiting: not applied yet'), ('subscribed', 'subscribed'), ('asked', 'asked by SMS to confirm'), ('subscribed_before', 'was subscribed before'), ('opted_out', 'opted out before: nothing changed'), ('refused', 'the contact must not be asked or changed: nothing changed'), ('erased', 'erased before it was applied')], default='waiting', max_length=20)),
                ('idempotency_key', models.CharField(help_text='Of the form: each makes one sign-up at most.', max_length=32, unique=True)),
                ('ip_address', models.CharField(blank=True, max_length=45, null=True, verbose_name='IP address')),
                ('user_agent', models.CharField(blank=True, max_length=500, null=True)),
                ('meta', models.JSONField(blank=True, null=True, verbose_name='further data')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True, editable=False, verbose_name='at')),
            ],
            options={
                'verbose_name': 'sign-up',
            },
        ),
        migrations.CreateModel(
            name='RetailAsset',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mime_type', models.CharField(max_length=40)),
                ('byte_size', models.PositiveIntegerField()),
                ('data', models.BinaryField()),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                'verbose_name': 'logo',
            },
        ),
        migrations.CreateModel(
            name='SignupPage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('display_name', models.CharField(blank=True, help_text="Empty: the store's name.", max_length=160, verbose_name='brand name')),
                ('primary_color', models.CharField(default='#1f5f8b', help_text='Of the button and the bar on top.', max_length=7, validators=[django.core.validators.RegexValidator('^#[0-9a-fA-F]{6}\\Z', 'Use # and six digits such as #1f5f8b.')], verbose_name='color')),
                ('headline_en', models.CharField(blank=True, max_length=120, verbose_name='headline, English')),
                ('headline_el', models.CharField(blank=True, max_length=120, verbose_name='headline, Greek')),
                ('blurb_en', models.CharField(blank=True, help_text='What customers get for joining.', max_length=400, verbose_name='text, English')),
                ('blurb_el', models.CharField(blank=True, max_length=400, verbose_name='text, Greek')),
                ('asks_name', models.BooleanField(default=True, verbose_name='asks for the first name')),
                ('asks_birthday', models.BooleanField(default=True, verbose_name='asks for the birthday')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'verbose_name': 'sign-up page',
            },
        ),
        migrations.AlterModelOptions(
            name='nfcscan',
            options={'verbose_name': 'scan', 'verbose_name_plural': 'scans'},
        ),
        migrations.AlterModelOptions(
            name='nfctag',
            options={'verbose_name': 'shop tag', 'verbose_name_plural': 'QR codes and NFC tags'},
        ),
        migrations.AddField(
            model_name='nfcscan',
            name='status',
            field=models.CharField(choices=[('opened', 'opened'), ('submitted', 'signed up, or used an offer')], db_default='opened', default='opened', max_length=20),
        ),
        migrations.AddField(
            model_name='nfctag',
            name='type',
            field=models.CharField(choices=[('opt_in', "sign-up: customers join the store's list"), ('redemption', 'redemption: customers mark an offer as used')], db_default='opt_in', default='opt_in', max_length=20),
        ),
        migrations.AlterField(
            model_name='nfctag',
            name='campaign',
            field=models.ForeignKey(blank=True, help_text="Redemption: only this campaign's offers are used here; empty: any of the store.", null=True, on_delete=django.db.models.deletion.SET_NULL, to='campaigns.campaign'),
        ),
        migrations.AlterField(
            model_name='nfctag',
            name='is_active',
            field=models.BooleanField(default=True, help_text='Off: its page says that the link leads nowhere.', verbose_name='is on'),
        ),
        migrations.AlterField(
            model_name='nfctag',
            name='label',
            field=models.CharField(help_text='Where it is, such as: till, front door.', max_length=200),
        ),
        migrations.AlterField(
            model_name='nfctag',
            name='public_id',
            field=models.CharField(default=campaigns.signup.models.new_public_id, editable=False, max_length=64, unique=True, verbose_name='code'),
        ),
        migrations.AddConstraint(
            model_name='nfcscan',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['opened', 'submitted'])), name='nfcscan_status_known'),
        ),
        migrations.AddConstraint(
            model_name='nfctag',
            constraint=models.CheckConstraint(condition=models.Q(('type__in', ['opt_in', 'redemption'])), name='nfctag_type_known'),
        ),
        migrations.AddField(
            model_name='publicsignupevent',
            name='contact',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='contacts.contact'),
        ),
        migrations.AddField(
            model_name='publicsignupevent',
            name='owner',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, to=settings.AUTH_USER_MODEL, verbose_name='store'),
        ),
        migrations.AddField(
            model_name='publicsignupevent',
            name='tag',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='campaigns.nfctag'),
        ),
        migrations.AddField(
            model_name='retailasset',
            name='owner',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='store'),
        ),
        migrations.AddField(
            model_name='signuppage',
            name='owner',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='store'),
        ),
        migrations.AddIndex(
            model_name='publicsignupevent',
            index=models.Index(fields=['owner', 'created_at'], name='publicsignupevent_owner'),
        ),
        migrations.AddIndex(
            model_name='publicsignupevent',
            index=models.Index(condition=models.Q(('outcome', 'waiting')), fields=['id'], name='publicsignupevent_waiting'),
        ),
        migrations.AddConstraint(
            model_name='publicsignupevent',
            constraint=models.CheckConstraint(condition=models.Q(('outcome__in', ['waiting', 'subscribed', 'asked', 'subscribed_before', 'opted_out', 'refused', 'erased'])), name='publicsignupevent_outcome'),
        ),
        migrations.AddConstraint(
            model_name='signuppage',
            constraint=models.CheckConstraint(condition=models.Q(('primary_color__regex', '^#[0-9a-fA-F]{6}$')), name='signuppage_color_is_hex'),
        ),
    ]
