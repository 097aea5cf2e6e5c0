"""Published data sets: downloaded, checked, found."""
