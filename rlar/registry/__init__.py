"""What was found out, in one SQL database.

In: tasks, tools, certificates, recipes, rows. Out: the same, and snapshots of what is served.
Leaves out: deciding anything.
"""
