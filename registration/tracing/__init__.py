"""Traces: what a request does, as spans of OpenTelemetry, which only one module here knows."""
