"""Python source that is rewritten in places, with libcst. Imported by the fixers that need it, when they need it."""
