"""The README is run: every command and every block of code."""
