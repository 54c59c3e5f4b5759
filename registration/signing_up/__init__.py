"""From a form to a confirmed customer."""
