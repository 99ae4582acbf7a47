"""The pages of a partner's own staff, at the connector: where a BSN may be typed."""
