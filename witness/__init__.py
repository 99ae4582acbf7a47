"""A party of its own: follows a log from outside, and vouches for what it has followed."""
