"""A module -> the packages outside the standard library that it imports, lazily and through our modules too."""

import sys

from ecgwas.code import file_of, imported


def needed(module: str, less: frozenset[str] = frozenset()) -> dict[str, str]:
    """Top-level package -> the module of ours that imports it first; modules in `less` are not followed.

    What a function imports counts. The parents of a module (`ecgwas.a` of `ecgwas.a.b`) are run, but their functions
    are not called: of those, only what they import at once counts, unless a name is taken from them.
    """
    packages: dict[str, str] = {}
    seen: set[tuple[str, bool]] = set()
    waiting = [(module, True)]
    while waiting:
        name, whole = waiting.pop()
        if (name, whole) in seen or name in less:
            continue
        seen.add((name, whole))
        parents = [".".join(name.split(".")[:k]) for k in range(1, name.count(".") + 1)]
        waiting += [(parent, False) for parent in parents]
        for target in imported(file_of(name), whole):
            if target.split(".")[0] == "ecgwas":
                waiting.append((target, True))
            elif target.split(".")[0] not in sys.stdlib_module_names:
                packages.setdefault(target.split(".")[0], name)
    return packages
