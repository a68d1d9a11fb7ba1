"""Imports against what is installed: the tree's requirements, an environment's packages, the order of `sys.path`."""
