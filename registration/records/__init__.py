"""Records of what happened: audit, events, and how many events wait."""
