"""The residents' portal: a connector without a gateway, where people see their own log."""
