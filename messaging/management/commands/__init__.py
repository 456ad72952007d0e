"""Management commands about stores, credits and messages."""
