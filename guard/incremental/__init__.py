"""Judging a tree that differs in few files from one that was judged before.

What was kept of the earlier run (`kept`, `maps`) says which files may be hit by the difference (`shape`, `changes`,
`edges`, `stacks`); only those are judged, and the facts of others are read where a judgement asks for them
(`on_demand`). What is new there is looked for again with the facts of what may keep it from being reported, and only if
need be with those of all files (`judging`). Wherever that is not certain to find all that a run over the whole tree
would find, `quick` gives no answer, and the tree is judged whole.
"""
