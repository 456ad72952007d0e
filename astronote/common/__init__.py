"""What every app uses: locks, logs, audit trail, progress, SQL, spreadsheets, admin lists."""
