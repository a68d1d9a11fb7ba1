"""Which Python the code is deployed on, and how that is known."""

from guard.target.python import NEWEST, OLDEST, TargetPython, deployed_dockerfiles, target_python

__all__ = ["NEWEST", "OLDEST", "TargetPython", "deployed_dockerfiles", "target_python"]
