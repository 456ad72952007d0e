import astronote.accounts.models
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('email', models.EmailField(max_length=254, unique=True, verbose_name='e-mail address')),
                ('sender_name', models.CharField(blank=True, help_text="Sender ID on the customers' phones: 3 to 11 letters, digits and inner spaces, or a number with + and country code; only a number can be answered.", max_length=16, validators=[django.core.validators.RegexValidator('^([A-Za-z0-9][A-Za-z0-9 ]{1,9}[A-Za-z0-9]|\\+[0-9]{7,15})\\Z', 'Use 3 to 11 letters, digits and inner spaces, or a number with + and country code.')], verbose_name='sender ID')),
                ('company', models.CharField(blank=True, max_length=160, verbose_name='name')),
                ('timezone', models.CharField(default='UTC', max_length=50, validators=[astronote.accounts.models.validate_timezone], verbose_name='time zone')),
                ('retention_days', models.PositiveSmallIntegerField(blank=True, help_text='After an opt-out, if shorter than PII_RETENTION_DAYS.', null=True, verbose_name='days until personal data is removed')),
                ('phone_region', models.CharField(blank=True, help_text='Country of phone numbers written without a country code; empty: the default.', max_length=2, validators=[astronote.accounts.models.validate_region], verbose_name='country')),
                ('language', models.CharField(blank=True, choices=[('en', 'English'), ('el', 'Greek'), ('de', 'German'), ('fr', 'French'), ('es', 'Spanish'), ('it', 'Italian')], help_text="Of the opt-out line and customers' pages; empty: that of the country.", max_length=2, verbose_name='language')),
                ('opt_out_line', models.CharField(blank=True, help_text="Ends marketing texts instead of the line in the store's language; holds {{unsubscribe_link}}, or a word such as STOP if the sender ID is a number.", max_length=160, verbose_name='opt-out line')),
                ('privacy_notice_url', models.URLField(blank=True, help_text="Address of the store's own, linked on the page behind the opt-out link.", max_length=500, validators=[django.core.validators.URLValidator(['http', 'https'])], verbose_name='privacy notice')),
                ('double_opt_in', models.BooleanField(default=False, help_text='Imported consent counts only after the customer has confirmed it by SMS.', verbose_name='double opt-in')),
                ('opt_in_wording', models.CharField(blank=True, help_text="What the SMS asks, in the customers' language; empty: a standard question. {{confirm_link}} is where the customer agrees; without it, it is added at the end.", max_length=300, verbose_name='opt-in wording')),
                ('opt_in_version', models.CharField(blank=True, help_text='A name for this version of the wording.', max_length=80, verbose_name='version of the opt-in wording')),
                ('confirms_opt_outs', models.BooleanField(default=False, help_text='Answer an opt-out by SMS with one message; it costs credits.', verbose_name='confirms opt-outs')),
                ('sends_to_any_number', models.BooleanField(default=False, help_text='Also message numbers that are no mobiles, such as landlines; they cost credits though few can receive SMS.', verbose_name='sends to any number')),
                ('writes_greek_in_capitals', models.BooleanField(default=False, help_text='Offer Greek texts in the capitals of the GSM alphabet and write names in them: a part then holds 160 characters instead of 70.', verbose_name='writes Greek in capitals')),
                ('weekly_exports', models.BooleanField(db_default=False, default=False, help_text='Each Monday, files of its contacts, messages, visits and ledger are made.', verbose_name='weekly exports')),
                ('business_profile', models.CharField(choices=[('retail', 'Retail'), ('gym', 'Gym'), ('appointments', 'Appointments'), ('hotel', 'Hotel'), ('other', 'Other')], default='retail', max_length=20, verbose_name='business profile')),
                ('subscription_status', models.CharField(choices=[('active', 'Active'), ('trialing', 'Trialing'), ('past_due', 'Past Due'), ('unpaid', 'Unpaid'), ('incomplete', 'Incomplete'), ('paused', 'Paused'), ('inactive', 'Inactive'), ('cancelled', 'Cancelled')], default='active', max_length=20, verbose_name='subscription status')),
                ('service_max_recipients', models.PositiveIntegerField(default=500, help_text="One to more than so many needs a second person's confirmation.", verbose_name='recipients of a service campaign')),
                ('billing_hold', models.BooleanField(default=False, help_text='Blocks all sending.', verbose_name='billing hold')),
                ('billing_hold_reason', models.CharField(blank=True, max_length=255, verbose_name='billing hold reason')),
                ('billing_hold_at', models.DateTimeField(blank=True, null=True, verbose_name='billing hold at')),
                ('is_staff', models.BooleanField(default=False, help_text='May use the admin.', verbose_name='is staff')),
                ('is_active', models.BooleanField(default=True, verbose_name='is active')),
                ('gets_alerts', models.BooleanField(default=False, editable=False, help_text='An operator switches it on the page of the own account.', verbose_name='gets alerts by e-mail')),
                ('left_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='left')),
                ('erase_on', models.DateField(blank=True, editable=False, null=True, verbose_name='data erased from')),
                ('erased_at', models.DateTimeField(blank=True, editable=False, null=True, verbose_name='data erased')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='created at')),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={"permissions": [('change_service_limit', 'Can change how many a service campaign reaches unconfirmed'), ('off_board_user', 'Can off-board a store and export all of its data')], "verbose_name": 'store', "verbose_name_plural": 'stores', "constraints": [models.UniqueConstraint(django.db.models.functions.text.Lower('email'), name='user_email_any_case'), models.CheckConstraint(condition=models.Q(('language__in', ['', 'en', 'el', 'de', 'fr', 'es', 'it'])), name='user_language_known'), models.CheckConstraint(condition=models.Q(('business_profile__in', ['retail', 'gym', 'appointments', 'hotel', 'other'])), name='user_business_profile_known'), models.CheckConstraint(condition=models.Q(('subscription_status__in', ['active', 'trialing', 'past_due', 'unpaid', 'incomplete', 'paused', 'inactive', 'cancelled'])), name='user_subscription_status_known')]},
        ),
        migrations.CreateModel(
            name='Operator',
            fields=[
            ],
            options={"verbose_name": 'operator', "verbose_name_plural": 'operators', "proxy": True, "indexes": [], "constraints": []},
            bases=('astronote.user',),
        ),
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name='at')),
                ('actor_name', models.CharField(help_text="an account's id, or a program", max_length=80, verbose_name='who')),
                ('action', models.CharField(max_length=60, verbose_name='did')),
                ('subject', models.CharField(blank=True, help_text='such as: campaign 12', max_length=60, verbose_name='what')),
                ('details', models.JSONField(default=dict, verbose_name='details')),
                ('actor', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='actor')),
                ('owner', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='store')),
            ],
            options={"verbose_name": 'audit entry', "verbose_name_plural": 'audit entries', "indexes": [models.Index(fields=['subject'], name='auditentry_subject'), models.Index(fields=['action', 'id'], name='auditentry_action'), models.Index(fields=['owner', 'id'], name='auditentry_owner'), models.Index(fields=['actor', 'id'], name='auditentry_actor')]},
        ),
        migrations.CreateModel(
            name='Session',
            fields=[
                ('session_key', models.CharField(max_length=40, primary_key=True, serialize=False, verbose_name='session key')),
                ('session_data', models.TextField(verbose_name='session data')),
                ('expire_date', models.DateTimeField(db_index=True, verbose_name='expire date')),
                ('started_at', models.DateTimeField(null=True)),
                ('used_at', models.DateTimeField(null=True)),
                ('address', models.CharField(blank=True, max_length=45)),
                ('browser', models.CharField(blank=True, max_length=255)),
                ('account', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'session',
                'verbose_name_plural': 'sessions',
                'abstract': False,
                'default_permissions': (),
            },
        ),
    ]
