"""Who is in a cohort, in one place: the table of people, sex, age, the id bridge, and who withdrew consent.

`read` is the only reader of a table of people: of a user's own, and of `people.parquet`, which rule `people` makes of
it and every stage reads.
"""

from ecgwas.people.consent import NOBODY, Withdrawn, read_bridge, read_withdrawn
from ecgwas.people.table import SEX, read, sexes

__all__ = ["NOBODY", "SEX", "Withdrawn", "read", "read_bridge", "read_withdrawn", "sexes"]
