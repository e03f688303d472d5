"""The applications that the nodes of these tests run."""
