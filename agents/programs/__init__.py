"""One program a file: `scripts/<name>.py` calls its `main`."""
