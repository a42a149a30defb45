"""Golden models of the SerDes interface: forward error correction."""
