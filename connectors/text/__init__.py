"""Bytes and markup to plain text: what mail and calendars share. Pure, linear, never raising."""
