"""What every process has around it: settings, logging, database, HTTP, trust list, problems."""
