"""Sending messages: batches, credits, Mitto, receipts and replies. See `docs/architecture.md`."""
