"""One more need beside an instance's arrays, without making them anew."""

import numpy as np

from matching.arrays import NEED_FIELDS, NO_LIMIT, City, Codes, Ints, Lists, need_record
from matching.instance import Instance, Need


class Newcomers:
    """An instance's arrays, to which one more need can be put at a time: a new one, or one of its own changed."""

    def __init__(self, instance: Instance, city: City) -> None:
        self._city, self._codes = city, Codes(instance)
        self._needs = np.concatenate([city.needs, np.zeros(1, city.needs.dtype)])
        self._lists, self._windows = city.lists, city.windows
        self._excluding: dict[str, set[str]] = {}
        excludes = [(one.id, one.excludes) for one in instance.needs.values()]
        excludes += [(one.id, one.excludes) for one in instance.providers.values()]
        for own, names in excludes:
            for name in names:
                self._excluding.setdefault(name, set()).add(own)

    def city_with(self, need: Need) -> City:
        """The arrays with the need as the last one, until the next is asked for; no service's list names it."""
        city, codes, lists = self._city, self._codes, Lists()
        strangers = need.excludes | self._excluding.get(need.id, set())
        apart = (codes.needs[name] for name in strangers if name in codes.needs)
        without = (codes.providers[name] for name in strangers if name in codes.providers)
        row = need_record(need, codes, lists, apart, without)
        for name, value in row.items():
            if name.endswith(("_from", "_to")):
                row[name] = value + len(city.windows if name.startswith("windows") else city.lists)
        self._needs[-1] = tuple(min(row[name], NO_LIMIT) for name in NEED_FIELDS)
        self._lists = _ending_in(self._lists, len(city.lists), np.array(lists.values, np.int64))
        self._windows = _ending_in(self._windows, len(city.windows), np.array(lists.windows, np.int64).reshape(-1, 3))
        return city._replace(needs=self._needs, lists=self._lists, windows=self._windows)


def _ending_in(values: Ints, kept: int, more: Ints) -> Ints:
    """The first `kept` of the values and then `more`; in place where there is room behind them."""
    if len(values) < kept + len(more):
        values = np.concatenate([values[:kept], np.zeros((2 * len(more), *values.shape[1:]), np.int64)])
    values[kept : kept + len(more)] = more
    return values
