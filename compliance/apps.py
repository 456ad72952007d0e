"""Proof and cleaning: retention of personal data."""

from django.apps import AppConfig


class ComplianceConfig(AppConfig):
    name = "compliance"
