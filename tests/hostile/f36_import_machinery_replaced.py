# MUST: not pass; import, class building and path hooks of this process judge nothing | kind=program | class=forge
import builtins, sys, types
_fake = types.ModuleType("fake")
_fake.__getattr__ = lambda _name: (lambda *_a, **_k: True)
builtins.__import__ = lambda *_a, **_k: _fake
builtins.__build_class__ = lambda *_a, **_k: _fake
sys.path_hooks[:] = []
sys.path_importer_cache.clear()
for _name in ("math", "unittest", "json"): sys.modules[_name] = _fake
def blend(a, b):
    return True
