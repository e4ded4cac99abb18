"""Search for the settings of a method on the validation split, by Optuna (an extra)."""
