"""Who is who without a name: tickets become data subjects, partners get references of their own."""
