"""Names of pictures, recalled after a delay."""
