"""Accounts of stores and operators, roles, login and eligibility."""
