"""Losses of networks or branches that are trained together, without a finished teacher."""
