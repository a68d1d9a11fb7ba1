"""Where a repository stands: a share of clean lines by category, one figure made of them, and what would raise it.

Pure: a report on everything and a census of the files in, a `Standing` out. Fractions to the end, so that two runs give
the same bytes. `guard.scoring.model` has the types, `guard.scoring.weigh` the formula.
"""
