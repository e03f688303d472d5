"""What a person declares: procedures, handlers, errors, namespaces, and where they are kept."""
