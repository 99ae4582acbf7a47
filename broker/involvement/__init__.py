"""Who is there and why: occasions, involvements, introductions, contact requests, authority."""
