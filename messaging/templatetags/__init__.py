"""Template filters of messaging."""
