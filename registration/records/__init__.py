"""Records of what happened (audit, events), and the deletion of expired rows."""
