"""From a definition and this machine's files to the image's entries, each with its reason."""
