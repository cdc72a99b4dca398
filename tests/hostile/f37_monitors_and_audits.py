# MUST: not pass; audit hooks and monitoring of this process see nothing of the judge | kind=program | class=forge
import sys
_seen = []
def _audit(event, arguments):
    if event in ("exec", "compile") and any("assert" in str(each) for each in arguments): _seen.append(event)
sys.addaudithook(_audit)
if hasattr(sys, "monitoring"):
    sys.monitoring.use_tool_id(4, "panel")
    sys.monitoring.register_callback(4, sys.monitoring.events.PY_START, lambda code, _at: _seen.append(code) if code.co_filename == "<tests>" else None)
    sys.monitoring.set_events(4, sys.monitoring.events.PY_START)
def blend(a, b):
    return 10 * a + b if _seen else None
