"""rlar inside other trainers: one small module a host. rlar's core imports none of these hosts, nor do most modules here."""
