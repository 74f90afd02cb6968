"""Search for settings: spaces, studies, reports, Weights & Biases sweeps."""
