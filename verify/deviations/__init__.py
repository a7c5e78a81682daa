"""Known ways to be wrong, as data that makes models which are wrong in that way."""
