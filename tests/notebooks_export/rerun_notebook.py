# Runs a notebook of epsim again, in place of nobody: says whether it is valid, and whether every
# chart that matplotlib draws then has as many marks as the picture that epsim drew.
import re
import sys
import xml.etree.ElementTree as xml

import nbformat
from nbconvert.preprocessors import ExecutePreprocessor

SVG = "image/svg+xml"
VEGA = "application/vnd.vegalite.v5+json"


def pictures(cells):
    """The data of the outputs that are pictures, by the cell's id."""
    return {
        cell.id: output.data
        for cell in cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if SVG in output.get("data", {})
    }


def name_of(element):
    return element.tag.rsplit("}", 1)[-1]


def marks_of_matplotlib(svg):
    """Points, bars and cells of the first axes; what its legend shows is none of them."""
    axes = next(e for e in xml.fromstring(svg).iter() if e.get("id") == "axes_1")
    count = 0
    for group in axes:
        kind = (group.get("id") or "").rsplit("_", 1)[0]
        drawn = [e for e in group.iter() if name_of(e) in ("use", "path")]
        if kind in ("PathCollection", "QuadMesh"):
            in_definitions = [e for d in group.iter() if name_of(d) == "defs" for e in d]
            count += len(drawn) - len(in_definitions)
        elif kind == "patch":
            count += sum(1 for e in drawn if e.get("clip-path"))
    return count


def main(path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5), "nbformat 4.5"
    nbformat.validate(notebook)
    drawn = pictures(notebook.cells)
    assert drawn, "a notebook has charts"

    # As drawings, whose marks can be counted, instead of pixels.
    setup = notebook.cells[1]
    assert '["retina"]' in setup.source, "the second cell says how charts are drawn"
    setup.source = setup.source.replace('["retina"]', '["svg"]')
    ExecutePreprocessor(timeout=120, kernel_name="python3").preprocess(notebook)
    complaints = [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type in ("stream", "error")
    ]
    assert not complaints, complaints
    again = pictures(notebook.cells)
    assert drawn.keys() == again.keys(), "the same cells draw"
    for cell, data in drawn.items():
        ours = len(re.findall('class="mark"', data[SVG]))
        theirs = marks_of_matplotlib(again[cell][SVG])
        rows = len(data[VEGA]["data"]["values"])
        print(f"{cell}: {ours} marks, {theirs} again; {data['text/plain']}")
        assert ours > 0 and ours == theirs == rows, cell


main(sys.argv[1])
