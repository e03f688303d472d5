"""No one gets in where they don't belong: attempts on the configuration that is the default."""
