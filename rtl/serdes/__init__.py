"""The SerDes interface: forward error correction."""
