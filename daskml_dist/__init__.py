"""Interactive machine learning on Dask."""
