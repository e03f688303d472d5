"""Speed as ratios, measured side by side in one run over one node: ``make bench``."""
