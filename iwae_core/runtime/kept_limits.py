"""What one browser may have: so many runs, so many bytes, so many runs that play."""

from dataclasses import dataclass

from iwae_core.runtime.store_record import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one browser may have; stated on the page before it is reached.

    Attributes:
        n_playing: Runs that play at one time; a pair counts as two, here and below.
        n_kept: Runs with a name, and branches.
        n_recent: Other runs; the oldest make room for new ones.
        n_bytes: Of the states of all its runs together.
    """

    n_playing: int = 4
    n_kept: int = 60
    n_recent: int = 10
    n_bytes: int = 500_000_000

    @property
    def about_playing(self) -> str:
        """What a reader is told before the limit is met."""
        return f"One browser may play {self.n_playing} runs at a time; a pair counts as two."

    def check_room(self, used: Usage, n_more: int = 1) -> None:
        """Refuse more kept runs where a limit would be passed.

        Raises:
            ValueError: With a sentence for the reader.
        """
        if used.n_kept + n_more > self.n_kept:
            raise ValueError(f"{used.n_kept} of {self.n_kept} runs are kept; delete one first")
        if used.n_bytes >= self.n_bytes:
            raise ValueError(
                f"the kept runs take {used.n_bytes / 1e6:.0f} of {self.n_bytes / 1e6:.0f} MB; "
                "delete some first"
            )

    def check_may_play(self, n_playing: int, n_more: int = 1) -> None:
        """Refuse more playing runs where the limit would be passed.

        Raises:
            ValueError: With a sentence for the reader.
        """
        if n_playing + n_more > self.n_playing:
            raise ValueError(
                f"{n_playing} runs of yours are playing, and one browser may play "
                f"{self.n_playing} (a pair counts as two); pause one of them first"
            )
