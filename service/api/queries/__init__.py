"""Reads of the API, one statement a file."""
