"""Which known deviations reproduce what an implementation does."""
