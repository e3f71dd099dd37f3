from __future__ import annotations

from awflow.state.record import DEFAULTS, Record


def test_a_record_has_every_field_and_shares_no_default() -> None:
    one, other = Record(), Record.from_dict({})
    for name, default in DEFAULTS.items():
        assert getattr(one, name) == getattr(other, name) == default, name
        assert not isinstance(default, (dict, list)) or getattr(one, name) is not getattr(other, name)
    assert one.to_dict() == {}
    told = {name: f'told {name}' for name in DEFAULTS}
    full = Record(**told)
    assert {name: getattr(full, name) for name in DEFAULTS} == told
