"""What is written about what happened (audit, events), and how expired rows are deleted."""
