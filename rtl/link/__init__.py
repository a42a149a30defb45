"""The link layer: framing, retry, credits."""
