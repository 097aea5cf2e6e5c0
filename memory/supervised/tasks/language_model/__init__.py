"""Language modelling, by words or characters."""
