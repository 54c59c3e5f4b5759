"""Mails: the outbox that promises them, the relay that sends them, their texts and transports."""
