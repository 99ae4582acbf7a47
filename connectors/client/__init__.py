"""The client: what a partner's own software asks and says, by the partner's own client numbers."""
