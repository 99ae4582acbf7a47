"""What a resident takes home: documents on paper (PDF/UA-1) and files for a program (JSON)."""
