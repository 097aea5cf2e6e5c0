"""One task a file; one with parts is a folder."""
