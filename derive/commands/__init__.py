"""What the commands do: exit codes, streams and files. Heavy imports stand inside functions."""
