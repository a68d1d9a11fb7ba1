"""The staging loop: guards, deploy, health, phased tests, verdict, and what follows from it.

Sees the analysis only as a function that gives a `Report`. Modules of the loop import what the extra `guard[loop]`
installs, so nothing but the loop's own commands imports them.
"""
