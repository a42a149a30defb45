"""Golden models of the link layer: framing, retry, credits."""
