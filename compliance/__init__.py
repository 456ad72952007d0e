"""Unsubscribe page, retention, and the rights of a person."""
