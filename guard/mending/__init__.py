"""How findings of IMP can be mended: what `guard.where` says of each name, as the file itself would write it."""
