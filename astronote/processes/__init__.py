"""Embedded PostgreSQL and Redis, and the supervisor of processes."""
