"""How far reward models of one ensemble disagree, and what their disagreement does to the best behaviours."""
