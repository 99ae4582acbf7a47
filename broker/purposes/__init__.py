"""What may be asked for: purposes, products and kinds of involvement, as data of officers."""
