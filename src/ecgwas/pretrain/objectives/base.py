"""The interface of objectives: sums of the loss over some recordings of a batch."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ecgwas import config
from ecgwas.encoder.masks import Group
from ecgwas.encoder.sums import Sums, add
from ecgwas.encoder.tokens import Grid, Tokens
from ecgwas.encoder.transformer import Encoder


@dataclass(frozen=True)
class View:
    """Some recordings of a batch, as tokens of the student and of the teacher."""

    student: Tokens
    teacher: Tokens
    groups: list[Group]  # of equally many visible tokens; rows are positions in this view
    key: list[int]  # seed and step
    slots: list[int]  # position of each recording in the whole batch: seeds its random numbers


class Objective(nn.Module):
    """Weights that training needs beside the encoder, and the loss.

    `weights`: {part: its weight in the loss}. Sums of parts are added over threads, micro-batches and processes, and
    divided by their numbers at the end, so that it does not matter how a batch is cut. What is no sum over recordings
    is a part that `pooled` finds from numbers of each.
    """

    weights: dict[str, float]
    draws_groups = True  # whether `View.groups` are needed

    def __init__(self, settings: config.Transformer, grid: Grid, encoder: Encoder) -> None:
        super().__init__()
        self.settings, self.grid = settings, grid

    def forward(self, encoder: Encoder, teacher: Encoder, view: View) -> tuple[Sums, Tensor, Tensor]:
        """Sums of the parts, the embeddings [B, E] of the student, and numbers [B, X] for `pooled`.

        teacher: the averaged encoder. A recording without visible tokens has the embedding of `embed_nothing`.
        """
        raise NotImplementedError

    def pooled(self, numbers: Tensor) -> dict[str, Tensor]:
        """{part: value} of the numbers [B, X] of all recordings together; none where X is 0."""
        return {}


class Masked(Objective):
    """Objectives that encode the visible tokens and predict the hidden ones."""

    def forward(self, encoder: Encoder, teacher: Encoder, view: View) -> tuple[Sums, Tensor, Tensor]:
        """See `Objective`; `targets` and `errors` are defined by each objective."""
        with torch.no_grad():
            targets = self.targets(teacher, view)
        device = view.student.there.device
        z = encoder.embed_nothing(len(view.student.there))
        sums: Sums = {}
        for group in view.groups:
            rows, kept, hidden, weight = (
                torch.from_numpy(x).to(device) for x in (group.rows, group.kept, group.hidden, group.weight)
            )
            tokens = view.student[rows]
            x = encoder(tokens, kept)
            z = z.index_copy(0, rows, encoder.embed(x, kept, tokens.lead).float())
            add(sums, self.errors(encoder, x, kept, hidden, weight, view.teacher.lead[rows], targets, rows))
        return sums, z, z.new_zeros(len(z), 0)

    def targets(self, teacher: Encoder, view: View) -> object:
        """Targets of the hidden tokens, of all recordings of a view."""
        raise NotImplementedError

    def errors(
        self,
        encoder: Encoder,
        x: Tensor,
        kept: Tensor,
        hidden: Tensor,
        weight: Tensor,
        lead: Tensor,
        targets: object,
        rows: Tensor,
    ) -> Sums:
        """Sums of errors of the hidden tokens [b, H] of one group; x [b, K, D] the encoded tokens at `kept`."""
        raise NotImplementedError
