# ruff: noqa: S608 - every part of these queries is a name that the caller's code holds
"""Posts of private accounts as cells, none of fewer than ten accounts.

A cell is all posts that read alike in what is shown of them. The cells are one partition of the posts, and everything that is
published of private accounts' posts is a sum over whole cells: so any figure, and any difference of two figures where one contains
the other, is of no account or of ten and more.

Reference: Sweeney 2002, IJUFKS 10(5) (k-anonymity); LeFevre, DeWitt, Ramakrishnan 2006, ICDE (splitting from the top);
Hundepool et al. 2012, Statistical Disclosure Control, ch. 4 (complementary suppression).
"""

from collections.abc import Sequence

import duckdb

K = 10
"""Fewest private accounts that anything published describes (SCOPE: counts never go below ten people)."""


def form_cells(con: duckdb.DuckDBPyConnection, table: str, attributes: Sequence[str], k: int = K) -> None:
    """Make attributes null in ``table`` until posts that read alike are of ``k`` accounts or more; rows of fewer in all go.

    The posts are split by one attribute after the other, those that matter most first. Values held by too few accounts are
    withheld together; where the withheld are too few in turn, the smallest value that would have stood is withheld with them,
    or what is left of the sum would give them away. What is withheld at one attribute is still split by the next ones.

    Args:
        con: where ``table`` is; rows are updated in place.
        table: a row for each post: ``account``; ``period`` (any type) and ``n_keys``, see below; the attributes, as text and
            never null before.
        attributes: columns, in the order of what matters.
        k: fewest accounts.

    One account has another pseudonym under another key, and no list says which are the same. In a ``period`` in which at most
    ``n_keys`` keys were in use, n pseudonyms are n / n_keys accounts or more; of several periods the largest counts.
    """
    con.execute(f"CREATE OR REPLACE TEMP TABLE cells_work AS SELECT *, 0::BIGINT AS cell FROM {table}")
    if _one(con, f"SELECT coalesce(max(n), 0) FROM ({_accounts('cells_work', 'cell')})") < k:
        con.execute("DELETE FROM cells_work")
    for attribute in attributes:
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE cells_parts AS
            SELECT cell, {attribute} AS value, n, row_number() OVER (ORDER BY cell, {attribute}) AS part, n < {k} AS is_withheld
            FROM ({_accounts("cells_work", f"cell, {attribute}")})"""
        )
        # Where what is withheld in a cell is of too few accounts, the smallest part that would stand joins it.
        con.execute(
            f"""
            UPDATE cells_parts SET is_withheld = true WHERE part IN (
                SELECT arg_min(part, (n, part)) FROM cells_parts WHERE NOT is_withheld AND cell IN (
                    SELECT cell FROM ({_accounts(_withheld(attribute), "cell")}) WHERE n < {k}
                ) GROUP BY cell
            )"""
        )
        con.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE cells_next AS
            SELECT w.* EXCLUDE (cell) REPLACE (CASE WHEN p.is_withheld THEN NULL ELSE w.{attribute} END AS {attribute}),
                CASE WHEN p.is_withheld THEN r.part ELSE p.part END AS cell
            FROM cells_work w JOIN cells_parts p ON w.cell = p.cell AND w.{attribute} = p.value
            LEFT JOIN (SELECT cell, min(part) AS part FROM cells_parts WHERE is_withheld GROUP BY cell) r ON w.cell = r.cell"""
        )
        con.execute("CREATE OR REPLACE TEMP TABLE cells_work AS FROM cells_next")
    con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * EXCLUDE (cell) FROM cells_work")
    for name in ("work", "parts", "next"):
        con.execute(f"DROP TABLE IF EXISTS cells_{name}")


def _accounts(rows: str, by: str) -> str:
    """Select ``by`` and n: at least how many accounts these rows are of."""
    return f"""
        SELECT {by}, max(n) AS n FROM (
            SELECT {by}, ceil(count(DISTINCT account) / max(n_keys))::BIGINT AS n FROM {rows} GROUP BY {by}, period
        ) GROUP BY {by}"""


def _withheld(attribute: str) -> str:
    return f"""(
        SELECT w.* FROM cells_work w SEMI JOIN (FROM cells_parts WHERE is_withheld) p
        ON w.cell = p.cell AND w.{attribute} = p.value
    )"""


def _one(con: duckdb.DuckDBPyConnection, query: str) -> int:
    ((value,),) = con.execute(query).fetchall()
    return int(value)
