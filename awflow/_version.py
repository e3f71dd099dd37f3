"""The version, apart so that building and the command line can read it without importing the rest."""

__version__ = '0.1.0'
