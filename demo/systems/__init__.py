"""The partners' own systems: with schemas, codes and dates that nobody made for us."""
