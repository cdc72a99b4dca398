"""The tree of rlar/, mirrored; helpers lie in fakes/."""
