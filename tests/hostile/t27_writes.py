# MUST: not pass; suites write nothing | kind=suite | class=write
assert blend(1, 2) == 12
with open("@DROP@/suite", "w") as stream: stream.write("x")
