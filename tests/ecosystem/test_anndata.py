"""`gc.tl` on AnnData: what it reads, and what it writes.

anndata does not go with the newest pandas. Where it is not installed, a class that has what `gc.tl` uses stands for it.
"""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.neighbors import kneighbors_graph

import graphclust as gc
from graphclust.errors import UsageError

try:
    from anndata import AnnData
except ImportError:

    class AnnData:
        def __init__(self, x):
            self.X, self.obs, self.obsp, self.uns = x, pd.DataFrame(index=map(str, range(len(x)))), {}, {}

        def copy(self):
            return deepcopy(self)


N, K = 300, 5


@pytest.fixture
def adata():
    """Cells of five kinds, with their graph of nearest neighbors where scanpy puts it."""
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(K), N // K)
    x = rng.normal(size=(K, 8))[kind] * 5 + rng.normal(size=(N, 8))
    cells = AnnData(x.astype(np.float32))
    cells.obs["kind"] = np.array(["B", "T", "NK", "M", "D"])[kind]
    cells.obsp["connectivities"] = graph(x, 12)
    cells.obsp["other_connectivities"] = graph(x, 6)
    cells.uns["other"] = {"connectivities_key": "other_connectivities"}
    return cells


def graph(x, n_neighbors):
    distances = kneighbors_graph(x, n_neighbors, mode="distance")
    distances.data = np.exp(-distances.data)
    return sp.csr_matrix(distances.maximum(distances.T))


def test_labels_are_those_of_detect(adata):
    assert gc.tl.leiden(adata, resolution=0.7) is None
    own = gc.detect(adata.obsp["connectivities"], "leiden", resolution=0.7)
    assert adata.obs["leiden"].astype(int).tolist() == own.labels.tolist()
    assert list(adata.obs["leiden"].cat.categories) == [str(label) for label in range(own.n_clusters)]
    assert adata.uns["leiden"]["params"]["resolution"] == 0.7
    assert adata.uns["leiden"]["quality"]["modularity"] == own.quality()["modularity"]


def test_auto_adds_confidence(adata):
    gc.tl.detect(adata)
    assert adata.obs["graphclust_confidence"].between(0, 1).all()
    assert gc.metrics.ami(adata.obs["graphclust"].astype(int), np.repeat(np.arange(K), N // K)) > 0.95
    gc.tl.detect(adata, "spectral", n_clusters=4, key_added="four")
    assert adata.obs["four"].nunique() == 4
    assert adata.uns["graphclust"]["params"]["method"] == "auto"


def test_a_file_holds_all(adata, tmp_path):
    anndata = pytest.importorskip("anndata")
    gc.tl.detect(adata)
    gc.tl.leiden(adata, restrict_to=("kind", ["B"]))
    adata.write_h5ad(tmp_path / "cells.h5ad")
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert read.obs["graphclust"].equals(adata.obs["graphclust"])
    assert read.uns["kind_R"]["params"]["resolution"] == 1.0


def test_where_the_graph_is(adata):
    gc.tl.leiden(adata, neighbors_key="other", key_added="a")
    gc.tl.leiden(adata, obsp="other_connectivities", key_added="b")
    gc.tl.leiden(adata, adjacency=adata.obsp["other_connectivities"], key_added="c")
    assert (adata.obs["a"] == adata.obs["b"]).all()
    assert (adata.obs["a"] == adata.obs["c"]).all()
    gc.tl.leiden(adata, use_weights=False, key_added="d")
    own = gc.detect(adata.obsp["connectivities"] > 0, "leiden")
    assert adata.obs["d"].astype(int).tolist() == own.labels.tolist()


def test_some_cells_alone(adata):
    gc.tl.leiden(adata, 2.0, restrict_to=("kind", ["B", "NK"]))
    labels, is_chosen = adata.obs["kind_R"].astype(str), adata.obs["kind"].isin(["B", "NK"])
    assert (labels[~is_chosen] == adata.obs["kind"][~is_chosen]).all()
    assert labels[is_chosen].str.startswith("B-NK,").all()
    cells = np.flatnonzero(is_chosen)
    own = gc.detect(adata.obsp["connectivities"][cells][:, cells], "leiden", resolution=2.0)
    assert labels[is_chosen].str.split(",").str[1].astype(int).tolist() == own.labels.tolist()
    numbers = [name.split(",")[1] for name in adata.obs["kind_R"].cat.categories if "," in name]
    assert numbers == sorted(numbers, key=int)


def test_a_copy_leaves_the_original(adata):
    other = gc.tl.leiden(adata, copy=True)
    assert "leiden" in other.obs
    assert "leiden" not in adata.obs
    assert "louvain" in gc.tl.louvain(adata, copy=True).obs


def test_scanpys_arguments(adata):
    gc.tl.leiden(adata, 0.1, partition_type="CPMVertexPartition", flavor="igraph", directed=False, n_iterations=2)
    own = gc.detect(adata.obsp["connectivities"], "leiden", resolution=0.1, objective="cpm", n_iterations=2)
    assert adata.obs["leiden"].astype(int).tolist() == own.labels.tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"obsp": "none"}, r"adata.obsp has no 'none'; it has 'connectivities', .*scanpy.pp.neighbors"),
        ({"neighbors_key": "none"}, "adata.uns has no 'none'; it has 'other'"),
        ({"neighbors_key": "other", "obsp": "connectivities"}, "leave out one of them"),
        ({"restrict_to": ("none", ["B"])}, "adata.obs has no column 'none'; it has 'kind'"),
        ({"restrict_to": ("kind", ["X"])}, "no cell has 'X'"),
        ({"restrict_to": ("kind", "B")}, r"such as \('kind', \['B'\]\)"),
        ({"partition_type": "SurpriseVertexPartition"}, "partition_type is one of .*, not Surprise"),
    ],
)
def test_errors(adata, options, message):
    with pytest.raises(UsageError, match=message):
        gc.tl.leiden(adata, **options)
