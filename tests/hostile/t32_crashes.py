# MUST: not pass; a suite that breaks its interpreter breaks nobody else's | kind=suite | class=crash
import ctypes
assert blend(1, 2) == 12
ctypes.string_at(0)
