"""Certificates: what was proved of a cell, in a file that another program can check again.

`writer` knows the toolkit. All else here is the checker: it imports nothing but Python's own
library, `derive.errors` and itself. Read it as indices, algebra, declarations, reader, steps (these
decide `gradients`), statements, values, examples, claims, checker, files.
"""
