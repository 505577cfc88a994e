"""Images that the node brings along: one file per image, found by the last part of an image name."""
