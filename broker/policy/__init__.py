"""The question that OPA weighs and the decision that comes back: total in, total out."""
