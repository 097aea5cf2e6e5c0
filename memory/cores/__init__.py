"""One memory a file; one with parts is a folder."""
