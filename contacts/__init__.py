"""Who may be messaged: contacts, consent, lists, suppressions and imports."""
