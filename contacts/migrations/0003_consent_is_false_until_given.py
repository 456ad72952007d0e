from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('contacts', '0002_import_attempts_and_kept_rows'),
    ]

    operations = [
        migrations.AlterField(
            model_name='contact',
            name='is_subscribed',
            field=models.BooleanField(db_default=False, help_text='Consent to marketing; false until the customer gives it.'),
        ),
        migrations.AlterField(
            model_name='contact',
            name='service_allowed',
            field=models.BooleanField(db_default=True, help_text='Service messages rest on the contract with the customer; they are allowed until the customer objects.'),
        ),
    ]
