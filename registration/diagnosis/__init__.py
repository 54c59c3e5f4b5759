"""What is wrong with an installation, and what to do: the checks of `registration-gateway doctor`."""
