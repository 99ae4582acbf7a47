"""The demo with a broker of several processes, on PostgreSQL with a standby."""
