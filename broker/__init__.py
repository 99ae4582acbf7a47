"""The broker: keeps pointers, lets OPA weigh every question, writes every answer down first."""
