"""Over the cliff: the constructions that break a tie, and how optimal sets move."""
