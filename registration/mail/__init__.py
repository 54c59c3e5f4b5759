"""Mails: the outbox that keeps them, the relay that sends them, their texts and transports."""
