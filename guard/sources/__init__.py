"""Where files come from. A `Tree` is a set of paths with content ids and a way to read the bytes."""
