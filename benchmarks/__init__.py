"""What is measured, and against what. `dentasam bench` finds these files in a checkout or in the installed package.

Nothing here is imported by the package itself, and files of this package import each other relatively, because it is
`benchmarks` in a checkout, `dentasam.benchmarks` in an installation and `dentasam_benchmarks` under the command.
"""
