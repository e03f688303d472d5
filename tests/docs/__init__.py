"""The how-tos are run, and the table of features is held to the tests that it names."""
