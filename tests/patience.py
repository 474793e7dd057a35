"""How long tests wait for what must come, in one place.

A wait ends when its condition holds, so that patience costs nothing where all is well. It is long
enough for a machine that is busy with other things: training has the lowest priority, and gets a
twentieth of a core where two others want each of them.
"""

SECONDS = 240
MS = 1000 * SECONDS
