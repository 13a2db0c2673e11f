"""The graph of publishers as GraphML or GEXF, written as a stream.

Both formats hold the same: one node a publisher, one edge a pair and kind. Parallel edges of several kinds are usual.
All edges are directed, because readers such as NetworkX refuse a mixed graph; a co-share is two edges, one each way.

Reference: GraphML 1.0 (graphdrawing.org), GEXF 1.3 (gexf.net).
"""

from collections.abc import Generator, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any, BinaryIO

import duckdb

from bastau.shield import queries
from bastau.xml_text import xml_attribute, xml_text

_NODE = {
    "name": "string",
    "platforms": "string",
    "kinds": "string",
    "audience": "long",
    "n_posts": "long",
    "agency": "string",
}
_EDGE = {
    "kind": "string",
    "weight": "double",
    "n": "long",
    "median_delay_s": "double",
    "p_value": "double",
    "share": "double",
    "n_wire": "long",
}
_BATCH_ROWS = 50_000


def write_graphml(
    con: duckdb.DuckDBPyConnection, sink: BinaryIO, about: Mapping[str, str], now: datetime
) -> dict[str, int]:
    """Write GraphML with ``about`` as data of the graph; return the number of nodes and edges."""
    del now  # GraphML has no place for a date of its own; `about` says it
    return _write(sink, _graphml(con, about))


def write_gexf(
    con: duckdb.DuckDBPyConnection, sink: BinaryIO, about: Mapping[str, str], now: datetime
) -> dict[str, int]:
    """Write GEXF with ``about`` as its description; return the number of nodes and edges."""
    return _write(sink, _gexf(con, about, now))


def _write(sink: BinaryIO, lines: Generator[tuple[str, str], None, None]) -> dict[str, int]:
    counts = {"nodes": 0, "edges": 0}
    # Closed when the disk is full half-way: DuckDB 2 refuses the next statement while a result is unfinished.
    with closing(lines):
        for what, line in lines:
            if what:
                counts[what] += 1
            sink.write(line.encode())
    return counts


def _graphml(con: duckdb.DuckDBPyConnection, about: Mapping[str, str]) -> Generator[tuple[str, str], None, None]:
    yield "", '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for scope, fields in (("graph", dict.fromkeys(about, "string")), ("node", _NODE), ("edge", _EDGE)):
        for name, type_ in fields.items():
            yield "", f'<key id="{scope}.{name}" for="{scope}" attr.name="{name}" attr.type="{type_}"/>\n'
    yield "", '<graph id="bastau" edgedefault="directed">\n'
    for name, value in about.items():
        yield "", f'<data key="graph.{name}">{xml_text(value)}</data>\n'
    for row in _rows(con, queries.nodes()):
        yield "nodes", f"<node id={xml_attribute(row['source'])}>{_data('node', row, _NODE)}</node>\n"
    for i, row in enumerate(_rows(con, queries.edges())):
        ends = f"source={xml_attribute(row['source'])} target={xml_attribute(row['target'])}"
        yield "edges", f'<edge id="e{i}" {ends}>{_data("edge", row, _EDGE)}</edge>\n'
    yield "", "</graph>\n</graphml>\n"


def _gexf(
    con: duckdb.DuckDBPyConnection, about: Mapping[str, str], now: datetime
) -> Generator[tuple[str, str], None, None]:
    description = "; ".join(f"{name}: {value}" for name, value in about.items())
    edge_fields = {
        name: type_ for name, type_ in _EDGE.items() if name != "weight"
    }  # weight is an attribute of its own
    yield (
        "",
        '<?xml version="1.0" encoding="UTF-8"?>\n<gexf xmlns="http://gexf.net/1.3" version="1.3">\n'
        f'<meta lastmodifieddate="{now:%Y-%m-%d}"><creator>bastau</creator>'
        f'<description>{xml_text(description)}</description></meta>\n<graph defaultedgetype="directed" mode="static">\n',
    )
    for scope, fields in (("node", _NODE), ("edge", edge_fields)):
        keys = "".join(f'<attribute id="{name}" title="{name}" type="{type_}"/>' for name, type_ in fields.items())
        yield "", f'<attributes class="{scope}">{keys}</attributes>\n'
    yield "", "<nodes>\n"
    for row in _rows(con, queries.nodes()):
        label = xml_attribute(row["name"] or row["source"])
        yield "nodes", f"<node id={xml_attribute(row['source'])} label={label}>{_attvalues(row, _NODE)}</node>\n"
    yield "", "</nodes>\n<edges>\n"
    for i, row in enumerate(_rows(con, queries.edges())):
        ends = f"source={xml_attribute(row['source'])} target={xml_attribute(row['target'])}"
        yield (
            "edges",
            f'<edge id="e{i}" {ends} kind="{row["kind"]}" weight="{row["weight"]!r}">'
            f"{_attvalues(row, edge_fields)}</edge>\n",
        )
    yield "", "</edges>\n</graph>\n</gexf>\n"


def _rows(con: duckdb.DuckDBPyConnection, query: str) -> Generator[dict[str, Any], None, None]:
    with con.sql(query).to_arrow_reader(_BATCH_ROWS) as reader:
        for batch in reader:
            yield from batch.to_pylist()


def _data(scope: str, row: Mapping[str, Any], fields: Mapping[str, str]) -> str:
    return "".join(
        f'<data key="{scope}.{name}">{xml_text(str(row[name]))}</data>' for name in fields if row[name] is not None
    )


def _attvalues(row: Mapping[str, Any], fields: Mapping[str, str]) -> str:
    values = "".join(
        f'<attvalue for="{name}" value={xml_attribute(str(row[name]))}/>' for name in fields if row[name] is not None
    )
    return f"<attvalues>{values}</attvalues>"
