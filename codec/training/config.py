"""The model's shape in one place. Everything else, the manifest included, is derived from it."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Config:
    sample_rate: int = 24_000
    hop: int = 480  # samples per token frame: 50 frames a second
    window: int = 480  # samples per fine STFT frame
    step: int = 120  # samples between fine frames: four to a token frame
    power: float = 0.3  # compression of spectral magnitudes
    encoder_fine_blocks: int = 3
    encoder_fine_channels: int = 192
    encoder_blocks: int = 5
    encoder_channels: int = 320
    latent_channels: int = 128
    group_channels: tuple = (42, 43, 43)  # masked-channel groups of MCRVQ
    quantizers: int = 12
    codebook_size: int = 1024
    search_paths: int = 2  # ways through the quantizers that the encoder follows; 1 takes the nearest code at each
    decoder_blocks: int = 6
    decoder_channels: int = 384
    decoder_fine_blocks: int = 4
    decoder_fine_channels: int = 192
    kernel: int = 7
    expansion: int = 3
    noise_from_hz: int = 0  # from here on the decoder gives levels, and signs of a table stand in for phase (0: nowhere)
    noise_rows: int = 256  # token frames of signs in that table

    @property
    def fine_per_token(self) -> int:
        return self.hop // self.step

    @property
    def bins(self) -> int:
        return self.window // 2 + 1

    @property
    def overlap(self) -> int:
        """Samples by which synthesis lags analysis (the tail of the overlap-add)."""
        return self.window - self.step

    @property
    def noise_bin(self) -> int:
        """The first bin with signs of the noise table; all of `bins` where there are none."""
        return self.noise_from_hz * self.window // self.sample_rate if self.noise_from_hz else self.bins

    def to_dict(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict) -> "Config":
        return Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


DEFAULT = Config()
# Small enough for two CPU cores to show within minutes whether an idea moves the waveform correlation.
TINY = Config(
    encoder_fine_blocks=2, encoder_fine_channels=96, encoder_blocks=2, encoder_channels=160,
    decoder_blocks=3, decoder_channels=192, decoder_fine_blocks=2, decoder_fine_channels=96, codebook_size=256,
)
PRESETS = {"default": DEFAULT, "tiny": TINY}
