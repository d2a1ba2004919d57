"""Rows: where they come from, drawn from the simulated world, after an intervention, and which of them are a pair."""
