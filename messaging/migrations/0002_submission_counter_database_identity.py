from django.db import migrations

# The row is there from the beginning: a backup that was made before the first submission is also
# recognised. As DATABASE_IDENTITY in messaging/database_age.py.
COUNT_FROM_HERE = """
    INSERT INTO messaging_submissioncounter (id, number, database_identity)
    SELECT 1, 0, concat_ws(' ', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8),
        (SELECT oid FROM pg_database WHERE datname = current_database()),
        'messaging_submissioncounter'::regclass::oid)
    FROM pg_control_system()
    ON CONFLICT (id) DO UPDATE SET database_identity = EXCLUDED.database_identity
"""


class Migration(migrations.Migration):
    dependencies = [("messaging", "0001_initial")]

    operations = [
        migrations.RunSQL(COUNT_FROM_HERE, migrations.RunSQL.noop),
    ]
