"""One script a schema version: 0001, 0002, ... Forward only; a published script never changes."""
