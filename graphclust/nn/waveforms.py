"""Shape of the waveform of a spike: what the family `spikes` draws and the encoder of that name reads."""

from __future__ import annotations

__all__ = ["N_CHANNELS", "N_SAMPLES"]

N_CHANNELS = 7  # electrodes: that of the largest amplitude, and its six neighbours on a hexagonal array
N_SAMPLES = 32
