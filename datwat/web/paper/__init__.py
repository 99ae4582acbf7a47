"""Documents on paper (PDF/UA-1): what they are made of, how they are set, and the press itself."""
