"""What an operator does for a customer; nothing happens without an audit row that names the operator."""
