"""Stand-ins that speak the real protocols, for testing one's own builds without a network."""
