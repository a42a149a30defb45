"""Golden models of the SerDes interface: forward error correction, and parts of 64b/66b."""
