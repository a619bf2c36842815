"""The libraries that a program loads, found as ld.so(8) finds them, in any root, without running anything."""
