"""NetCDF-4 files of many integers, compressed by several threads.

HDF5 compresses one chunk after the other under one lock, which was the longest part of
gathering a run of many replications. So the chunks are compressed here, beside each other,
and put into the file as they are; any reader of NetCDF-4 opens them.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np
import numpy.typing as npt
import xarray as xr

_LEVEL = 1


def write_compressed(data: xr.Dataset, path: Path, threads: int, chunk_days: int) -> None:
    """Write integers as they are typed; equal datasets give equal bytes.

    Parameters
    ----------
    data : its first two dims, scenario and replication, are cut into chunks of one
    threads : int, how many compress beside each other
    chunk_days : int, most of the dim day in a chunk
    """
    names = [str(name) for name in data.data_vars]
    shapes = {name: _chunk_shape(data[name], chunk_days) for name in names}
    data.drop_vars(names).to_netcdf(path, engine="h5netcdf", format="NETCDF4")
    with h5netcdf.File(path, "a") as file:
        for name in names:
            variable = data[name]
            file.create_variable(
                name,
                variable.dims,
                variable.dtype,
                chunks=shapes[name],
                compression="gzip",
                compression_opts=_LEVEL,
                shuffle=True,
            )
    with h5py.File(path, "r+") as raw, ThreadPoolExecutor(threads) as pool:
        for name in names:
            values = data[name].to_numpy()
            corners = list(_corners(values.shape, shapes[name]))
            packed = pool.map(
                lambda corner, values=values, shape=shapes[name]: _packed(values, corner, shape),
                corners,
            )
            for corner, chunk in zip(corners, packed, strict=True):
                raw[name].id.write_direct_chunk(corner, chunk)


def _chunk_shape(variable: xr.DataArray, chunk_days: int) -> tuple[int, ...]:
    sizes = [
        1 if dim in ("scenario", "replication") else min(size, chunk_days) if dim == "day" else size
        for dim, size in variable.sizes.items()
    ]
    return tuple(max(1, size) for size in sizes)


def _corners(whole: tuple[int, ...], chunk: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return itertools.product(
        *(range(0, size, step) for size, step in zip(whole, chunk, strict=True))
    )


def _packed(values: npt.NDArray[Any], corner: tuple[int, ...], shape: tuple[int, ...]) -> bytes:
    """One chunk as HDF5 keeps it: filled up with zeros, its bytes by place, deflated."""
    part = values[tuple(slice(at, at + size) for at, size in zip(corner, shape, strict=True))]
    if part.shape != shape:
        whole = np.zeros(shape, dtype=values.dtype)
        whole[tuple(slice(size) for size in part.shape)] = part
        part = whole
    flat = np.ascontiguousarray(part).reshape(-1)
    by_place = flat.view(np.uint8).reshape(len(flat), flat.itemsize).T
    return zlib.compress(np.ascontiguousarray(by_place).data, _LEVEL)
