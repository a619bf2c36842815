from scratchbuild.dodo import *
