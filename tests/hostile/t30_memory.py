# MUST: not pass; a suite's memory is bounded (here: 8 GB) | kind=suite | class=memory
assert blend(1, 2) == 12
_kept = [bytearray(64 << 20) for _ in range(128)]
