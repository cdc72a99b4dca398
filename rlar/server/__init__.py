"""Rewards over HTTP: `rlar serve`. Needs the extra rlar[serve]."""
