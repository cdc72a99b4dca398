"""The registry's migrations, run by `rlar.registry.migrations`."""
