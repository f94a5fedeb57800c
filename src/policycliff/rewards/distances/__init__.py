"""Distances between rewards: sup norm, sup norm modulo shaping, EPIC, DARD, STARC."""
