"""Runs of a task: seeded, resumable, each in a folder of its own."""
