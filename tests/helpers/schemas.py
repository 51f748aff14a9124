"""Messages of one line."""

from __future__ import annotations


def one_line(message: str, text: str) -> bool:
    return text in message and "\n" not in message
