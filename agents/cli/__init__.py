"""From a command line and preset files to the configuration of a run."""
