"""Automations: birthday and welcome messages, and how both are written."""
