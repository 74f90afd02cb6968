"""``vanhove serve``: predictions over HTTP and the page that shows them.

`app` answers requests and imports neither torch nor pymatgen: whatever is uploaded is parsed and
predicted in `worker` processes, which `pool` starts, stops and replaces.
"""
