"""The commands of those who help customers: their acts, and the tokens of the operator schema."""
