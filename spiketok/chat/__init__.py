"""ChatML: messages, tool calls, encoding, and parsing of replies."""
