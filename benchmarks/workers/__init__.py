"""One process for each measured fit; each runs in the environment of its library and prints one JSON line."""
