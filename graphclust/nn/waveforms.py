"""Shape of spike waveforms, which the family `spikes` draws and the encoder `spikes` reads."""

from __future__ import annotations

__all__ = ["N_CHANNELS", "N_SAMPLES"]

N_CHANNELS = 7  # the electrode with the largest amplitude and its six neighbours in a hexagonal array
N_SAMPLES = 32
