"""Reports: what the journal answers, from why there was no trade to what a threshold would have let pass."""
