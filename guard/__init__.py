"""guard finds, before a deploy, the failures that take a Python service down."""

__version__ = "0.1.0"
