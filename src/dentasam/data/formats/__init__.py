"""Import and export of datasets, one file per format; `registry` lists them and says how to add one."""
