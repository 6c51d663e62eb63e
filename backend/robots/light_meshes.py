"""Thins out the visual meshes of a MuJoCo model, so that a camera costs a sixth of the time.

The SO-101's printed parts come as CAD exports of 350,000 triangles, most of them smaller than a
pixel; without a GPU they are nearly the whole cost of a picture. Vertices that fall into the same
small cube become one, and the triangles that vanish by that are dropped.

Only what is drawn changes: MuJoCo collides with convex hulls that are stored apart, and mass and
inertia were computed when the model was compiled.
"""

import mujoco
import numpy as np

# A mesh with fewer faces is not worth the loss.
MIN_FACES = 500


def thin_out(model: mujoco.MjModel, *, cell_m: float = 0.002) -> int:
    """Merge the vertices of each visual mesh within cubes of `cell_m`, in place.

    Renderers made before show it after `upload_meshes`.

    Returns:
        Number of faces that are left in the whole model.
    """
    for mesh in range(model.nmesh):
        if model.mesh_facenum[mesh] >= MIN_FACES:
            _thin_out_mesh(model, mesh, cell_m)
    return int(model.mesh_facenum.sum())


def upload_meshes(model: mujoco.MjModel, renderer: mujoco.Renderer) -> None:
    """Give `renderer` the meshes as they are now; to be called on the renderer's own thread."""
    renderer._gl_context.make_current()
    for mesh in range(model.nmesh):
        mujoco.mjr_uploadMesh(model, renderer._mjr_context, mesh)


def _thin_out_mesh(model: mujoco.MjModel, mesh: int, cell_m: float) -> None:
    start, count = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
    rows = slice(start, start + count)
    first = model.mesh_vertadr[mesh]
    vertices = model.mesh_vert[first : first + model.mesh_vertnum[mesh]]
    cells = np.floor((vertices - vertices.min(axis=0)) / cell_m).astype(np.int64)
    _, chosen, cell_of = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    # Each corner becomes the vertex chosen for its cell.
    faces = chosen[cell_of.reshape(-1)][model.mesh_face[rows]]
    solid = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    _, distinct = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    kept = np.intersect1d(distinct, np.flatnonzero(solid))
    for per_face, new in (
        (model.mesh_face, faces[kept]),
        (model.mesh_facenormal, model.mesh_facenormal[rows][kept]),
        (model.mesh_facetexcoord, model.mesh_facetexcoord[rows][kept]),
    ):
        per_face[start : start + len(kept)] = new
    model.mesh_facenum[mesh] = len(kept)
