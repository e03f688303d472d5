"""An application whose import fails."""

raise RuntimeError("the database of this application is gone")
