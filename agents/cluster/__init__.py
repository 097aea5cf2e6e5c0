"""Starting and stopping Ray."""
