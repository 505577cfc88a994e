"""The gateway controller: watches feed the world, one pass of the program, what changed goes out.

`loop` joins the parts; `watching` turns objects into sources, `sending` hands what changed to xDS, `statuses` and
`fleets` write to the API, `identity` keeps the certificates of both.
"""

from .loop import Settings, run

__all__ = ["Settings", "run"]
