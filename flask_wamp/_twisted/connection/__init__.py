"""A connection of the process's own: connecting, logging in, and again after every loss."""
