"""Drafts put to their cases and to the past, in processes of their own beside the broker."""
