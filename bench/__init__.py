"""Measurements, as ratios side by side in one run; medians, because machines are noisy."""
