"""Container images made from binaries that already exist, without a Dockerfile and without a daemon."""

__version__ = "0.1.0"
