"""Small things that know nothing of the project: checks, files, backends.

Used by every other room; uses none.
"""
