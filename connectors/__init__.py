"""A partner's party: the client of its own software, the gateway of its sources, and the portal."""
