"""Asking: the life of a question, from the message that came in to the answer with its receipts."""
