"""Builds, installs and checks the programs that the harness runs and that pip cannot install."""
