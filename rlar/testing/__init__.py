"""Stand-ins that speak real protocols on loopback, for testing a build or a judge without a model or the internet."""
