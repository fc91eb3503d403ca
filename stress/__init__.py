"""Tests that take minutes, run by `make stress`."""
