"""Queues: their catalogue, enqueueing, workers and recurring jobs."""
