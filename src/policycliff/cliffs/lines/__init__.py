"""The optimal policy along a line of rewards: breakpoints, infinitesimal bonuses, the discount."""
