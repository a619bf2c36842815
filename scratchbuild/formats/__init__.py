"""How an image is handed over: each format is functions over what `scratchbuild.image` describes."""
