"""What several cores are made of."""
