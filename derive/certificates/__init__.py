"""Certificates: what was proved of a cell, in a file that another program can check again.

`writer` knows the toolkit. All else here is the checker: it imports nothing but Python's own
library, `derive.errors` and itself. Read it as indices, algebra, declarations, reader, sweep (these
decide `gradients`); steps, statements, forms; intervals, terms, ranges; values, examples; subject;
derivatives, bounds, slopes, parameters, laws; claims, checker, files. kinds.toml has what is said.
"""
