"""A scenario before anything is trained: its graph, its equations, what alignment assumes of it."""
