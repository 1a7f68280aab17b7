"""Promises that hold for the whole repository; each check is a function over a root path."""
